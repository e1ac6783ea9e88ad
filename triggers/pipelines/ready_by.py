"""A time of day by which a run must have completed, as rules write it."""

from datetime import time
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sentinel_core.model.calendar import holidays_of, time_zones
from triggers.pipelines.promises import Deadline

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SOME_YEAR = 2026


class ReadyBy(BaseModel):
    """A time of day by which a run must have completed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="time of day, as 06:30")
    timezone: str = Field("UTC", description="time zone of that time, as Europe/Berlin")
    days: list[Day] = Field(list(_DAYS), min_length=1, description="on these days of the week")
    calendar: str | None = Field(
        None,
        max_length=20,
        description="not on its holidays: an exchange or a country, as NYSE, DE or DE-BY",
    )
    within_hours: float = Field(
        12, gt=0, le=168, description="a run counts that completed at most this long before"
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in time_zones():
            raise ValueError(f"there is no time zone {name!r}")
        return name

    @model_validator(mode="after")
    def _has_calendar(self) -> Self:
        if self.calendar is not None:
            holidays_of(self.calendar, _SOME_YEAR)
        return self

    @property
    def deadline(self) -> Deadline:
        """The same for computing with."""
        days = frozenset(_DAYS.index(day) for day in self.days)
        zone = ZoneInfo(self.timezone)
        return Deadline(time.fromisoformat(self.time), zone, days, self.calendar)
