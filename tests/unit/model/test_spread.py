"""What a spread may be."""

import pytest

from sentinel_core.model.spread import spread_of


@pytest.mark.parametrize("given", ["interval", "none", 0, 30, 0.5, 86_400])
def test_a_word_or_seconds_up_to_a_day(given: object) -> None:
    assert spread_of(given) == given


@pytest.mark.parametrize(
    "given",
    [None, "", "Interval", "weekly", "30", True, -1, 86_401, float("nan"), float("inf"), [], {}],
)
def test_all_else_says_nothing(given: object) -> None:
    assert spread_of(given) is None
