"""Runs that wait although others hold the slots of a limit they share."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import prefect_api, server_time
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.pipelines.due_runs import MOST_RUNS, LateRun, due_runs
from triggers.pipelines.global_limits import evaluate_limit, full_limits
from triggers.pipelines.reading import Deployments, read_deployments
from triggers.pipelines.selection import Patterns, Selection
from triggers.pipelines.series import MOST_SERIES, looked_at, recovered
from triggers.pipelines.slots import Slots
from triggers.pipelines.starved import (
    MOST_NAMED,
    Scarce,
    Shared,
    Starvation,
    Waiting,
    ahead_of,
    scarce_in_pool,
    starved,
)
from triggers.pipelines.work_pools import WorkPools
from triggers.sources.readings import fitting_ticker

_MOST_KEPT = 20
Due = dict[tuple[str, str], list[tuple[UUID, LateRun]]]


class QueueStarvation(Trigger):
    """Runs wait while others hold the slots they share: one series for each work queue and tag."""

    display_name: ClassVar[str] = "Queue starvation"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(
        Selection(), description="deployments whose runs must not starve; empty: all of them"
    )
    wait_seconds: float = Field(
        600, ge=0, le=604_800, description="a run may wait this long while others hold the slots"
    )
    own_percent: float = Field(
        0, ge=0, lt=100, description="a deployment that holds more of the slots is not starved"
    )
    global_limits: Patterns = Field(
        [], description="global concurrency limits whose slots must change hands, by name or glob"
    )

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each work queue and tag with starved runs, and for those before.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        past = history.latest(MOST_SERIES)
        with prefect_api() as client:
            now = server_time(client)
            deployments = read_deployments(client)
            selected = self.watch.select(deployments.pipelines)
            if selected.problem and not selected.pipelines:
                return [selected.problem]
            watched = {one.id for one in selected.pipelines}
            runs, unread = due_runs(client, [one.id for one in deployments.pipelines], now)
            starving = self.starving(client, deployments, watched, runs, now)
            full, unmatched = full_limits(client, self.global_limits)
        outputs = [self.evaluate(name, item, now) for name, item in sorted(starving.items())]
        limits = [evaluate_limit(item, self.wait_seconds, now) for item in full]
        outputs += [output for output in limits if output]
        text = (
            f"Looked at {counted(len(watched), 'deployment')} and {counted(len(runs), 'due run')}; "
            f"{len(starving)} starved"
        )
        names = {output.ticker for output in outputs}
        known = set() if unread else {one.ticker for one in past if one.ticker}
        return [
            *looked_at(selected.problem or _no_such(unmatched), text, len(runs), unread, MOST_RUNS),
            *outputs,
            *recovered(past, known, names, "nothing waits for slots that others hold"),
        ]

    def starving(
        self,
        client: SyncPrefectClient,
        deployments: Deployments,
        watched: set[UUID],
        runs: Sequence[tuple[UUID, LateRun]],
        now: datetime,
    ) -> dict[str, Starvation]:
        """The starved work queues, as `pool/queue`, and tags, as `tag:name`."""
        owners = {one.id: one.name for one in deployments.pipelines}
        slots = Slots(client, owners)
        able = watched - {id_ for id_, limit in deployments.limits.items() if limit.full}
        by_queue: Due = defaultdict(list)
        for id_, run in runs:
            if run.pool is not None:
                by_queue[run.pool, run.queue or "default"].append((id_, run))
        starving: dict[str, Starvation] = {}
        pools = WorkPools(client, Counter())
        for pool in sorted({pool for pool, _ in by_queue}):
            waits = {
                queue: waiting
                for (name, queue), some in sorted(by_queue.items())
                if name == pool
                and (waiting := [x for x in some if x[0] in able and self._waits(x[1], now)])
            }
            if waits:
                due = _in_pool(by_queue, pool, pools, owners)
                starving |= self._in_queues(waits, due, slots, pools, pool)
        for tag in slots.full_tags():
            of_tag = self._of_tag(tag.waiting, watched, now)
            scarce = Scarce(Shared.TAG, f"the tag {flat(tag.tag, 80)}", tag.holders, tag.slots)
            if item := starved(of_tag, scarce, self.own_percent, {}):
                starving[f"tag:{tag.tag}"] = item
        return starving

    def _in_queues(
        self,
        waits: Mapping[str, Sequence[tuple[UUID, LateRun]]],
        due: Sequence[Waiting],
        slots: Slots,
        pools: WorkPools,
        pool: str,
    ) -> dict[str, Starvation]:
        """The starved ones of these queues of a pool."""
        starving: dict[str, Starvation] = {}
        holders = slots.of_pool(pool)
        for queue, some in waits.items():
            waiting = _by_owner(some, slots.owners)
            ahead = {owner: ahead_of(owner, due) for owner in waiting}
            facts = pools.of(pool, queue, None)
            scarce = scarce_in_pool(facts, holders, max(ahead.values()))
            if scarce and (item := starved(waiting, scarce, self.own_percent, ahead)):
                starving[f"{pool}/{queue}"] = item
        return starving

    def _waits(self, run: LateRun, now: datetime) -> bool:
        """True if it waits for too long, and not for a slot of its deployment's own limit."""
        return not run.awaits_slot and now - run.due > timedelta(seconds=self.wait_seconds)

    def _of_tag(
        self, waiting: Mapping[UUID, Sequence[Waiting]], watched: set[UUID], now: datetime
    ) -> dict[str, list[Waiting]]:
        limit = timedelta(seconds=self.wait_seconds)
        by_owner: dict[str, list[Waiting]] = defaultdict(list)
        for id_, runs in waiting.items():
            for run in runs:
                if id_ in watched and now - run.since > limit:
                    by_owner[run.owner].append(run)
        return by_owner

    def evaluate(self, name: str, starvation: Starvation, now: datetime) -> AlertOutput:
        """Triggered: these runs, at least one, starve."""
        oldest, scarce = starvation.waiting[0], starvation.scarce
        seconds = (now - oldest.since).total_seconds()
        owners = Counter(run.owner for run in starvation.waiting)
        number = counted(len(starvation.waiting), "run")
        waits = "waits" if len(starvation.waiting) == 1 else "wait"
        named = ", ".join(flat(owner, 80) for owner in list(owners)[:MOST_NAMED])
        return AlertOutput(
            triggered=True,
            ticker=fitting_ticker(name),
            message=f"{flat(name, 160)}: {number} of {named} {waits}, "
            f"{flat(oldest.name, 60)} since {moment(oldest.since)}, for {span(seconds)}: "
            f"{starvation.why}",
            metrics={
                "value": len(starvation.waiting),
                "oldest_seconds": seconds,
                "holders": len(scarce.holders),
                "ahead": starvation.ahead,
            },
            metadata={
                "unit": "runs",
                "cause": scarce.code.value,
                "why": starvation.why,
                "slots": scarce.slots,
                "starved": [{"deployment": flat(o), "runs": n} for o, n in owners.most_common(20)],
                "slots_taken_by": [holder.evidence for holder in scarce.holders[:_MOST_KEPT]],
                "runs": [
                    {"id": str(run.id), "name": flat(run.name), "since": run.since.isoformat()}
                    for run in starvation.waiting[:_MOST_KEPT]
                ],
                "not_listed": max(0, len(starvation.waiting) - _MOST_KEPT),
            },
        )


