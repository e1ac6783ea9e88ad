"""Slack's payload: what Slack takes, in the limits beyond which it refuses the whole message."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_core.message.content import About, Medium, Message
from tests.unit.message.given import (
    BLOTTER,
    PREFECT,
    STORM,
    hostile_columns,
    item,
    mrkdwn_of,
    reasons,
    told,
    told_of,
)


def attachment_of(message: Message) -> dict[str, Any]:
    [attachment] = message.payload["attachments"]
    return dict(attachment)


def within_slacks_limits(message: Message) -> bool:
    """As Slack documents them for Block Kit; what is larger is refused as invalid_blocks."""
    attachment = attachment_of(message)
    assert 0 < len(attachment["blocks"]) <= 50
    assert 0 < len(message.payload["text"]) <= 3_000
    for block in attachment["blocks"]:
        assert block["type"] in {"section", "context"}
        if "text" in block:
            assert 0 < len(block["text"]["text"]) <= 3_000
        assert len(block.get("fields", ())) <= 10
        assert len(block.get("elements", ())) <= 10
        for part in [*block.get("fields", ()), *block.get("elements", ())]:
            assert 0 < len(part["text"]) <= 2_000
    return True


def test_the_title_is_the_text_and_the_rest_stands_beside_a_bar_of_its_colour() -> None:
    message = told(Medium.SLACK)
    assert message.payload["text"] == message.subject == "🟠 *HIGH* · aapl-price-surge · AAPL"
    attachment = attachment_of(message)
    assert attachment["color"] == "#bc4c00"
    assert attachment["fallback"] == message.subject
    said, evidence, bars, links, when = attachment["blocks"]
    assert said["text"]["text"].split("\n") == [
        "> AAPL trades at 151.2",
        "151.2 USD against threshold 150 USD",
        "💡 *Next step:* Look at the news before the desk calls.",
    ]
    assert [field["text"] for field in evidence["fields"]] == [
        "*source*\nclose of the day",
        "*bars*\n1, 2",
        "*previous*\n147.9",
    ]
    assert bars["text"]["text"] == "`▁▂▃▃▄▅▆▆▇█` 142.2 USD to 151.2 USD, the latest 10 values"
    assert links["text"]["text"] == (
        f"<{BLOTTER}|Open in the blotter> · <{PREFECT}|Flow run in Prefect> "
        "· Runbook: docs/runbooks/price_surge.md"
    )
    assert when["elements"][0]["text"] == (
        "2026-11-02 09:00:00 UTC · Market · 2 times, the last 2026-11-02 09:05:00 UTC"
    )


def test_a_resolved_event_is_green() -> None:
    assert attachment_of(told(Medium.SLACK, item("resolved")))["color"] == "#1a7f37"
    assert told(Medium.SLACK, item("resolved")).subject.startswith("✅ *HIGH*")


def test_a_runbook_that_is_an_address_is_a_link() -> None:
    body = told(Medium.SLACK, item(runbook="https://wiki.example/a_b?x=1&y=2")).body
    assert "<https://wiki.example/a_b?x=1&amp;y=2|Runbook>" in body


def test_slack_makes_nothing_of_its_own_out_of_what_looks_like_a_link_or_a_channel() -> None:
    blocks = attachment_of(told(Medium.SLACK))["blocks"]
    parts = [
        part
        for block in blocks
        for part in [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        if part
    ]
    assert len(parts) == 7
    assert all(part["type"] == "mrkdwn" and part["verbatim"] is True for part in parts)


def test_the_body_says_the_same_for_ways_that_take_text_only() -> None:
    message = told(Medium.SLACK)
    for text in mrkdwn_of(message)[1:]:
        for line in text.split("\n"):
            assert line.removeprefix("*").partition("*")[0] in message.body


def test_a_message_that_is_too_long_is_cut_before_it_is_escaped() -> None:
    [said] = mrkdwn_of(told(Medium.SLACK, item(message="<" * 30_000)))[1:2]
    quoted = said.split("\n")[0]
    assert quoted.endswith("&lt;…")
    assert quoted.count("&lt;") > 500
    assert len(said) <= 3_000


@pytest.mark.parametrize("count", [1, 2, 20, 21, 500])
def test_groups_of_any_size_fit(count: int) -> None:
    events = [item(id=n, rule_name="&" * 200, message="<" * 500) for n in range(count)]
    assert within_slacks_limits(told(Medium.SLACK, *events))


def test_a_storm_of_names_that_grow_when_escaped_fits() -> None:
    facts = {**STORM, "by_rule": [["&<>" * 60, 9]] * 40, "by_category": [["`" * 200, 5]] * 40}
    message = told_of(About.STORM, facts, Medium.SLACK)
    assert within_slacks_limits(message)
    for text in mrkdwn_of(message):
        assert text.count("```") in {0, 2}


def test_a_report_of_any_size_fits() -> None:
    section = {"title": "t" * 500, "columns": ["c" * 99] * 30, "rows": [["x" * 300] * 30] * 400}
    facts = {"title": "R" * 900, "sentence": "s" * 9_000, "sections": [section] * 90}
    message = told_of(
        About.REPORT, {**facts, "figures": [["f" * 900, "v" * 900]] * 90}, Medium.SLACK
    )
    assert within_slacks_limits(message)
    assert "and 78 more tables" in mrkdwn_of(message)[-2] + mrkdwn_of(message)[-3]


@settings(max_examples=200, deadline=None)
@given(columns=hostile_columns, reason=reasons, count=st.integers(1, 3))
def test_whatever_happened_slack_takes_it(columns: dict[str, Any], reason: str, count: int) -> None:
    assert within_slacks_limits(told(Medium.SLACK, *[item(reason, **columns)] * count))
