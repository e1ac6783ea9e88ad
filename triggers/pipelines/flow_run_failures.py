"""Failed, crashed and timed-out runs of people's own flows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.prefect_io.client import prefect_api
from triggers.pipelines.collapse import NEWEST, Newest, any_counts, collapse, newest_on_record
from triggers.pipelines.ended_run import FAILURES, EndedRun, Ending, in_order
from triggers.pipelines.ended_since import UNTIL, EndedSince, FirstLook, Settle, read_ended
from triggers.pipelines.failed_runs import (
    MOST_KEPT,
    joined_output,
    released_output,
    said_of,
    started_evidence,
)
from triggers.pipelines.selection import Selection


class FlowRunFailures(Trigger):
    """Runs of your own flows failed, crashed or timed out: one series for each deployment."""

    display_name: ClassVar[str] = "Flow run failures"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    importances: dict[Ending, Importance] = Field(
        {},
        description="by ending; empty: the rule's importance; endings left out are high",
    )
    ignore: list[Ending] = Field([], description="endings that are not counted as failures")
    first_look_minutes: FirstLook = 60
    settle_seconds: Settle = 10

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment whose runs ended since the last evaluation.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when more
        runs ended in one second than an evaluation reads.
        """
        with prefect_api() as client:
            ended = read_ended(
                client,
                self.watch,
                history,
                self.first_look_minutes,
                self.settle_seconds,
                with_starters=True,
            )
        outputs = self.evaluate_all(ended, newest_on_record(history, ended.past))
        text = "the newest run that ended did not fail"
        reported = [run for runs in ended.runs.values() for run in runs if self._fails(run.ending)]
        return ended.outputs(outputs, reported=reported, newest=NEWEST, text=text)

    def evaluate_all(self, ended: EndedSince, newest: Newest) -> list[AlertOutput]:
        """One output for each series of which something is to be said, by name."""
        found = collapse(ended.runs, ended.starters, self._fails, newest)
        outputs = {
            ticker: self.evaluate(
                ticker,
                found.own.get(ticker, ()),
                ended.until,
                started=found.joining.get(ticker, ()),
                series=found.series.get(ticker, ()),
            )
            for ticker in ended.runs.keys() | found.joining.keys()
            if ticker in found.joining or any_counts(ended.runs[ticker])
        }
        for ticker, output in outputs.items():
            root, runs = found.joined_by(ticker)
            outputs[ticker] = joined_output(output, root, runs) if root else output
        for ticker, (root, evidence) in found.released.items():
            outputs[ticker] = released_output(ticker, root, evidence, ended.until)
        return [outputs[ticker] for ticker in sorted(outputs)]

    def evaluate(
        self,
        ticker: str,
        runs: Iterable[EndedRun],
        until: datetime,
        *,
        started: Sequence[tuple[str, EndedRun]] = (),
        series: Sequence[str] = (),
    ) -> AlertOutput:
        """Triggered when a run of these failed, or one that such a run started.

        Cancelled ones don't count. `started` are those that were started, each with its series;
        `series` all series whose runs are in the event.
        """
        ordered = in_order(run for run in runs if run.ending is not Ending.CANCELLED)
        failed = [run for run in ordered if self._fails(run.ending)]
        below = [run for _, run in started]
        ends_failed = bool(failed) and ordered[-1] is failed[-1] and not failed[-1].late
        return AlertOutput(
            triggered=bool(failed or started),
            importance=self._importance([*failed, *below]),
            ticker=ticker,
            message=f"{ticker}: {said_of(ordered, failed, started)}",
            metrics={
                "value": len(failed) + len(started),
                "ended_runs": len(ordered),
                NEWEST: float(bool(started) or ends_failed),
                "started_runs": len(started),
                UNTIL: until.timestamp(),
            },
            metadata={
                "unit": "runs",
                "runs": [run.evidence for run in reversed(failed[-MOST_KEPT:])],
                "not_listed": max(0, len(failed) - MOST_KEPT),
                **started_evidence(started, series),
            },
        )

    def _fails(self, ending: Ending) -> bool:
        return ending in FAILURES and ending not in self.ignore

    def _importance(self, failed: Sequence[EndedRun]) -> Importance | None:
        """The highest of these endings; the rule's own where none is set."""
        if not self.importances:
            return None
        set_for = [self.importances.get(run.ending, self.default_importance) for run in failed]
        return max(set_for, key=lambda importance: importance.rank, default=None)
