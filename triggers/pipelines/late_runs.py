"""Runs that are due and have not started, with the cause."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import prefect_api, server_time
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.pipelines.due_runs import MOST_RUNS, LateRun, due_runs
from triggers.pipelines.late_cause import Cause, cause_of
from triggers.pipelines.reading import read_deployments
from triggers.pipelines.selection import Selection
from triggers.pipelines.series import MOST_SERIES, looked_at, recovered
from triggers.pipelines.work_pools import WorkPools

_MOST_KEPT = 20


class LateRuns(Trigger):
    """Runs of your own flows are due and have not started: one series for each deployment."""

    display_name: ClassVar[str] = "Late runs"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 120

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    late_seconds: float = Field(
        120, ge=0, le=604_800, description="a run is late when it is due for longer than this"
    )

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment with late runs, and for those that had some before.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        past = history.latest(MOST_SERIES)
        with prefect_api() as client:
            now = server_time(client)
            found = read_deployments(client)
            selected = self.watch.select(found.pipelines)
            if selected.problem and not selected.pipelines:
                return [selected.problem]
            tickers = {one.id: one.ticker for one in selected.pipelines}
            late: dict[str, list[tuple[UUID, LateRun]]] = defaultdict(list)
            limit = now - timedelta(seconds=self.late_seconds)
            runs, unread = due_runs(client, list(tickers), limit)
            for deployment, run in runs:
                late[tickers[deployment]].append((deployment, run))
            pools = WorkPools(client, Counter((run.pool, run.queue) for _, run in runs))
            outputs = []
            for ticker, some in sorted(late.items()):
                deployment, oldest = min(some, key=lambda item: item[1].due)
                facts = pools.of(oldest.pool, oldest.queue, found.limits.get(deployment))
                cause, why = cause_of(replace(facts, awaits_slot=oldest.awaits_slot), now)
                blocking = pools.blocking(cause, oldest.pool, oldest.queue, deployment)
                these = [run for _, run in some]
                outputs.append(self.evaluate(ticker, these, now, (cause, why), blocking))
        text = f"Looked at {counted(len(tickers), 'deployment')}; {len(late)} with late runs"
        own = looked_at(selected.problem, text, len(runs), unread, MOST_RUNS)
        known = set() if unread else set(tickers.values())
        return [*own, *outputs, *recovered(past, known, set(late), "no run is late")]

    def evaluate(
        self,
        ticker: str,
        late: Sequence[LateRun],
        now: datetime,
        cause: tuple[Cause, str],
        blocking: Sequence[dict[str, Any]] = (),
    ) -> AlertOutput:
        """Triggered: these runs, at least one, are late for this cause."""
        ordered = sorted(late, key=lambda run: (run.due, run.id.int))
        oldest = ordered[0]
        seconds = (now - oldest.due).total_seconds()
        code, why = cause
        by = ", ".join(item["name"] for item in blocking[:5])
        return AlertOutput(
            triggered=True,
            ticker=ticker,
            message=f"{ticker}: {counted(len(late), 'run is', 'runs are')} late. "
            f"{flat(oldest.name, 60)} was due at {moment(oldest.due)}, {span(seconds)} ago: {why}"
            + (f" (by {by})" if by else ""),
            metrics={"value": len(late), "oldest_seconds": seconds},
            metadata={
                "unit": "runs",
                "cause": code.value,
                "why": why,
                "work_pool": flat(oldest.pool or ""),
                "work_queue": flat(oldest.queue or ""),
                "runs": [run.evidence for run in ordered[:_MOST_KEPT]],
                "not_listed": max(0, len(late) - _MOST_KEPT),
                "slots_taken_by": list(blocking),
            },
        )
