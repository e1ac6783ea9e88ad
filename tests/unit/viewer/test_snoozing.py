"""Until when an event is snoozed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.recorded import NOON
from viewer.snoozing import CHOICES, RESOLVED, SIDES, TIMES, TYPED, snoozed_until, snoozed_up_to

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("chosen", "until"),
    [
        ("1 h", NOON + timedelta(hours=1)),
        ("4 h", NOON + timedelta(hours=4)),
        ("tomorrow 9:00", datetime(2026, 11, 21, 9, tzinfo=BERLIN)),
        (RESOLVED, None),
    ],
)
def test_each_choice_ends_when_it_says(chosen: str, until: datetime | None) -> None:
    assert chosen in CHOICES
    assert snoozed_until(chosen, None, NOON, BERLIN) == until


def test_tomorrow_is_that_of_the_persons_zone() -> None:
    late = NOON.replace(hour=23, minute=30)  # the 21st in Berlin
    until = snoozed_until("tomorrow 9:00", None, late, BERLIN)
    assert until == datetime(2026, 11, 22, 9, tzinfo=BERLIN)


def test_a_typed_time_is_that_of_the_persons_zone() -> None:
    typed = datetime(2026, 11, 20, 14)  # noqa: DTZ001
    assert snoozed_until(TYPED, typed, NOON, BERLIN) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("chosen", "typed", "why"),
    [
        (TYPED, None, "say until when"),
        ("for ever", None, "say until when"),
        (TYPED, NOON, "over already"),
        (TYPED, datetime(1, 1, 1), "over already"),  # noqa: DTZ001
    ],
)
def test_a_time_that_is_missing_or_over_is_refused(
    chosen: str, typed: datetime | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        snoozed_until(chosen, typed, NOON, BERLIN)


def test_a_silence_is_offered_times_only() -> None:
    assert set(TIMES) < set(CHOICES)
    assert RESOLVED not in TIMES


@pytest.mark.parametrize("side", SIDES)
def test_a_snooze_ends_on_one_side_of_its_value(side: str) -> None:
    assert snoozed_up_to(side, 0) == {side: 0}


@pytest.mark.parametrize(
    ("side", "typed", "why"),
    [
        ("above", None, "say the value"),
        ("beside", 1, "say the value"),
        ("above", float("nan"), "is not a number"),
        ("below", float("inf"), "is not a number"),
    ],
)
def test_a_value_that_is_missing_or_no_number_is_refused(
    side: str, typed: float | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        snoozed_up_to(side, typed)
