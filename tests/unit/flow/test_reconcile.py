"""What reconcile says of itself in one line."""

import pytest

from sentinel_core.flow.reconcile import Report

DONE = "2 rules, 30 runs looked at, 1 recorded late, 0 closed, 1 notification sent"


@pytest.mark.parametrize(
    ("silent", "said"), [([], DONE), (["prices", "disk"], f"{DONE}; silent: prices, disk")]
)
def test_rules_that_are_silent_are_named_at_the_end(silent: list[str], said: str) -> None:
    assert Report(rules=2, runs=30, recorded=1, sent=1, silent=silent).sentence() == said
