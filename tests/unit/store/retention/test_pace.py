"""How many rows go at once."""

import time

import pytest

from sentinel_core.store.retention.pace import Pace, adapted


@pytest.mark.parametrize(
    ("size", "seconds", "then"),
    [
        (200, 0.03, 200),
        (200, 0.06, 100),
        (200, 0.02, 300),
        (400, 60.0, 100),  # never fewer than what a commit is worth
        (450, 0.0, 500),
        (100, 0.0, 150),
    ],
)
def test_rows_go_up_and_down_with_the_time_a_transaction_takes(
    size: int, seconds: float, then: int
) -> None:
    assert adapted(size, seconds) == then


def test_a_pace_without_an_end_is_never_over() -> None:
    assert not Pace().is_over
    assert Pace(ends=time.monotonic() - 1).is_over
    assert not Pace(ends=time.monotonic() + 60).is_over
