"""How a batch went: its successes, its speed. Decides nothing about events."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.model.fault import Fault
from sentinel_core.wording.text import counted
from triggers.model.figures import FiguresCheck, count, figure
from triggers.sources.document import value_at
from triggers.sources.errors import NoDataError, SourceError

_SLACK = 1e-9
_SCRAPER = "Look at the code that handles the items: neither timeouts nor refusals stand out."
_CODES = {
    "timeout": Fault.TIMEOUT,
    "401": Fault.REFUSED,
    "403": Fault.REFUSED,
    "connection": Fault.CONNECTION,
}

Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BatchPerformance(FiguresCheck):
    """A batch, such as a scraping run, had too many failures or was too slow."""

    display_name: ClassVar[str] = "Batch performance"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"

    total: str = Field("total", min_length=1, description="the figure with the number of items")
    success: str = Field(
        "success", min_length=1, description="the figure with those that succeeded"
    )
    total_time: str | None = Field(
        "total_time", min_length=1, description="the figure with the seconds it took; null: none"
    )
    errors: str = Field(
        "errors",
        min_length=1,
        description="the object, if there is one, with the number of failures by code: timeout, "
        "401, 403, connection and others; the most frequent suggests what to do",
    )
    min_success_rate: float = Field(
        0.95, ge=0, le=1, description="a lower success / total triggers"
    )
    max_seconds_per_item: Limit | None = Field(
        None, description="a higher total_time / success triggers; null: only shown"
    )
    max_items_per_minute: Limit | None = Field(
        None, description="more successes a minute trigger, as a site may block; null: only shown"
    )
    max_failed: int | None = Field(
        None, ge=0, description="more failed items trigger; null: only the rate counts"
    )

    def measure_document(self, document: Any, history: History) -> list[AlertOutput]:
        """One output."""
        del history
        seconds = None if self.total_time is None else figure(document, self.total_time)
        errors = value_at(document, self.errors)
        return [
            self.evaluate(
                count(document, self.total),
                count(document, self.success),
                seconds,
                errors if isinstance(errors, Mapping) else {},
            )
        ]

    def evaluate(
        self, total: int, success: int, seconds: float | None, errors: Mapping[str, Any]
    ) -> AlertOutput:
        """The verdict on a batch. Pure. Raises SourceError for figures that contradict."""
        if success > total:
            raise SourceError(f"{success:,} of {total:,} items succeeded, more than there were")
        if seconds is not None and seconds < 0:
            raise SourceError(f"it took {seconds:g} s, less than no time")
        if total == 0:
            raise NoDataError("there were 0 items, so there is no success rate")
        failed, rate = total - success, success / total
        metrics: dict[str, float] = {
            "value": rate,
            "success_rate": rate,
            "total": total,
            "failed": failed,
            "threshold": self.min_success_rate,
        }
        said = [f"{success:,} of {total:,} succeeded ({rate:.2%})", f"{failed:,} failed"]
        found = {"success_rate": rate < self.min_success_rate - _SLACK}
        found["failed"] = self.max_failed is not None and failed > self.max_failed
        if seconds is not None:
            self._speed(success, seconds, metrics, said, found)
        codes = [code for code, exceeded in found.items() if exceeded]
        limits = "; ".join(self._limit(code) for code in codes)
        return AlertOutput(
            triggered=bool(codes),
            ticker=self.dataset,
            message=f"{self.named}{', '.join(said)}" + (f". Exceeded: {limits}" if limits else ""),
            suggestion=suggestion_for(errors) if "success_rate" in codes or failed else "",
            metrics=metrics,
            metadata={"code": codes, "errors": dict(errors)},
        )

    def _speed(
        self,
        success: int,
        seconds: float,
        metrics: dict[str, float],
        said: list[str],
        found: dict[str, bool],
    ) -> None:
        metrics["total_time"] = seconds
        if success == 0:
            said.append("no time for an item, as none succeeded")
            return
        each = metrics["seconds_per_item"] = seconds / success
        said.append(f"{each:.4g} s for each item")
        limit = self.max_seconds_per_item
        found["seconds_per_item"] = limit is not None and each > limit + _SLACK
        if seconds > 0:
            pace = metrics["items_per_minute"] = success / seconds * 60
            said.append(f"{pace:,.4g} items a minute")
            most = self.max_items_per_minute
            found["items_per_minute"] = most is not None and pace > most + _SLACK

    def _limit(self, code: str) -> str:
        return {
            "success_rate": f"success rate below {self.min_success_rate:.2%}",
            "failed": f"more than {counted(self.max_failed or 0, 'failure')}",
            "seconds_per_item": f"more than {self.max_seconds_per_item} s for each item",
            "items_per_minute": f"more than {self.max_items_per_minute} items a minute",
        }[code]


def suggestion_for(errors: Mapping[str, Any]) -> str:
    """The next step for failures counted by code: that of the most frequent one."""
    counts = {
        str(code): number
        for code, number in errors.items()
        if isinstance(number, int) and number > 0
    }
    if not counts:
        return _SCRAPER
    most = max(counts, key=lambda code: counts[code])
    fault = _CODES.get(most)
    return fault.next_step if fault is not None else _SCRAPER
