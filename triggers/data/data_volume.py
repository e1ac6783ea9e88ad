"""The number of rows of a table. Measures; decides nothing about events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.model.calendar import time_zones
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.wording.text import counted
from triggers.sources.checked import SourceCheck
from triggers.sources.table import Table

_MOST_PAST = 5_000


class Baseline(BaseModel):
    """The range as it was: around the median of earlier counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Literal["last", "weekday"] = Field(
        "last", description="last: the latest counts; weekday: the last of each same weekday"
    )
    counts: int = Field(10, ge=1, le=365, description="how many earlier counts the median is of")
    at_least: int = Field(3, ge=1, le=365, description="with fewer nothing is judged yet")
    tolerance: float = Field(
        0.5, gt=0, le=100, description="how far a count may be from the median: 0.5 is 50 %"
    )
    timezone: str = Field("UTC", description="whose weekdays, as an IANA name")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in time_zones():
            raise ValueError(f"there is no time zone {name!r}: give an IANA name, Europe/Berlin")
        return name

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.at_least > self.counts:
            raise ValueError("at_least: is more than `counts`, so nothing would ever be judged")
        return self


class DataVolume(SourceCheck):
    """A table has fewer or more rows than expected: a fixed range, or what it had before."""

    display_name: ClassVar[str] = "Data volume"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"

    min: Annotated[int, Field(ge=0)] = Field(300, description="fewest expected rows")
    max: Annotated[int, Field(ge=0)] | None = Field(
        500, description="most expected rows; null: no limit"
    )
    baseline: Baseline | None = Field(
        None, description="expect what earlier counts were instead of min to max"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max is not None and self.min > self.max:
            raise ValueError("min: is above max")
        return self

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output. Raises HistoryUnavailableError for a baseline that can't be read."""
        past = history.latest(_MOST_PAST, self.dataset) if self.baseline is not None else ()
        return [self.evaluate(table.count(), past, datetime.now(UTC))]

    def evaluate(self, rows: int, past: Sequence[PastEvaluation], now: datetime) -> AlertOutput:
        """The verdict on a number of rows; `past` is newest first. Pure."""
        least, most = float(self.min), float("inf") if self.max is None else float(self.max)
        metrics: dict[str, float] = {"value": rows, "rows": rows}
        if self.baseline is not None:
            earlier = _earlier(self.baseline, past, now)
            if len(earlier) < self.baseline.at_least:
                return AlertOutput(
                    triggered=False,
                    ticker=self.dataset,
                    message=f"{self.named}{counted(rows, 'row')}; not judged yet: "
                    f"{len(earlier)} of {self.baseline.at_least} earlier counts",
                    metrics=metrics,
                    metadata={"code": "learning", "earlier": earlier},
                )
            middle = metrics["baseline"] = float(median(earlier))
            least = middle * max(0.0, 1 - self.baseline.tolerance)
            most = middle * (1 + self.baseline.tolerance)
        metrics |= {"expected_min": least, "delta_min": rows - least}
        if most != float("inf"):
            metrics |= {"expected_max": most, "delta_max": rows - most}
        return AlertOutput(
            triggered=not least <= rows <= most,
            ticker=self.dataset,
            message=f"{self.named}{counted(rows, 'row')}, expected {_range(least, most)}"
            f"{self._source_of_range(metrics)}: {_deltas(rows, least, most)}",
            metrics=metrics,
            metadata={"unit": "rows"},
        )

    def _source_of_range(self, metrics: dict[str, float]) -> str:
        if self.baseline is None:
            return ""
        what = "same weekdays" if self.baseline.of == "weekday" else "latest counts"
        return (
            f" (median {_count(metrics['baseline'])} of the {what} ± {self.baseline.tolerance:.0%})"
        )


def _earlier(baseline: Baseline, past: Sequence[PastEvaluation], now: datetime) -> list[float]:
    """The earlier counts that the median is taken of, newest first."""
    counts = [(one.at, one.metrics["rows"]) for one in past if "rows" in one.metrics]
    if baseline.of == "last":
        return [rows for _, rows in counts[: baseline.counts]]
    zone = ZoneInfo(baseline.timezone)
    today = now.astimezone(zone).date()
    newest: dict[object, float] = {}
    for at, rows in counts:
        day = at.astimezone(zone).date()
        if day != today and day.weekday() == today.weekday():
            newest.setdefault(day, rows)
    return list(newest.values())[: baseline.counts]


def _range(least: float, most: float) -> str:
    if most == float("inf"):
        return f"at least {_count(least)}"
    return f"{_count(least)} to {_count(most)}"


def _deltas(rows: int, least: float, most: float) -> str:
    lower = f"{_signed(rows - least)} against the minimum"
    return lower if most == float("inf") else f"{lower}, {_signed(rows - most)} against the maximum"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def _signed(number: float) -> str:
    return f"{'+' if number >= 0 else '−'}{_count(abs(number))}"
