"""A rule's attempts in place of its trigger's."""

import pytest
from pydantic import ValidationError

from sentinel_core.model.attempts import Attempts, TriggerAttempts

TRIGGER = TriggerAttempts(timeout_seconds=60, retries=1, retry_delay_seconds=5)


@pytest.mark.parametrize(
    ("given", "longest"),
    [
        ({}, 60 * 2 + 5 + 30),
        ({"timeout_seconds": 10}, 10 * 2 + 5 + 30),
        ({"retries": 0}, 60 + 30),
        ({"retries": 3, "retry_delay_seconds": 0}, 60 * 4 + 30),
        ({"timeout_seconds": None}, 60 * 2 + 5 + 30),
    ],
)
def test_a_rule_changes_what_it_names_and_leaves_the_rest(given, longest):
    assert TRIGGER.changed_by(Attempts(**given)).longest_seconds == longest


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": 86_401},
        {"retries": -1},
        {"retries": 21},
        {"retries": 1.5},
        {"retry_delay_seconds": 3_601},
    ],
)
def test_a_value_that_can_not_be_meant_is_refused(wrong):
    with pytest.raises(ValidationError):
        Attempts(**wrong)
