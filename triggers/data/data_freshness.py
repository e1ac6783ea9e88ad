"""The age of the newest row of a table. Measures; decides nothing about events."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.model.times import span
from triggers.sources.checked import SourceCheck
from triggers.sources.columns import Columns, Unit
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.sessions import open_seconds
from triggers.sources.table import Table

_CLOCK_SKEW = timedelta(minutes=5)


class DataFreshness(SourceCheck):
    """The newest row of a table is too old, by the clock or in hours of an exchange."""

    display_name: ClassVar[str] = "Data freshness"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"

    time_column: str = Field(min_length=1, description="the column with the time of a row")
    max_age_seconds: float = Field(
        86_400, gt=0, allow_inf_nan=False, description="how old the newest row may be"
    )
    calendar: str | None = Field(
        None,
        pattern=r"^[A-Z0-9_/]+$",
        description="count only the hours in which this exchange is open, such as XNYS "
        "(extra `[data]`); null: all hours",
    )
    time_format: str | None = Field(
        None, max_length=100, description="how text times are written, in strptime's codes"
    )
    time_unit: Unit | None = Field(None, description="times are epoch numbers in this unit")
    timezone: str = Field("UTC", description="zone of times that name none (IANA name)")

    def _times(self) -> Columns:
        return Columns(
            ticker=None,
            time=self.time_column,
            time_format=self.time_format,
            time_unit=self.time_unit,
            timezone=self.timezone,
        )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self._times()  # raises for options that do not fit together
        return self

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output. Raises NoDataError for a table without times."""
        del history
        newest = table.newest(self._times())
        if newest is None:
            raise NoDataError(f"the column {self.time_column!r} has no times")
        return [self.evaluate(newest, datetime.now(UTC))]

    def evaluate(self, newest: datetime, now: datetime) -> AlertOutput:
        """The verdict on the newest time. Raises SourceError for one in the future."""
        if newest - now > _CLOCK_SKEW:
            raise SourceError(
                f"the newest row, {newest.isoformat()}, lies in the future: times without a zone "
                f"are read as {self.timezone} (timezone)"
            )
        wall = max((now - newest).total_seconds(), 0.0)
        age, where = wall, ""
        if self.calendar is not None:
            age = open_seconds(self.calendar, min(newest, now), now)
            where = f" in which {self.calendar} was open ({span(wall)} by the clock)"
        stale = age > self.max_age_seconds
        return AlertOutput(
            triggered=stale,
            ticker=self.dataset,
            message=f"{self.named}the newest row, {newest:%F %T} UTC, is {span(age)} old{where}, "
            f"{'more than' if stale else 'allowed are'} {span(self.max_age_seconds)}",
            metrics={
                "value": age,
                "age_seconds": age,
                "wall_age_seconds": wall,
                "threshold": self.max_age_seconds,
            },
            metadata={"unit": "s", "newest": newest.isoformat(), "calendar": self.calendar},
        )
