"""The share of all rules' runs that end without a result: checks that fail check nothing."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.decide.hosts import ERROR_RATE_LIMIT, Endings, HostHistory
from sentinel_core.model.times import span
from sentinel_core.wording.text import counted


class RunErrors(Trigger):
    """Too many runs of all rules end without a result: failed, crashed, timed out or cancelled."""

    display_name: ClassVar[str] = "Run errors"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    max_percent: float = Field(
        100 * ERROR_RATE_LIMIT,
        ge=0,
        lt=100,
        allow_inf_nan=False,
        description="percent of the runs that may end without a result",
    )
    window_minutes: float = Field(
        60, ge=1, le=1440, allow_inf_nan=False, description="how far back runs count"
    )
    minimum_runs: int = Field(
        10, ge=1, le=10_000, description="with fewer runs in that time there is no data"
    )

    def check(self, history: History) -> AlertOutput:
        """The share of the runs. Raises HistoryUnavailableError without an event store."""
        if not isinstance(history, HostHistory):
            raise HistoryUnavailableError(
                "how runs ended is read from the event store, which knows this rule once it is "
                "deployed"
            )
        return self.evaluate(history.endings(timedelta(minutes=self.window_minutes)))

    def evaluate(self, found: Endings) -> AlertOutput:
        """Triggered by a share above the limit; no data with too few runs."""
        runs, lately = counted(found.runs, "run"), span(found.minutes * 60)
        metrics = {"runs": float(found.runs), "failed": float(found.failed)}
        if found.runs < self.minimum_runs:
            few = f"{runs} in {lately}, fewer than {self.minimum_runs}: the share says nothing"
            return AlertOutput(triggered=False, problem="no_data", message=few, metrics=metrics)
        share = round(100 * found.failed / found.runs, 2)
        over = share > self.max_percent
        return AlertOutput(
            triggered=over,
            message=f"{found.failed:,} of {runs} in {lately} ended without a result ({share:g} %); "
            f"{'more than' if over else 'allowed are'} {self.max_percent:g} %",
            metrics={**metrics, "value": share, "threshold": self.max_percent},
            metadata={"unit": "%", "window_minutes": round(found.minutes, 1)},
        )
