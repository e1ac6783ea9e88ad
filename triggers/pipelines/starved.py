"""Whose runs wait because others hold the slots of a limit that they share. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.client import PAGE
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.late_cause import Late, Limit

MOST_NAMED = 5
_MOST_KEPT = 20
GIVEN_AT_ONCE = PAGE  # due runs of a work pool that Prefect gives a worker; those behind are unseen


class Shared(StrEnum):
    """Codes for what is shared."""

    QUEUE = "work_queue_limit"
    POOL = "work_pool_limit"
    TAG = "tag_limit"
    CROWDED_OUT = "longer_queue"
    WORKERS = "worker_limit"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that is due, or a task run that is Pending. `owner`: its deployment."""

    id: UUID
    name: str
    owner: str
    since: datetime
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that holds a slot, or competes for the workers. `owner`: its deployment."""

    id: UUID
    name: str
    owner: str

    @property
    def evidence(self) -> dict[str, Any]:
        """The run, for people who look into it."""
        return {
            "id": str(self.id),
            "name": flat(self.name),
            "deployment": flat(self.owner),
            "url": get_settings().flow_run_url(self.id),
        }


@dataclass(frozen=True)
class Scarce:
    """What is shared, and who holds it. `what`: in words; `slots`: None where nobody knows."""

    code: Shared
    what: str
    holders: Sequence[Holder]
    slots: int | None = None

    @property
    def sentence(self) -> str:
        """`batch/hourly (4) and report/daily (1) hold the 5 slots of the work pool k8s`"""
        who = Counter(holder.owner for holder in self.holders).most_common()
        named = ", ".join(f"{flat(owner, 80)} ({number:,})" for owner, number in who[:MOST_NAMED])
        more = len(who) - MOST_NAMED
        named += f" and {counted(more, 'other')}" if more > 0 else ""
        slots = "slots" if self.slots is None else counted(self.slots, "slot")
        return f"{named} {'holds' if len(who) == 1 else 'hold'} the {slots} of {self.what}"


@dataclass(frozen=True)
class Starvation:
    """Runs that wait, longest first, while others hold what they need. `ahead`: due before them."""

    waiting: Sequence[Waiting]
    scarce: Scarce
    ahead: int = 0

    @property
    def why(self) -> str:
        """Who is in the way, in words."""
        if self.scarce.code is Shared.CROWDED_OUT:
            held = f", and {self.scarce.sentence}" if self.scarce.holders else ""
            return (
                f"{counted(self.ahead, 'run')} of others come before, and Prefect gives a worker "
                f"the first {GIVEN_AT_ONCE} due runs of {self.scarce.what}{held}"
            )
        before = f"; {counted(self.ahead, 'run')} of others come before" if self.ahead else ""
        return f"{self.scarce.sentence}{before}"


def scarce_in_pool(late: Late, holders: Sequence[tuple[str, Holder]], ahead: int) -> Scarce | None:
    """What the due runs of a work queue wait for; None where others are not the reason.

    `holders` are the runs under way in the pool, with their work queue. Where the pool or the queue
    is paused, or no worker is there, nobody holds anything: late_runs says why.
    """
    pool, queue = late.pool, late.queue
    if pool is None or queue is None or pool.paused or queue.paused:
        return None
    if pool.needs_worker and pool.workers_online == 0:
        return None
    everyone = [holder for _, holder in holders]
    of_queue = [holder for name, holder in holders if name == queue.name]
    if _full(queue.limit, of_queue):
        what = f"the work queue {flat(queue.name, 80)}"
        return Scarce(Shared.QUEUE, what, of_queue, queue.limit.slots if queue.limit else None)
    if _full(pool.limit, everyone):
        what = f"the work pool {flat(pool.name, 80)}"
        return Scarce(Shared.POOL, what, everyone, pool.limit.slots if pool.limit else None)
    workers = f"the workers of {flat(pool.name, 80)}"
    if ahead >= GIVEN_AT_ONCE:
        return Scarce(Shared.CROWDED_OUT, f"the work pool {flat(pool.name, 80)}", everyone)
    return Scarce(Shared.WORKERS, workers, everyone) if pool.needs_worker and everyone else None


def _full(limit: Limit | None, holders: Sequence[Holder]) -> bool:
    return limit is not None and bool(holders) and (limit.full or len(holders) >= limit.slots)


def starved(
    waiting: Mapping[str, Sequence[Waiting]],
    scarce: Scarce,
    own_percent: float,
    ahead: Mapping[str, int],
) -> Starvation | None:
    """The waiting runs, by owner, of those who hold next to nothing of what is scarce.

    An owner that holds more than `own_percent` of the slots is busy and not starved.
    """
    own = Counter(holder.owner for holder in scarce.holders)
    allowed = len(scarce.holders) * own_percent / 100
    victims = [
        owner
        for owner in waiting
        if own[owner] <= allowed
        and (len(scarce.holders) > own[owner] or ahead.get(owner, 0) >= GIVEN_AT_ONCE)
    ]
    runs = sorted((run for owner in victims for run in waiting[owner]), key=lambda run: run.since)
    before = max((ahead.get(owner, 0) for owner in victims), default=0)
    return Starvation(runs, scarce, before) if runs else None


def ahead_of(owner: str, due: Sequence[Waiting]) -> int:
    """How many due runs of others come before this owner's first one."""
    own = [(run.priority, run.since) for run in due if run.owner == owner]
    first = min(own, default=None)
    if first is None:
        return 0
    return sum((run.priority, run.since) < first for run in due if run.owner != owner)
