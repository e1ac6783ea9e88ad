"""What a source calls its columns, and how numbers and times are written in them."""

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sentinel_core.model.calendar import time_zones

Unit = Literal["s", "ms", "us", "ns"]
DecimalSign = Literal[".", ","]
ThousandsSign = Literal[",", ".", "'", " ", "_"]

_EXAMPLE = datetime(2026, 1, 31, 16, 45, 59, 123456, tzinfo=UTC)
_TO_THE = ("%Y-%m-%d", "%Y-%m-%d %H", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


class Columns(BaseModel):
    """The names of the source's columns, and how numbers and times are written in them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticker: str | None = Field(
        "ticker", min_length=1, description="instrument; null when the source holds only one"
    )
    time: str | None = Field(
        "time",
        min_length=1,
        description="time of the row: ISO 8601, YYYYMMDD or an epoch number, unless time_format or "
        "time_unit says otherwise; null when the rows are in order and have no time",
    )
    close: str = Field("close", min_length=1, description="price")
    volume: str = Field("volume", min_length=1, description="traded volume")
    time_format: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="how all times are written, in strptime's codes, for example %d.%m.%Y %H:%M; "
        "null: as described for time",
    )
    time_unit: Unit | None = Field(
        None,
        description="times are epoch numbers in this unit, of any year; null: as described for "
        "time, with epoch numbers from 1990 on",
    )
    timezone: str = Field(
        "UTC",
        description="zone of times that name none, for example America/New_York (IANA name)",
    )
    decimal: DecimalSign | None = Field(
        None,
        description="decimal sign of numbers written as text; null: the point, and numbers with "
        "commas are refused",
    )
    thousands: ThousandsSign | None = Field(
        None,
        description="sign between groups of three digits in numbers written as text; null: none, "
        "and numbers with one are refused",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in time_zones():
            raise ValueError(f"there is no time zone {name!r}: give an IANA name, Europe/Berlin")
        return name

    @field_validator("time_format")
    @classmethod
    def _usable_format(cls, form: str | None) -> str | None:
        if form is not None and (why := _format_fault(form)):
            raise ValueError(f"{why}: write for example %d.%m.%Y %H:%M, %m/%d/%Y or %Y%m%d%H%M%S")
        return form

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.time_format is not None and self.time_unit is not None:
            raise ValueError("give time_format or time_unit, not both")
        options = {"time_format", "time_unit", "timezone"} & self.model_fields_set
        given = sorted(name for name in options if getattr(self, name) not in (None, "UTC"))
        if self.time is None and given:
            raise ValueError(f"{given[0]}: needs a time column (time is null)")
        if self.timezone != "UTC" and self.time_unit is not None:
            raise ValueError("timezone: an epoch number has no zone; leave out timezone")
        if self.timezone != "UTC" and "%z" in (self.time_format or ""):
            raise ValueError("timezone: times in this time_format name one; leave out timezone")
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError(
                f"thousands and decimal are both {self.thousands!r}: they must differ, and the "
                "decimal sign is the point unless decimal says otherwise"
            )
        return self


def _format_fault(form: str) -> str | None:
    """Why no time can be read by this format; None if it can."""
    if "%Z" in form:
        return "%Z: names such as EST are ambiguous; use %z for +0100, or timezone"
    try:
        back = datetime.strptime(_EXAMPLE.strftime(form), form).replace(tzinfo=UTC)
    except ValueError as error:
        return f"{form!r} is not a format of strptime ({error})"
    rounded = [datetime.strptime(_EXAMPLE.strftime(to), to).replace(tzinfo=UTC) for to in _TO_THE]
    if back in (_EXAMPLE, *rounded):
        return None
    return f"{form!r} does not say the year, month and day, or says the hour without %p"
