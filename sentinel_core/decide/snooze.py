"""When an acknowledgement ends by itself: at a time, or once the value crosses a limit. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sentinel_core.model.reasons import NotifyReason

_VALUE = "value"


class Limits(NamedTuple):
    """The values beyond which an acknowledgement no longer holds."""

    above: float | None = None
    below: float | None = None

    def crossed(self, value: float | None) -> str:
        """The limit that a value has crossed, in words; "" if none, or if there is no value."""
        if value is None:
            return ""
        if self.above is not None and value > self.above:
            return f"the value {number(value)} is above {number(self.above)}"
        if self.below is not None and value < self.below:
            return f"the value {number(value)} is below {number(self.below)}"
        return ""


class SnoozeEnd(NamedTuple):
    """The end of an acknowledgement that nobody took back: the code decides."""

    code: NotifyReason
    sentence: str


TIME_OVER = SnoozeEnd(NotifyReason.ACKNOWLEDGEMENT_ENDED, "the time of the acknowledgement is over")


def number(value: float) -> str:
    """`95`, `1,234.5`."""
    return f"{value:,.10g}"


def value_of(metrics: Mapping[str, float]) -> float | None:
    """The value that an event is about: the metric `value`, else its only one; None without."""
    if _VALUE in metrics:
        return metrics[_VALUE]
    return next(iter(metrics.values())) if len(metrics) == 1 else None


def limits_of(above: float | None, below: float | None) -> Limits | None:
    """The limits of an acknowledgement; None without any.

    Raises ValueError for what is not a finite number, and for limits between which no value is.
    """
    for side, limit in (("above", above), ("below", below)):
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise ValueError(f"{side} {str(limit)[:40]!r} is not a number")  # noqa: TRY004
        if not math.isfinite(limit):
            raise ValueError(f"{side} {limit} is not a number that a value can cross")
    if above is None and below is None:
        return None
    if above is not None and below is not None and below > above:
        raise ValueError(
            f"every value is above {number(above)} or below {number(below)}: "
            "nothing would be acknowledged"
        )
    return Limits(above, below)


def refusal(limits: Limits, event: Mapping[str, Any]) -> str | None:
    """Why an event can't be acknowledged until its value crosses a limit; None if it can."""
    name = f"event {event['id']}"
    if event["resolved_at"] is not None:
        return f"{name} has ended: no value will follow"
    value = value_of(event["metrics"] or {})
    if value is None:
        return f"{name} has no value that could cross a limit"
    if crossed := limits.crossed(value):
        return f"of {name}, {crossed} already"
    return None


def ended(
    until: datetime | None, limits: Limits | None, at: datetime, metrics: Mapping[str, float]
) -> SnoozeEnd | None:
    """The end of an acknowledgement that a run finds; None while it holds."""
    if limits is not None and (crossed := limits.crossed(value_of(metrics))):
        return SnoozeEnd(NotifyReason.VALUE_CROSSED, crossed)
    return TIME_OVER if until is not None and until <= at else None
