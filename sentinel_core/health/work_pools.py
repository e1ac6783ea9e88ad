"""Work pools: whether those that the rules name exist, are open, and have a worker online."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import Worker, WorkerStatus, WorkPool
from prefect.exceptions import ObjectNotFound

from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.health.installation import Installation
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.rulefile.source import dig
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import moment

COMPONENT = "work pools"
_finding = Reporter(COMPONENT)
_HEARTBEAT_SECONDS = 30  # Prefect's default
_MISSED = 2.5  # heartbeats: two are missing, and the second is no longer just on its way


def look(installation: Installation) -> list[Finding]:
    """The findings on each work pool that a rule names, in Prefect or in the rule file."""
    queues = _named(installation)
    if not queues:
        return [
            _finding(
                "none",
                State.UNKNOWN,
                "no rule names a work pool: none is deployed, and there is no rule file here",
                "run `sentinel rules deploy` in the project's folder",
            )
        ]
    with prefect_api() as client:
        return [
            finding
            for name, wanted in sorted(queues.items())
            for finding in _look_at(client, name, wanted, installation.now)
        ]


def _named(installation: Installation) -> dict[str, set[str]]:
    """The pools that rules name, each with the work queues that deployed rules use."""
    queues: dict[str, set[str]] = {}
    for one in installation.deployed():
        if one.item.work_pool_name:
            used = queues.setdefault(one.item.work_pool_name, set())
            used.add(one.item.work_queue_name or "default")
    for entry in installation.file.entries if installation.file else ():
        name = dig(entry.config, ("work_pool", "name"))
        if isinstance(name, str) and name and not entry.is_open(("work_pool", "name")):
            queues.setdefault(name, set())
    return queues


def _look_at(
    client: SyncPrefectClient, name: str, queues: set[str], now: datetime
) -> Iterator[Finding]:
    try:
        pool = client.read_work_pool(name)
    except (ObjectNotFound, httpx.InvalidURL):  # nothing can have such a name
        yield _finding(
            name,
            State.DOWN,
            "there is no such work pool in Prefect, so nothing that names it runs",
            f"prefect work-pool create {name} --type sentinel",
        )
        return
    if pool.is_paused:
        yield _finding(
            name,
            State.DOWN,
            "it is paused, so none of its rules is checked",
            f"prefect work-pool resume {name}",
            type=pool.type,
        )
    elif pool.concurrency_limit == 0:
        yield _finding(
            name,
            State.DOWN,
            "its concurrency limit is 0, so none of its rules is checked",
            f"prefect work-pool clear-concurrency-limit {name}",
            type=pool.type,
        )
    yield _workers(pool, client.read_workers_for_work_pool(name), now)
    yield from _queues(client, name, queues)


def _workers(pool: WorkPool, workers: Sequence[Worker], now: datetime) -> Finding:
    if pool.is_push_pool or pool.is_managed_pool:
        return _finding(
            pool.name, State.OK, f"type {pool.type}, which needs no worker", type=pool.type
        )
    online = [worker for worker in workers if worker.status is WorkerStatus.ONLINE]
    beats = [worker.last_heartbeat_time for worker in online or workers]
    last = max((beat for beat in beats if beat is not None), default=None)
    data = {"type": pool.type, "online": [worker.name for worker in online], "last_heartbeat": last}
    if online:
        age = max(0.0, (now - last).total_seconds()) if last else 0.0
        seconds = f", heartbeat {age:,.0f} s ago" if last else ""
        count = counted(len(online), "worker")
        every = max(worker.heartbeat_interval_seconds or _HEARTBEAT_SECONDS for worker in online)
        if age > _MISSED * every:  # Prefect calls it online for a while longer
            return _finding(
                pool.name,
                State.DEGRADED,
                f"{count} online by Prefect's account, but the last heartbeat, which comes every "
                f"{every} s, was {age:,.0f} s ago",
                f"see whether the worker still runs; prefect worker start --pool {pool.name}",
                **data,
            )
        return _finding(pool.name, State.OK, f"{count} online{seconds}", **data)
    since = f", the last heartbeat was at {moment(last)}" if last else ""
    return _finding(
        pool.name,
        State.DOWN,
        f"no worker is online{since}, so none of its rules is checked",
        f"prefect worker start --pool {pool.name}",
        **data,
    )


def _queues(client: SyncPrefectClient, pool: str, used: set[str]) -> Iterator[Finding]:
    for queue in client.read_work_queues(work_pool_name=pool):
        if queue.name not in used:
            continue
        name = f"{pool}/{queue.name}"
        if queue.is_paused:
            advice = f"prefect work-queue resume {queue.name} --pool {pool}"
            sentence = "the work queue is paused, so none of its rules is checked"
            yield _finding(name, State.DOWN, sentence, advice)
        elif queue.concurrency_limit == 0:
            advice = f"prefect work-queue clear-concurrency-limit {queue.name} --pool {pool}"
            sentence = "the work queue's limit is 0, so none of its rules is checked"
            yield _finding(name, State.DOWN, sentence, advice)
