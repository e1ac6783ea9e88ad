"""When an acknowledgement ends by itself, and which ones can't begin."""

from datetime import datetime
from typing import Any

import pytest

from sentinel_core.decide.snooze import (
    TIME_OVER,
    Limits,
    SnoozeEnd,
    ended,
    limits_of,
    refusal,
    value_of,
)
from sentinel_core.model.reasons import NotifyReason
from tests.support.runs import at

INF, NAN = float("inf"), float("nan")
CROSSED = NotifyReason.VALUE_CROSSED


@pytest.mark.parametrize(
    ("metrics", "value"),
    [
        ({"value": 1.5, "threshold": 1.0}, 1.5),
        ({"value": 0.0}, 0.0),
        ({"rows": 7.0}, 7.0),
        ({"rows": 7.0, "columns": 3.0}, None),
        ({}, None),
    ],
)
def test_the_value_of_an_event(metrics: dict[str, float], value: float | None) -> None:
    assert value_of(metrics) == value


@pytest.mark.parametrize(
    ("limits", "value", "words"),
    [
        (Limits(above=95), 95.5, "the value 95.5 is above 95"),
        (Limits(above=95), 95, ""),
        (Limits(above=95), -1, ""),
        (Limits(below=10), 9.99, "the value 9.99 is below 10"),
        (Limits(below=10), 10, ""),
        (Limits(95, 10), 1234567, "the value 1,234,567 is above 95"),
        (Limits(95, 10), 3, "the value 3 is below 10"),
        (Limits(95, 10), 50, ""),
        (Limits(above=95), None, ""),
    ],
)
def test_a_limit_is_crossed_by_what_is_beyond_it(
    limits: Limits, value: float | None, words: str
) -> None:
    assert limits.crossed(value) == words


@pytest.mark.parametrize(
    ("above", "below", "limits"),
    [
        (None, None, None),
        (95, None, Limits(95, None)),
        (None, -0.5, Limits(None, -0.5)),
        (95, 95, Limits(95, 95)),
    ],
)
def test_limits(above: float | None, below: float | None, limits: Limits | None) -> None:
    assert limits_of(above, below) == limits


@pytest.mark.parametrize(
    ("above", "below", "why"),
    [
        (NAN, None, "above nan is not a number that a value can cross"),
        (None, INF, "below inf is not"),
        (None, -INF, "below -inf is not"),
        ("95", None, "above '95' is not a number"),
        (True, None, "above 'True' is not a number"),
        (1, 2, "every value is above 1 or below 2: nothing would be acknowledged"),
    ],
)
def test_a_limit_that_no_value_can_cross_is_refused(above: Any, below: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        limits_of(above, below)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({}, None),
        ({"metrics": {"value": 95}}, None),
        ({"metrics": {}}, "event 7 has no value that could cross a limit"),
        ({"metrics": None}, "event 7 has no value that could cross a limit"),
        ({"metrics": {"value": 96}}, "of event 7, the value 96 is above 95 already"),
        ({"resolved_at": at(3)}, "event 7 has ended: no value will follow"),
    ],
)
def test_an_event_of_which_no_value_will_cross_is_refused(
    event: dict[str, Any], why: str | None
) -> None:
    whole = {"id": 7, "resolved_at": None, "metrics": {"value": 90}, **event}
    assert refusal(Limits(above=95), whole) == why


@pytest.mark.parametrize(
    ("until", "limits", "end"),
    [
        (None, None, None),
        (at(11), None, None),
        (at(10), None, TIME_OVER),
        (None, Limits(above=95), SnoozeEnd(CROSSED, "the value 97 is above 95")),
        (None, Limits(above=98), None),
        (at(10), Limits(above=98), TIME_OVER),
        (at(10), Limits(above=95), SnoozeEnd(CROSSED, "the value 97 is above 95")),
        (at(11), Limits(below=95), None),
    ],
)
def test_an_acknowledgement_ends_with_whatever_comes_first(
    until: datetime | None, limits: Limits | None, end: SnoozeEnd | None
) -> None:
    assert ended(until, limits, at(10), {"value": 97}) == end
