"""Silences and inhibition: who may not be told of what, and why. Pure: no clock, no database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from sentinel_core.model.alert import Importance
from sentinel_core.model.calendar import holidays_of, time_zones
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.rule import Inhibition

Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_text)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as far as silences and inhibition ask."""

    rule: str
    ticker: str
    category: str
    importance: Importance
    tags: tuple[str, ...] = ()
    kind: str = "alert"


def _like(text: str, pattern: str) -> bool:
    """`*` and `?` only: a bracket stands for itself, as tickers have them."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


class Matchers(BaseModel):
    """Which events: all that is given must match. `*` and `?` stand for any text and any letter.

    Raises ValueError when nothing is given: to mute everything, say `rule: "*"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Pattern | None = None
    ticker: Pattern | None = None
    category: Pattern | None = None
    tag: Pattern | None = None
    importance: Annotated[tuple[Importance, ...], Field(max_length=4)] = ()
    kind: Pattern | None = None

    @model_validator(mode="after")
    def _say_something(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError('a silence needs a matcher; rule: "*" is everything')
        return self

    def matches(self, subject: Subject) -> bool:
        """Do all of these match?"""
        if self.importance and subject.importance not in self.importance:
            return False
        if self.tag is not None and not any(_like(tag, self.tag) for tag in subject.tags):
            return False
        patterns = (
            (self.rule, subject.rule),
            (self.ticker, subject.ticker),
            (self.category, subject.category),
            (self.kind, subject.kind),
        )
        return all(pattern is None or _like(text, pattern) for pattern, text in patterns)

    def words(self) -> str:
        """As people read it: `rule disk-*, importance low or medium`."""
        given = self.model_dump(exclude_defaults=True, exclude={"importance"})
        parts = [f"{name} {value}" for name, value in given.items()]
        if self.importance:
            parts.append("importance " + " or ".join(self.importance))
        return ", ".join(parts)


class Days(StrEnum):
    """Which days of a calendar a recurring window is about."""

    ALL = "all"
    TRADING = "trading"  # no holiday, no Saturday, no Sunday
    HOLIDAYS = "holidays"


class Recurrence(BaseModel):
    """A window that comes again: on these weekdays, from one time of day to another, in a zone.

    `end` not after `start` means: until the next day. `outside` turns it around: muted when the
    window is not (`09:30`-`16:00` outside, trading days of NYSE: muted while the market is shut).
    `calendar` is an exchange or a country (NYSE, ECB, DE, US, …) as the `holidays` library has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: time = time(0, 0)
    end: time = time(0, 0)
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)] = WEEKDAYS
    timezone: str = "UTC"
    calendar: Annotated[str, Field(max_length=20)] | None = None
    days: Days = Days.ALL
    outside: bool = False

    @field_validator("start", "end")
    @classmethod
    def _local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of day without an offset; `timezone` says where")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError(f"there is no time zone {value!r}")
        return value

    @model_validator(mode="after")
    def _has_calendar(self) -> Self:
        if self.days is not Days.ALL and self.calendar is None:
            raise ValueError(f"`days: {self.days}` needs a `calendar`")
        if self.calendar is not None:
            holidays_of(self.calendar, 2026)
        return self

    def covers(self, at: datetime) -> bool:
        """Is this moment (aware) one at which the window mutes?"""
        return self._inside(at.astimezone(ZoneInfo(self.timezone))) is not self.outside

    def _inside(self, local: datetime) -> bool:
        now, today = local.time().replace(tzinfo=None), local.date()
        if self.start < self.end:
            return self._is_day(today) and self.start <= now < self.end
        # Over midnight: the window belongs to the day on which it began.
        began_today = self._is_day(today) and now >= self.start
        return began_today or (self._is_day(today - timedelta(days=1)) and now < self.end)

    def _is_day(self, day: date) -> bool:
        if WEEKDAYS[day.weekday()] not in self.weekdays:
            return False
        if self.days is Days.ALL or self.calendar is None:
            return True
        holiday = day in holidays_of(self.calendar, day.year)
        if self.days is Days.HOLIDAYS:
            return holiday
        return not holiday and day.weekday() < WEEKDAYS.index("sat")

    def words(self) -> str:
        """As people read it: `mon-fri 22:00-06:00 Europe/Berlin`."""
        all_week = self.weekdays == WEEKDAYS
        parts = [] if all_week else [", ".join(self.weekdays)]
        if self.start != self.end:
            parts.append(f"{self.start:%H:%M}-{self.end:%H:%M}")
        elif all_week and self.days is Days.ALL:
            parts.append("all day")
        if self.days is not Days.ALL:
            parts.append(
                f"{self.days} days of {self.calendar}".replace("holidays days", "holidays")
            )
        parts.append(self.timezone)
        return ("outside " if self.outside else "") + " ".join(parts)


class SilenceState(StrEnum):
    """Whether a silence has begun and has ended. A recurring one is active in between."""

    ACTIVE = "active"
    UPCOMING = "upcoming"
    EXPIRED = "expired"


class Silence(BaseModel):
    """A mute: for what, from when to when, who says so and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = 0
    matchers: Matchers
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    author: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_text)]
    comment: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(clean_text)]
    recurrence: Recurrence | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("a silence ends after it starts")
        return self

    def state(self, at: datetime) -> SilenceState:
        """Upcoming before it starts, active until it ends, then expired."""
        if self.ends_at <= at:
            return SilenceState.EXPIRED
        return SilenceState.UPCOMING if self.starts_at > at else SilenceState.ACTIVE

    def active(self, at: datetime) -> bool:
        """Does it mute at this moment?"""
        inside = self.starts_at <= at < self.ends_at
        return inside and (self.recurrence is None or self.recurrence.covers(at))

    def sentence(self) -> str:
        """Why nobody is told, in words."""
        until = "" if self.recurrence else f" until {self.ends_at.astimezone(UTC):%F %R} UTC"
        return f"silenced by {self.author}{until}: {self.comment}"


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """A series that fires, of a rule that inhibits others."""

    rule: str
    ticker: str
    inhibits: Sequence[Inhibition]

    def mutes(self, subject: Subject) -> bool:
        """Is nobody told of this subject while the series fires?"""
        if subject.rule == self.rule:
            return False
        return any(
            _like(subject.rule, inhibition.rule)
            and (not inhibition.same_ticker or subject.ticker == self.ticker)
            for inhibition in self.inhibits
        )


def muted(
    subject: Subject,
    at: datetime,
    silences: Iterable[Silence],
    inhibitors: Iterable[Inhibitor] = (),
) -> Suppression | None:
    """Why nobody is told of this just now; None when people are."""
    for silence in silences:
        if silence.active(at) and silence.matchers.matches(subject):
            return Suppression(SuppressionCode.SILENCED, silence.sentence())
    for inhibitor in inhibitors:
        if inhibitor.mutes(subject):
            on = f" on {inhibitor.ticker}" if inhibitor.ticker else ""
            sentence = f"inhibited: {inhibitor.rule} fires{on}"
            return Suppression(SuppressionCode.INHIBITED, sentence)
    return None
