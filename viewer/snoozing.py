"""Until when, or until which value, an event is snoozed. Pure."""

from datetime import datetime, time, timedelta, tzinfo

from sentinel_core.decide.snooze import limits_of

RESOLVED, TYPED, CROSSED = "until it resolves", "until a time", "until a value"
_LENGTHS = {"1 h": timedelta(hours=1), "4 h": timedelta(hours=4)}
_MORNING = "tomorrow 9:00"
TIMES = (*_LENGTHS, _MORNING, TYPED)
CHOICES = (*_LENGTHS, _MORNING, RESOLVED, TYPED, CROSSED)
ABOVE, BELOW = "above", "below"
SIDES = (ABOVE, BELOW)


def snoozed_until(
    chosen: str, typed: datetime | None, now: datetime, where: tzinfo
) -> datetime | None:
    """The end of a snooze; None for one that holds until the event ends.

    Raises ValueError for a time that is missing or over.
    """
    if chosen == RESOLVED:
        return None
    if chosen in _LENGTHS:
        return now + _LENGTHS[chosen]
    if chosen == _MORNING:
        tomorrow = now.astimezone(where).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time(9), where)
    if chosen != TYPED or typed is None:
        raise ValueError("say until when")
    until = typed if typed.tzinfo else typed.replace(tzinfo=where)
    if until <= now:
        raise ValueError(f"{until:%F %R} is over already")
    return until


def snoozed_up_to(side: str, typed: float | None) -> dict[str, float]:
    """The limit of a snooze, by the side of it on which the value ends the snooze.

    Raises ValueError for a limit that is missing or that no value can cross.
    """
    if side not in SIDES or typed is None:
        raise ValueError("say the value")
    limits_of(typed, None)
    return {side: typed}
