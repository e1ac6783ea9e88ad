"""What every medium says: all that a person needs to know, for each thing a message is about."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.message.content import About, Content, Medium, Message
from sentinel_core.message.render import render
from tests.support.runs import T0
from tests.unit.message.given import (
    BLOTTER,
    LINKS,
    PREFECT,
    REPORT,
    STORM,
    item,
    texts_of,
    told,
    told_of,
)

ALL = list(Medium)
LONG = [medium for medium in ALL if medium is not Medium.SHORT]


def everything(message: Message) -> str:
    """All that is read somewhere, without the marks that keep it from being markup."""
    said = [message.subject, message.body, *texts_of(message.payload), message.html or ""]
    text = "\n".join(said)
    for mark in ("\N{WORD JOINER}", "\\"):
        text = text.replace(mark, "")
    return text


@pytest.mark.parametrize("medium", ALL)
def test_an_event_is_told_with_what_a_person_needs_to_know(medium: Medium) -> None:
    text = everything(told(medium))
    for part in ("aapl-price-surge", "AAPL", "AAPL trades at 151.2", BLOTTER):
        assert part in text
    assert "151.2 USD against threshold 150 USD" in text


@pytest.mark.parametrize("medium", LONG)
def test_its_evidence_next_step_runbook_run_and_time_are_told(medium: Medium) -> None:
    text = everything(told(medium))
    for part in (
        "previous",
        "147.9",
        "close of the day",
        "Look at the news before the desk calls.",
        "docs/runbooks/price_surge.md",
        PREFECT,
        "Market",
    ):
        assert part in text
    assert "2026-11-02 09:00:00" in text.replace("T09", " 09")


@pytest.mark.parametrize("medium", [Medium.SLACK, Medium.MARKDOWN, Medium.PLAIN, Medium.EMAIL])
def test_the_latest_values_are_told_as_bars_with_their_ends(medium: Medium) -> None:
    assert "142.2 USD to 151.2 USD, the latest 10 values" in everything(told(medium))
    assert "▁▂▃" in told(medium).body


@pytest.mark.parametrize("medium", ALL)
@pytest.mark.parametrize(
    "missing",
    [
        {"ticker": "", "metrics": {}, "metadata": {}},
        {"prefect_flow_run_id": None, "runbook": None, "suggested_action": None},
        {"message": "", "category": ""},
    ],
)
def test_what_an_event_does_not_have_leaves_no_gap(medium: Medium, missing: Any) -> None:
    text = everything(told(medium, item(history=(), **missing)))
    assert "None" not in text
    assert "·  ·" not in text
    assert "aapl-price-surge" in text


def test_an_event_from_before_suggestions_has_none() -> None:
    without = item()
    columns = {name: value for name, value in without.event.items() if name != "suggested_action"}
    message = told(Medium.PLAIN, type(without)(columns, "opened"))
    assert "Next step" not in message.body


@pytest.mark.parametrize(
    ("reason", "changes", "words"),
    [
        ("opened", {}, ""),
        ("escalated-critical", {}, "more important than before"),
        ("reminder", {}, "still not acknowledged after 20 min"),
        ("step-2", {}, "step 2: nobody has acknowledged for 20 min"),
        ("flapping", {}, "flapping"),
        ("flapping-ended", {}, "flapping has ended"),
        ("acknowledgement-ended", {}, "the acknowledgement has ended"),
        ("acknowledged", {"acknowledged_by": "ana"}, "acknowledged by ana"),
        ("unacknowledged", {}, "no longer acknowledged"),
        (
            "resolved",
            {"resolved_at": T0 + timedelta(hours=2), "resolution": "recovered"},
            "resolved after 2 h",
        ),
        ("resolved", {"resolution": "by-hand"}, "resolved (by hand)"),
    ],
)
def test_the_title_says_why_the_event_is_told(
    reason: str, changes: dict[str, Any], words: str
) -> None:
    message = told(Medium.PLAIN, item(reason, **changes), at=T0 + timedelta(minutes=20))
    assert message.subject == " · ".join(
        part for part in ("HIGH", "aapl-price-surge", "AAPL", words) if part
    )


def test_a_step_without_a_clock_says_no_time() -> None:
    subject = told(Medium.PLAIN, item("step-1")).subject
    assert subject.endswith("· step 1: nobody has acknowledged")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("failure", "check failed"), ("silent", "not checked"), ("no_data", "no data")],
)
def test_an_event_that_is_no_alert_says_so_in_its_title(kind: str, words: str) -> None:
    subject = told(Medium.PLAIN, item(kind=kind, ticker="")).subject
    assert subject == f"HIGH · aapl-price-surge · {words}"


@pytest.mark.parametrize("medium", LONG)
def test_who_acknowledged_and_what_they_wrote_is_told(medium: Medium) -> None:
    comment = item("acknowledged", acknowledged_by="ana", comment="the desk knows")
    text = everything(told(medium, comment))
    assert "acknowledged by ana" in text
    assert "the desk knows" in text


@pytest.mark.parametrize("medium", LONG)
def test_events_told_together_are_one_message_with_a_line_for_each(medium: Medium) -> None:
    events = [
        item(id=1, importance="low", ticker="AAPL"),
        item(id=2, importance="critical", ticker="IBM", message="IBM fell"),
        item(id=3, importance="low", ticker="MSFT"),
    ]
    text = everything(told(medium, *events))
    assert "3 events" in text.lower()
    for part in ("AAPL", "IBM", "MSFT", "IBM fell", "1 critical, 2 low"):
        assert part in text


@pytest.mark.parametrize("medium", [Medium.SLACK, Medium.PLAIN, Medium.EMAIL])
def test_of_many_events_the_most_important_are_shown_and_the_rest_counted(medium: Medium) -> None:
    events = [item(id=n, ticker=f"T{n:03}", importance="low") for n in range(56)]
    message = told(medium, *events, item(id=99, ticker="WORST", importance="critical"))
    text = everything(message)
    assert "and 37 more" in text
    assert "57 EVENTS" in text
    assert text.index("WORST") < text.index("T000")
    assert "T018" in text
    assert "T019" not in text


def test_in_a_short_medium_lines_that_do_not_fit_are_counted_as_well() -> None:
    events = [item(id=n, ticker=f"T{n:03}") for n in range(57)]
    body = told(Medium.MARKDOWN, *events).body
    shown = body.count("/?event=")
    assert 5 < shown < 20
    assert f"… and {57 - shown} more; the blotter has the whole" in body
    assert len(body) <= 1_900


def test_events_of_several_rules_say_of_how_many() -> None:
    message = told(Medium.PLAIN, item(id=1), item(id=2, rule_name="other"))
    assert message.subject == "2 EVENTS · 2 rules"
    assert told(Medium.PLAIN, item("resolved"), item("resolved")).subject == (
        "2 EVENTS · aapl-price-surge · resolved"
    )


@pytest.mark.parametrize("medium", [Medium.SLACK, Medium.MARKDOWN, Medium.PLAIN, Medium.EMAIL])
def test_a_group_has_the_next_steps_of_its_events_if_they_are_few(medium: Medium) -> None:
    steps = [None, "Call the desk.", "Call the desk.", "Look at the news."]
    events = [item(id=n, ticker=f"T{n}", suggested_action=step) for n, step in enumerate(steps)]
    assert "Call the desk. Look at the news." in everything(told(medium, *events))
    one_more = item(id=9, ticker="T9", suggested_action="Wait for the opening.")
    assert "Call the desk." not in everything(told(medium, *events, one_more))


def test_resolved_events_suggest_nothing_more() -> None:
    assert "Next step" not in told(Medium.PLAIN, item("resolved"), item("resolved")).body


def test_a_message_about_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        render(Medium.PLAIN, Content(), LINKS)


@pytest.mark.parametrize("medium", LONG)
def test_a_storm_is_told_with_counts_by_rule_category_and_importance(medium: Medium) -> None:
    text = everything(told_of(About.STORM, {**STORM, "ended_at": None}, medium))
    for part in (
        "1,000 events",
        "503 tickers",
        "More than 50 events opened within 1 min.",
        "daily-move",
        "600",
        "volume-spike",
        "Market",
        "60%",
        LINKS.viewer_url,
    ):
        assert part in text
    assert text.index("high") < text.index("medium")


@pytest.mark.parametrize("medium", ALL)
def test_the_end_of_a_storm_says_how_long_it_was_and_what_is_left(medium: Medium) -> None:
    text = everything(told_of(About.STORM_ENDED, STORM, medium))
    assert "1,000 events in 4 min: 990 resolved by now, 10 not." in text
    if medium is not Medium.PAGERDUTY:
        assert "STORM IS OVER" in text


def test_a_storm_of_many_rules_shows_the_ten_loudest() -> None:
    facts = {**STORM, "by_rule": [[f"rule-{n}", 100 - n] for n in range(13)]}
    body = told_of(About.STORM, facts, Medium.PLAIN).body
    assert "rule-9" in body
    assert "rule-10" not in body
    assert "and 3 more with 267 events" in body


@pytest.mark.parametrize("medium", LONG)
def test_a_report_shows_its_figures_and_tables(medium: Medium) -> None:
    text = everything(told_of(About.REPORT, REPORT, medium))
    for part in ("daily report", "A quiet day.", "success rate", "99.7%", "Noisiest", "daily-move"):
        assert part.lower() in text.lower()


def test_a_report_is_one_already_in_its_title() -> None:
    assert told_of(About.REPORT, REPORT, Medium.EMAIL).subject == "[REPORT] Daily report"


def test_a_column_of_numbers_stands_to_the_right() -> None:
    rows = [["a", 9], ["bcd", "1,234"], ["e"]]
    section = {"title": "", "columns": ["rule", "n"], "rows": rows}
    body = told_of(About.REPORT, {"title": "x", "sections": [section]}, Medium.PLAIN).body
    assert "rule      n\n────  ─────\na         9\nbcd   1,234\ne\n" in body


@pytest.mark.parametrize("facts", [{}, {"title": "only"}, {"sections": [{}]}])
def test_a_report_may_have_nothing_to_say(facts: Mapping[str, Any]) -> None:
    for medium in ALL:
        message = told_of(About.REPORT, facts, medium)
        assert (message.subject or message.body).strip()


@pytest.mark.parametrize("medium", ALL)
def test_a_trial_says_that_the_channel_works(medium: Medium) -> None:
    text = everything(told_of(About.TEST, {"channel": "slack-webhook/desk"}, medium))
    assert "this channel works" in text
    assert "slack-webhook/desk" in text


def test_a_message_for_a_telephone_is_short_and_has_no_subject() -> None:
    long = item(message="x" * 5_000, rule_name="r" * 300, ticker="t" * 200)
    for message in (told(Medium.SHORT), told(Medium.SHORT, long)):
        assert message.subject == ""
        assert len(message.body) <= 320
        assert message.body.endswith(BLOTTER)
        assert len(message.body.splitlines()) == 1


@pytest.mark.parametrize("medium", ALL)
def test_the_longest_event_is_cut_where_one_can_see_it(medium: Medium) -> None:
    longest = item(
        message="<&*" * 11_000,
        rule_name="<" * 1_000,
        metadata={f"k{n}": "&" * 4_000 for n in range(60)},
        metrics={f"m{n}": float(n) for n in range(1_000)},
        suggested_action="*" * 5_000,
    )
    message = told(medium, longest)
    assert "…" in message.body
    assert len(message.body) < {Medium.MARKDOWN: 2_000, Medium.SHORT: 320}.get(medium, 20_000)


@pytest.mark.parametrize("medium", ALL)
def test_the_same_content_gives_the_same_message(medium: Medium) -> None:
    assert told(medium) == told(medium)
