"""Silences and inhibition: which events are muted, and why. Pure: no clock, no database."""

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
    """What silences and inhibition match: the rule, ticker, category and so on of an event."""

    rule: str
    ticker: str
    category: str
    importance: Importance
    tags: tuple[str, ...] = ()
    kind: str = "alert"


def _like(text: str, pattern: str) -> bool:
    """Match `*` and `?` only; a bracket is a plain character, as tickers contain them."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


class Matchers(BaseModel):
    """Which events a silence mutes: every matcher that is set must match.

    `*` stands for any text, `?` for any character. Raises ValueError when no matcher is set: to
    mute everything, write `rule: "*"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Pattern | None = None
    ticker: Pattern | None = None
    category: Pattern | None = None
    tag: Pattern | None = None
    importance: Annotated[tuple[Importance, ...], Field(max_length=4)] = ()
    kind: Pattern | None = None

    @model_validator(mode="after")
    def _has_matcher(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError('a silence needs a matcher; rule: "*" is everything')
        return self

    def matches(self, subject: Subject) -> bool:
        """True if every matcher that is set matches."""
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
        """In words: `rule disk-*, importance low or medium`."""
        given = self.model_dump(exclude_defaults=True, exclude={"importance"})
        parts = [f"{name} {value}" for name, value in given.items()]
        if self.importance:
            parts.append("importance " + " or ".join(self.importance))
        return ", ".join(parts)


class Days(StrEnum):
    """The days of a calendar that a recurring window applies to."""

    ALL = "all"
    TRADING = "trading"  # no holiday, no Saturday, no Sunday
    HOLIDAYS = "holidays"


class Recurrence(BaseModel):
    """A recurring window: on these weekdays, from one time of day to another, in a time zone.

    If `end` is not after `start`, the window ends on the next day. `outside` inverts it: muted
    outside the window (`09:30`-`16:00`, trading days of NYSE: muted while the market is shut).
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
        """True if the window mutes at this (aware) time."""
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
        """In words: `mon, fri 22:00-06:00 Europe/Berlin`."""
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
    """A mute: of which events, from when to when, by whom and why.

    `ended_at` is when somebody ended it before its time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = 0
    matchers: Matchers
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    author: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_text)]
    comment: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(clean_text)]
    recurrence: Recurrence | None = None
    ended_at: AwareDatetime | None = None

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
        """True if it mutes at this time, its recurrence included."""
        inside = self.starts_at <= at < (self.ended_at or self.ends_at)
        return inside and (self.recurrence is None or self.recurrence.covers(at))

    def sentence(self) -> str:
        """The reason that the record gives for muting."""
        until = "" if self.recurrence else f" until {self.ends_at.astimezone(UTC):%F %R} UTC"
        return f"silenced by {self.author}{until}: {self.comment}"


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """A firing series of a rule that inhibits others."""

    rule: str
    ticker: str
    inhibits: Sequence[Inhibition]

    def mutes(self, subject: Subject) -> bool:
        """True if this subject is muted while the series fires. A rule never mutes itself."""
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
    """Why this subject is muted at this time; None if it is not."""
    for silence in silences:
        if silence.active(at) and silence.matchers.matches(subject):
            return Suppression(SuppressionCode.SILENCED, silence.sentence())
    for inhibitor in inhibitors:
        if inhibitor.mutes(subject):
            on = f" on {inhibitor.ticker}" if inhibitor.ticker else ""
            sentence = f"inhibited: {inhibitor.rule} fires{on}"
            return Suppression(SuppressionCode.INHIBITED, sentence)
    return None
