"""Time in which an exchange is open. exchange_calendars is an extra (`[data]`, `[market]`)."""

import warnings
from datetime import datetime, timedelta
from typing import Any

from triggers.sources.errors import SourceError


def known_calendar(name: str) -> Any:
    """The calendar of an exchange by its code, such as XNYS. Raises SourceError."""
    try:
        import exchange_calendars
        from exchange_calendars.errors import InvalidCalendarName
    except ImportError as error:
        raise SourceError(
            "exchange_calendars is not installed where the check runs: "
            "pip install 'prefect-sentinel[data]' or 'prefect-sentinel[market]'"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what newer versions of pandas tell its authors
            return exchange_calendars.get_calendar(name)
    except InvalidCalendarName as error:
        raise SourceError(
            f"there is no exchange calendar {name!r}: give a code such as XNYS or XETR"
        ) from error


def open_seconds(name: str, start: datetime, end: datetime) -> float:
    """The seconds between two times in which the exchange was open, breaks left out.

    Raises SourceError for times that its calendar does not reach.
    """
    import pandas as pd

    calendar = known_calendar(name)
    first, last = pd.Timestamp(start.date()), pd.Timestamp(end.date()) + timedelta(days=1)
    if first < calendar.first_session or end.date() > calendar.last_session.date():
        raise SourceError(
            f"the calendar {name} reaches from {calendar.first_session.date()} to "
            f"{calendar.last_session.date()}"
        )
    # A session of Asia's or of the futures' exchanges may begin on the day before, in UTC.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        days = calendar.schedule.loc[first - timedelta(days=1) : last]
    begin, finish = pd.Timestamp(start), pd.Timestamp(end)
    seconds = 0.0
    for day in days.itertuples():
        seconds += _overlap(begin, finish, day.open, day.close)
        if not pd.isna(day.break_start):
            seconds -= _overlap(begin, finish, day.break_start, day.break_end)
    return seconds


def _overlap(start: Any, end: Any, opens: Any, closes: Any) -> float:
    return max(0.0, float((min(end, closes) - max(start, opens)).total_seconds()))
