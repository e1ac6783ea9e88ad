"""Schedules in words: `*/5 9-16 * * 1-5` as "every 5 minutes, Mon-Fri 9-16 New York". Pure."""

import re

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_FIELDS = 5
_HOURS = re.compile(r"\d+-\d+|[\d,]*\d[\d,]*")


def cron_words(cron: str, timezone: str = "UTC") -> str:
    """A cron expression in words; the expression itself if no short sentence fits."""
    zone = timezone.rpartition("/")[2].replace("_", " ")
    fields = cron.split()
    words = _sentence(*fields) if len(fields) == _FIELDS else None
    # Without a time of day or a date, the time zone does not matter.
    return words if words and set(fields[1:]) == {"*"} else f"{words or cron} {zone}"


def interval_words(seconds: float) -> str:
    """`300` as "every 5 minutes"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return _every(int(seconds // size), unit)
    return "every second" if seconds == 1 else f"every {seconds:g} seconds"


def _sentence(minute: str, hour: str, day: str, month: str, weekday: str) -> str | None:
    days, date = _weekdays(weekday), _date(day, month)
    if days is None or date is None or (days and date):
        return None
    if minute.isdigit() and hour.replace(",", "").isdigit():
        when = days or date or "every day"
        times = ", ".join(f"{int(at)}:{int(minute):02d}" for at in hour.split(",") if at)
        return f"{when} at {times}"
    often, hours = _often(minute, hour), _hours(hour)
    if often is None or hours is None:
        return None
    limits = " ".join(part for part in (days or date, hours) if part)
    return f"{often}, {limits}" if limits else often


def _often(minute: str, hour: str) -> str | None:
    if minute == "*" and not hour.startswith("*/"):
        return "every minute"
    if (step := _step(minute, 60)) and not hour.startswith("*/"):
        return _every(step, "minute")
    if not minute.isdigit():
        return None
    past = f" at :{int(minute):02d}" if int(minute) else ""
    if step := _step(hour, 24):
        return _every(step, "hour") + past
    return None if hour.startswith("*/") else f"every hour{past}"


def _step(text: str, whole: int) -> int | None:
    """The n of `*/n` if it divides the hour or the day; otherwise the last step is shorter."""
    step = int(text[2:]) if text.startswith("*/") and text[2:].isdigit() else 0
    return step if step and whole % step == 0 else None


def _hours(hour: str) -> str | None:
    """The part of the day; "" for all of it, and if `_often` covers it."""
    if hour == "*" or (hour.startswith("*/") and hour[2:].isdigit()):
        return ""
    return hour if _HOURS.fullmatch(hour) else None


def _weekdays(text: str) -> str | None:
    """`1-5` as "Mon-Fri", `*` as ""; None for anything but days, ranges and lists of them."""
    if text == "*":
        return ""
    words = []
    for item in text.split(","):
        ends = [_weekday(end) for end in item.split("-")]
        if None in ends or len(ends) > 2:  # noqa: PLR2004
            return None
        words.append("-".join(end for end in ends if end))
    return ",".join(words)


def _weekday(text: str) -> str | None:
    if text.isdigit() and int(text) < len(_DAYS):
        return _DAYS[int(text)]
    name = text.capitalize()
    return name if name in _DAYS else None


def _date(day: str, month: str) -> str | None:
    if day == "*" and month == "*":
        return ""
    if not day.isdigit():
        return None
    if month == "*":
        return f"on day {int(day)} of the month"
    if month.isdigit() and 1 <= int(month) <= len(_MONTHS):
        return f"on {_MONTHS[int(month) - 1]} {int(day)}"
    return None


def _every(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"
