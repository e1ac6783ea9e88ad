"""Why a run has not started: the first of the known causes that holds. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment

NOT_POLLED = timedelta(minutes=5)  # workers ask each queue several times a minute
BACKLOG = 10  # late runs of one queue; fewer wait for a worker's own limit


class Cause(StrEnum):
    """Codes for the reason why a run is late."""

    NO_POOL = "no_work_pool"
    POOL_MISSING = "work_pool_missing"
    POOL_PAUSED = "work_pool_paused"
    QUEUE_PAUSED = "work_queue_paused"
    NO_WORKER = "no_worker_online"
    DEPLOYMENT_FULL = "deployment_limit"
    QUEUE_FULL = "work_queue_limit"
    POOL_FULL = "work_pool_limit"
    NOT_POLLED = "work_queue_not_polled"
    BACKLOG = "work_queue_backlog"
    WORKER_LIMIT = "worker_limit"
    UNKNOWN = "unknown"


LIMITS = (Cause.DEPLOYMENT_FULL, Cause.QUEUE_FULL, Cause.POOL_FULL)


@dataclass(frozen=True)
class Limit:
    """A concurrency limit and the slots of it that are taken."""

    slots: int
    taken: int

    @property
    def full(self) -> bool:
        """True when no slot is free."""
        return self.taken >= self.slots


@dataclass(frozen=True)
class Queue:
    """A work queue. Workers are given the runs of the lowest `priority` first."""

    name: str
    paused: bool = False
    limit: Limit | None = None
    polled: datetime | None = None
    late: int = 0
    priority: int = 1


@dataclass(frozen=True)
class Pool:
    """A work pool. `under_way`: its runs that are pending or running."""

    name: str
    paused: bool = False
    limit: Limit | None = None
    needs_worker: bool = True
    workers_online: int = 0
    last_heartbeat: datetime | None = None
    under_way: int = 0


@dataclass(frozen=True)
class Late:
    """What is known about a late run's way to a worker. `pool` None: it is missing."""

    pool_name: str | None
    pool: Pool | None
    queue: Queue | None = None
    deployment_limit: Limit | None = None
    awaits_slot: bool = False


def cause_of(late: Late, now: datetime) -> tuple[Cause, str]:
    """The cause of a late run, as a code and a sentence."""
    pool, queue = late.pool, late.queue
    if late.pool_name is None:
        return Cause.NO_POOL, "it has no work pool, and no process serves its deployment"
    name = flat(late.pool_name, 80)
    if pool is None:
        return Cause.POOL_MISSING, f"the work pool {name} does not exist"
    if pool.paused:
        return Cause.POOL_PAUSED, f"the work pool {name} is paused"
    if queue is not None and queue.paused:
        return Cause.QUEUE_PAUSED, f"the work queue {flat(queue.name, 80)} of {name} is paused"
    if pool.needs_worker and pool.workers_online == 0:
        seen = pool.last_heartbeat
        since = f"since {moment(seen)}" if seen else "and there never was one"
        return Cause.NO_WORKER, f"no worker of the work pool {name} is online, {since}"
    return _full(late, name) or _waiting(late, pool, name, now)


def _full(late: Late, pool: str) -> tuple[Cause, str] | None:
    """The concurrency limit that keeps the run waiting."""
    limits = [
        (Cause.DEPLOYMENT_FULL, "the deployment", late.deployment_limit),
        (Cause.QUEUE_FULL, "its work queue", late.queue.limit if late.queue else None),
        (Cause.POOL_FULL, f"the work pool {pool}", late.pool.limit if late.pool else None),
    ]
    for cause, what, limit in limits:
        if limit is not None and limit.full:
            return cause, f"the concurrency limit of {what} is full: {limit.taken} of {limit.slots}"
    if late.awaits_slot:
        return Cause.DEPLOYMENT_FULL, "it waits for a slot of its deployment's concurrency limit"
    return None


def _waiting(late: Late, pool: Pool, name: str, now: datetime) -> tuple[Cause, str]:
    """The cause where nothing is closed, off or full."""
    queue = late.queue
    if pool.needs_worker and queue is not None:
        if queue.polled is None or now - queue.polled > NOT_POLLED:
            last = f"since {moment(queue.polled)}" if queue.polled else "at any time"
            return Cause.NOT_POLLED, f"no worker has polled its queue {flat(queue.name, 80)} {last}"
        if queue.late >= BACKLOG and pool.under_way:
            return (
                Cause.BACKLOG,
                f"{counted(queue.late, 'run')} of its work queue {flat(queue.name, 80)} are late, "
                f"while {counted(pool.under_way, 'run')} of {name} are under way",
            )
    if pool.needs_worker and pool.under_way:
        workers = counted(pool.workers_online, "worker")
        return (
            Cause.WORKER_LIMIT,
            f"{counted(pool.under_way, 'run')} of {name} are under way on {workers}, and no limit "
            "in Prefect is full: the workers have reached a limit of their own",
        )
    return Cause.UNKNOWN, f"nothing in Prefect keeps it from starting in {name}"