def _no_such(limits: Sequence[str]) -> AlertOutput | None:
    if not limits:
        return None
    named = ", ".join(repr(flat(name, 80)) for name in limits[:MOST_NAMED])
    return AlertOutput(
        triggered=False,
        problem="no_data",
        message=f"Not checked: no global concurrency limit in Prefect matches {named}; correct "
        "global_limits, or create what it names",
        metadata={"code": "filter_matches_nothing"},
    )


def _in_pool(
    by_queue: Due, pool: str, pools: WorkPools, owners: Mapping[UUID, str]
) -> list[Waiting]:
    """All due runs of a work pool, with the priorities of their queues."""
    due: list[Waiting] = []
    for (name, queue), some in by_queue.items():
        if name == pool:
            known = pools.of(pool, queue, None).queue
            priority = known.priority if known else 1
            due += [Waiting(run.id, run.name, owners[id_], run.due, priority) for id_, run in some]
    return due


def _by_owner(
    some: Iterable[tuple[UUID, LateRun]], owners: Mapping[UUID, str]
) -> dict[str, list[Waiting]]:
    by_owner: dict[str, list[Waiting]] = defaultdict(list)
    for id_, run in some:
        by_owner[owners[id_]].append(Waiting(run.id, run.name, owners[id_], run.due))
    return by_owner
