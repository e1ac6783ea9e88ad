"""The part of an exchange's sessions in which a rule checks: half days and holidays included."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sentinel_core import AlertOutput, History
from sentinel_core.model.trigger import PastEvaluation
from triggers.sources.errors import SourceError
from triggers.sources.sessions import known_calendar

Edge = Annotated[str, StringConstraints(pattern=r"^(open|close)([+-][0-9]{1,4}[smh])?$")]
"""`open`, `close`, or so long before or after: `open+5m`, `close-15m`."""
WHOLE: tuple[str, str] = ("open", "close")

_EDGE = re.compile(r"(open|close)(?:([+-]\d+)([smh]))?")
_SECONDS = {"s": 1, "m": 60, "h": 3_600}
_AHEAD = timedelta(days=14)  # longer than any exchange is closed
_KEY = "session"  # in the evidence: the day of the session
_REMEMBERED = 2_000  # evaluations of a ticker that are looked through for its sessions


class Sessions(BaseModel):
    """The sessions of an exchange in which a rule checks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calendar: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_/]+$", max_length=40)] = Field(
        description="code of the exchange, such as XNYS or XETR"
    )
    window: tuple[Edge, Edge] = Field(
        WHOLE,
        description="part of each session in which the rule checks, like [open+5m, close-15m]",
    )
    breaches: int = Field(
        1, ge=1, le=60, description="sessions in a row that have to breach before it triggers"
    )
    age_in_sessions: bool = Field(
        False, description="count for max_age_seconds only time in which the exchange is open"
    )

    def closed_reason(self, at: datetime) -> str | None:
        """Why a rule does not check at this time; None if it does. Raises SourceError."""
        return closed_reason(self.calendar, self.window, at)

    def judged(self, output: AlertOutput, history: History, now: datetime) -> AlertOutput:
        """The output with its session; triggered once enough sessions in a row have breached."""
        if output.problem is not None:
            return output
        changed: dict[str, Any] = {
            "metadata": {**output.metadata, _KEY: session_of(self.calendar, now)},
            "metrics": {**output.metrics, "breached": float(output.triggered)},
        }
        if output.triggered and self.breaches > 1:
            past = history.latest(_REMEMBERED, output.ticker)
            count = sessions_in_a_row(self.calendar, now, past, self.breaches)
            changed["metrics"]["breached_sessions"] = float(count)
            changed["triggered"] = count >= self.breaches
            changed["message"] = f"{output.message}; {count} of {self.breaches} sessions in a row"
        return output.model_copy(update=changed)


@dataclass(frozen=True, slots=True)
class Session:
    """One session's window: its day, and from when to when a rule checks in it.

    `pauses` are the break of the session, if it has one. A window that a half day leaves no room
    for is empty: it ends before it starts.
    """

    day: str
    start: datetime
    end: datetime
    pauses: tuple[datetime, datetime] | None = None

    def has(self, at: datetime) -> bool:
        """True if a rule checks at this time."""
        if not self.start <= at <= self.end:
            return False
        return self.pauses is None or not self.pauses[0] <= at < self.pauses[1]


def sessions(name: str, window: tuple[str, str], start: datetime, end: datetime) -> list[Session]:
    """The windows of the sessions between two days, in order. Raises SourceError."""
    import pandas as pd

    calendar = known_calendar(name)
    first, last = pd.Timestamp(start.date()), pd.Timestamp(end.date())
    if first < calendar.first_session or last > calendar.last_session:
        raise SourceError(
            f"the calendar {name} reaches from {calendar.first_session.date()} to "
            f"{calendar.last_session.date()}, and not to {start.date()} or {end.date()}: "
            "upgrade exchange_calendars"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what newer versions of pandas tell its authors
        days = calendar.schedule.loc[first:last]
    return [_session(day, window) for day in days.itertuples()]


def closed_reason(name: str, window: tuple[str, str], at: datetime) -> str | None:
    """Why a rule does not check at this time, with its next session; None if it does.

    Raises SourceError.
    """
    near = sessions(name, window, at - timedelta(days=1), at + _AHEAD)
    if any(session.has(at) for session in near):
        return None
    coming = [session for session in near if session.end > at and session.end > session.start]
    where = name if window == WHOLE else f"{name} from {window[0]} to {window[1]}"
    if not coming:
        return f"Not due: outside of the sessions of {where}; no session in {_AHEAD.days} days."
    following = coming[0]
    starts = following.start
    if following.pauses is not None and following.start <= at:
        starts = following.pauses[1]
    return (
        f"Not due: outside of the sessions of {where}. Next due in the session of "
        f"{following.day}, {starts:%F %R} to {following.end:%F %R} UTC."
    )


def session_of(name: str, at: datetime) -> str:
    """The day of the session at this time; of the last one before, if there is none."""
    days = sessions(name, WHOLE, at - _AHEAD, at + timedelta(days=1))
    begun = [session.day for session in days if session.start <= at]
    if not begun:
        raise SourceError(f"{name} had no session in the {_AHEAD.days} days before {at:%F %R} UTC")
    return begun[-1]


def sessions_in_a_row(name: str, at: datetime, past: Sequence[PastEvaluation], most: int) -> int:
    """How many sessions in a row have breached, this one included, up to `most`.

    `past` are evaluations of one ticker, newest first. A session counts as its last evaluation
    has it; one without an evaluation ends the row.
    """
    newest: dict[str, bool] = {}
    for evaluation in past:
        day = evaluation.metadata.get(_KEY)
        if isinstance(day, str):
            newest.setdefault(day, evaluation.metrics.get("breached") == 1)
    days = sessions(name, WHOLE, at - timedelta(days=3 * most + 14), at + timedelta(days=1))
    begun = [session.day for session in days if session.start <= at][:-1]
    count = 1
    while count < most and begun and newest.get(begun.pop(), False):
        count += 1
    return count


def _session(day: Any, window: tuple[str, str]) -> Session:
    import pandas as pd

    opens, closes = _utc(day.open), _utc(day.close)
    start, end = (_edge(written, opens, closes) for written in window)
    pauses = None if pd.isna(day.break_start) else (_utc(day.break_start), _utc(day.break_end))
    return Session(f"{day.Index:%F}", start, end, pauses)


def _edge(written: str, opens: datetime, closes: datetime) -> datetime:
    match = _EDGE.fullmatch(written)
    assert match is not None  # the field's pattern
    moment = opens if match[1] == "open" else closes
    seconds = int(match[2]) * _SECONDS[match[3]] if match[2] else 0
    return moment + timedelta(seconds=seconds)


def _utc(moment: Any) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)
