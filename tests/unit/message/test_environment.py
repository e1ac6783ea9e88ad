"""The environment of a rule is in each message about its events, in every medium."""

import json

import pytest

from sentinel_core.message.content import Medium, Message
from tests.unit.message.given import item, told


def text_of(message: Message) -> str:
    payload = json.dumps(message.payload, default=str)
    return "\n".join([message.subject, message.body, payload, message.html or ""])


@pytest.mark.parametrize("medium", list(Medium))
def test_a_message_names_the_environment(medium: Medium) -> None:
    message = told(medium, item(environment="staging-eu"))
    assert "staging-eu" in f"{message.subject} {message.body}"
    assert "staging-eu" in text_of(
        told(medium, item(environment="staging-eu"), item(id=2, environment="staging-eu"))
    )


@pytest.mark.parametrize("medium", list(Medium))
def test_a_message_about_a_rule_without_one_is_as_before(medium: Medium) -> None:
    assert told(medium, item(environment=None)) == told(medium, item())


def test_pagerduty_has_it_as_a_detail() -> None:
    payload = told(Medium.PAGERDUTY, item(environment="staging-eu")).payload["payload"]
    assert payload["custom_details"]["environment"] == "staging-eu"
