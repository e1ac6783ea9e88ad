"""A storm's messages: the most important first, and green only when nothing of it is open."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from sentinel_core.message.content import About, Medium, Message
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour
from tests.support.runs import T0
from tests.unit.message.given import EVENT, LINKS, STORM, hostile_columns, mrkdwn_of, told_of
from tests.unit.message.test_injection import slack_acts_on
from tests.unit.message.test_render import ALL, LONG, everything
from tests.unit.message.test_slack import within_slacks_limits

DISK = {
    **EVENT,
    "id": 8,
    "rule_name": "disk-full",
    "ticker": "db-1",
    "importance": "critical",
    "message": "/var is full",
}
NOISE = [
    {**EVENT, "id": 10 + n, "ticker": f"T{n}", "importance": "low", "message": f"T{n} moved"}
    for n in range(9)
]
FACTS: dict[str, Any] = {
    **STORM,
    "events": 60,
    "all_events": 111,
    "tickers": 60,
    "resolved": 48,
    "open": 12,
    "named": [DISK, *NOISE],
    "by_rule": [["daily-move", 59], ["disk-full", 1]],
    "by_importance": [["low", 59], ["critical", 1]],
    "open_by_importance": [["low", 11], ["critical", 1]],
}
RESOLVED: dict[str, Any] = {
    **FACTS,
    "resolved": 60,
    "open": 0,
    "open_by_importance": [],
    "named": [{**DISK, "resolved_at": T0 + timedelta(minutes=9), "resolution": "recovered"}],
}
STORMS = (About.STORM, About.STORM_GROWN, About.STORM_ENDED, About.STORM_RESOLVED)


def is_green(message: Message) -> bool:
    """True if anything in a message looks resolved."""
    return any(sign in everything(message) for sign in (RESOLVED_MARK, RESOLVED_COLOUR))


@pytest.mark.parametrize("medium", ALL)
@pytest.mark.parametrize("about", STORMS)
def test_each_message_names_the_most_important_event_first(about: About, medium: Medium) -> None:
    text = everything(told_of(about, FACTS, medium))
    assert "disk-full" in text and "db-1" in text
    if medium is not Medium.SHORT:
        assert "/var is full" in text
        assert text.index("db-1") < text.index("T8 moved")
        if "98%" in text:  # a chat with little room may leave out the counts
            assert text.index("T8 moved") < text.index("98%")


@pytest.mark.parametrize("medium", [Medium.SLACK, Medium.EMAIL, Medium.MARKDOWN])
def test_a_named_event_links_to_its_page(medium: Medium) -> None:
    message = told_of(About.STORM, FACTS, medium)
    assert LINKS.event(8) in everything(message)


@pytest.mark.parametrize("medium", LONG)
def test_what_is_not_named_is_counted(medium: Medium) -> None:
    text = everything(told_of(About.STORM, FACTS, medium))
    if medium is not Medium.PAGERDUTY:
        assert "and 50 more" in text
    assert "daily-move" in text


@pytest.mark.parametrize("medium", ALL)
def test_a_summary_is_not_green_while_something_is_open(medium: Medium) -> None:
    message = told_of(About.STORM_ENDED, FACTS, medium)
    assert not is_green(message)
    text = everything(message)
    assert "48 resolved by now, 12 not" in text
    if medium is not Medium.PAGERDUTY:
        assert "STORM IS OVER" in text and "12 still open" in text


@pytest.mark.parametrize("about", [About.STORM_ENDED, About.STORM_RESOLVED])
def test_the_end_of_a_storm_is_green_when_nothing_is_open(about: About) -> None:
    for medium in (Medium.SLACK, Medium.EMAIL):
        assert is_green(told_of(about, RESOLVED, medium))
    text = everything(told_of(about, RESOLVED, Medium.EMAIL))
    assert "still open" not in text
    if about is About.STORM_ENDED:
        assert "60 events in 4 min, all of them resolved." in text


def test_a_summary_has_the_colour_of_the_most_important_open_event() -> None:
    [attachment] = told_of(About.STORM_ENDED, FACTS, Medium.SLACK).payload["attachments"]
    assert attachment["color"] == colour("critical")
    facts = {**FACTS, "open_by_importance": [["low", 11]], "open": 11}
    summary = told_of(About.STORM_ENDED, facts, Medium.SLACK)
    [attachment] = summary.payload["attachments"]
    assert attachment["color"] == colour("low")
    assert "Still open: 11 low." in summary.body


@pytest.mark.parametrize("about", [About.STORM, About.STORM_ENDED])
def test_an_incident_is_as_severe_as_the_most_important_event(about: About) -> None:
    payload = told_of(about, FACTS, Medium.PAGERDUTY).payload["payload"]
    assert payload["severity"] == "critical"
    assert payload["custom_details"]["The most important"][0][2] == "/var is full"


def test_a_storm_that_grows_counts_what_joined_and_all_of_it() -> None:
    message = told_of(About.STORM_GROWN, FACTS, Medium.PLAIN)
    assert message.subject == "STORM GOES ON · 60 more events · 60 tickers"
    assert "111 events in all" in message.body


def test_the_first_message_says_what_is_sent_by_itself() -> None:
    body = told_of(About.STORM, FACTS, Medium.PLAIN).body
    assert "Events of other rules, and more important ones, are sent by themselves." in body


def test_a_named_event_that_is_resolved_says_so() -> None:
    facts = {**FACTS, "named": [DISK, *RESOLVED["named"]]}
    first, second = [
        line
        for line in told_of(About.STORM_ENDED, facts, Medium.PLAIN).body.split("\n")
        if "/var is full" in line
    ]
    assert "resolved" not in first
    assert "resolved after 9 min" in second


@settings(max_examples=100, deadline=None)
@given(columns=hostile_columns)
def test_slack_is_fooled_by_no_named_event(columns: dict[str, Any]) -> None:
    named = [{**EVENT, **columns, "id": n} for n in range(10)]
    message = told_of(About.STORM, {**FACTS, "named": named}, Medium.SLACK)
    assert within_slacks_limits(message)
    for text in mrkdwn_of(message):
        acted = slack_acts_on(text)
        controls = [part for part in acted if part.startswith("<")]
        assert all(part.startswith(f"<{LINKS.viewer_url}") for part in controls)
        assert set(acted) - set(controls) <= {"*"}
