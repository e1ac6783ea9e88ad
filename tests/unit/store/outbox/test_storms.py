"""More than people can read: one message for all of it, a summary when it is over, nothing lost."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.db.engine import writing
from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.outbox.enqueue import insert_notifications, plan_follow_ups
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.outbox.storm_upkeep import end_storms
from sentinel_core.store.record import silences
from tests.support.posted import Posted, deliver_at, deliver_until
from tests.support.runs import NOW, a_rule, a_run, fired, quiet, rows, told
from tests.support.swarm import at_once, deliver_everything, handle_everything, tell_many

HOOK, PAGE = "slack-incoming-webhook/ops", "pager-duty-webhook/duty"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def route(threshold: int = 50, **more: Any) -> dict[str, Any]:
    """A channel that tells its events one by one, until there are too many."""
    storm = {"events": threshold, "window_seconds": 60}
    return {"channel": HOOK, "group_by": [], "storm": storm, **more}


def rule_of(*routes: Any, name: str = "surge", **more: Any) -> Any:
    return a_rule(name, notify={"high": list(routes)}, **more)


def tickers(count: int, prefix: str = "T") -> list[Any]:
    return [fired(f"{prefix}{n}") for n in range(count)]


def counted(messages: list[Posted]) -> Counter[tuple[str, str]]:
    return Counter((message.channel, message.reason) for message in messages)


@pytest.mark.slow("postgres")
def test_a_thousand_events_in_a_minute_are_one_message_and_one_summary(engine: Engine) -> None:
    rule = rule_of(route(50))
    for part in range(20):
        outputs = tickers(50, f"P{part}-")
        told(engine, rule, a_run(part / 60), outputs, now=NOW + part * 3 * SECOND)
    handed = deliver_until(engine, NOW + MINUTE, NOW + 10 * MINUTE, MINUTE)
    assert [(message.reason, message.about) for message in handed] == [
        ("storm", "storm:1"),
        ("storm-ended", "storm:1"),
    ]
    assert len(rows(engine, "alert_event")) == 1_000
    messages = rows(engine, "notification")
    assert Counter(row["status"] for row in messages) == {"suppressed": 1_000, "sent": 2}
    assert {row["storm_id"] for row in messages} == {1}
    assert {row["last_error"] for row in messages if row["status"] == "suppressed"} == {
        "part of storm 1: its messages count it"
    }
    [storm] = rows(engine, "storm")
    assert storm["ended_at"] is not None


def test_the_summary_counts_the_storms_events(engine: Engine) -> None:
    told(engine, rule_of(route(5)), a_run(), tickers(8), now=NOW)
    told(engine, rule_of(route(5), name="fall", category="Other"), a_run(), tickers(3), now=NOW)
    [first] = [claim(engine, due(engine, NOW)[0], NOW)]
    assert first is not None
    facts = first.facts
    assert (facts["events"], facts["tickers"], facts["resolved"], facts["threshold"]) == (
        11,
        8,
        0,
        5,
    )
    assert facts["by_rule"] == [["surge", 8], ["fall", 3]]
    assert facts["by_category"] == [["Market", 8], ["Other", 3]]
    assert facts["by_importance"] == facts["open_by_importance"] == [["high", 11]]
    assert facts["all_events"] == 11
    assert [one["ticker"] for one in facts["named"]][:2] == ["T0", "T0"]  # of each rule the first
    assert (facts["started_at"], facts["ended_at"]) == (NOW, None)
    settle(engine, first.ids, status="sent", error=None, now=NOW, reference="1.2")
    told(engine, rule_of(route(5)), a_run(5), [quiet(f"T{n}") for n in range(8)], now=NOW + MINUTE)
    assert end_storms(engine, NOW + 2 * MINUTE) == [1]
    [key] = due(engine, NOW + 2 * MINUTE)
    last = claim(engine, key, NOW + 2 * MINUTE)
    assert last is not None
    assert (last.reason, last.facts["resolved"], last.thread) == ("storm-ended", 8, "1.2")
    assert last.incident == first.incident
    assert first.incident.startswith("sentinel/storm:1/2026-11-0")
    assert last.facts["ended_at"] == NOW + 2 * MINUTE
    assert last.facts["open_by_importance"] == [["high", 3]]
    assert {one["rule_name"] for one in last.facts["named"][:3]} == {"fall"}  # the open ones first


def test_an_escalation_goes_out_before_the_storm_that_its_own_run_begins(engine: Engine) -> None:
    rule = a_rule(notify={"high": [route(2)], "critical": [route(2)]})
    told(engine, rule, a_run(), [fired("Z")], now=NOW)
    [_] = deliver_at(engine, NOW)
    outputs = [*tickers(3), fired("Z", importance="critical")]
    told(engine, rule, a_run(10), outputs, now=NOW + 10 * MINUTE)
    handed = deliver_at(engine, NOW + 10 * MINUTE)
    assert [message.reason for message in handed] == ["escalated-critical", "storm"]


def test_as_many_as_the_limit_says_are_told_one_by_one(engine: Engine) -> None:
    told(engine, rule_of(route(50)), a_run(), tickers(50), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "opened"): 50}
    assert rows(engine, "storm") == []


def test_what_came_before_the_storm_was_told_by_itself_and_so_is_its_end(engine: Engine) -> None:
    rule = rule_of(route(5), policy={"notify_resolved": True})
    told(engine, rule, a_run(0), tickers(3, "before"), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "opened"): 3}
    told(engine, rule, a_run(0.1), tickers(5, "storm"), now=NOW + SECOND)
    assert counted(deliver_at(engine, NOW + SECOND)) == {("ops", "storm"): 1}
    over = [quiet(f"{name}{n}") for name in ("before", "storm") for n in range(5)]
    told(engine, rule, a_run(0.2), over, now=NOW + 2 * SECOND)
    assert counted(deliver_at(engine, NOW + 2 * SECOND)) == {("ops", "resolved"): 3}


def test_the_summary_of_a_storm_never_overtakes_its_first_message(engine: Engine) -> None:
    told(engine, rule_of(route(5)), a_run(), tickers(9), now=NOW)
    refused = deliver_at(engine, NOW, status="pending", error="500", again=10 * MINUTE)
    assert [message.reason for message in refused] == ["storm"]
    assert end_storms(engine, NOW + 2 * MINUTE) == [1]
    assert deliver_at(engine, NOW + 2 * MINUTE) == []
    assert [m.reason for m in deliver_at(engine, NOW + 10 * MINUTE)] == ["storm"]
    assert [m.reason for m in deliver_at(engine, NOW + 10 * MINUTE)] == ["storm-ended"]


def test_another_channel_and_another_recipient_are_not_affected(engine: Engine) -> None:
    mail = {"channel": "email-server-credentials/mail", "group_by": [], "storm": {"events": 100}}
    rule = rule_of(route(5), {**mail, "to": "a@example.org"}, {**mail, "to": "b@example.org"})
    told(engine, rule, a_run(), tickers(9), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {
        ("ops", "storm"): 1,
        ("mail a@example.org", "opened"): 9,
        ("mail b@example.org", "opened"): 9,
    }


def test_a_route_that_knows_no_storm_tells_each_event_whatever_others_say(engine: Engine) -> None:
    told(engine, rule_of(route(5)), a_run(), tickers(9), now=NOW)
    always = rule_of(route(5) | {"storm": None}, name="vital")
    told(engine, always, a_run(), tickers(9), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "storm"): 1, ("ops", "opened"): 9}


def test_what_was_tried_before_the_storm_is_tried_again(engine: Engine) -> None:
    rule = rule_of(route(5))
    told(engine, rule, a_run(0), tickers(2, "before"), now=NOW)
    assert len(deliver_at(engine, NOW, status="pending", error="500")) == 2
    told(engine, rule, a_run(0.1), tickers(6, "storm"), now=NOW + SECOND)
    assert counted(deliver_at(engine, NOW + SECOND)) == {("ops", "storm"): 1}
    assert counted(deliver_at(engine, NOW + MINUTE)) == {("ops", "opened"): 2}


def test_what_was_mute_makes_no_storm(engine: Engine) -> None:
    silence = Silence(
        matchers=Matchers(ticker="T*"),
        starts_at=NOW,
        ends_at=NOW + MINUTE,
        author="ana",
        comment="known",
    )
    silences.create(engine, silence, now=NOW)
    told(engine, rule_of(route(5)), a_run(), [*tickers(50), fired("AAPL")], now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "opened"): 1}


def test_what_waited_while_nobody_delivered_is_a_storm_when_somebody_does(engine: Engine) -> None:
    told(engine, rule_of(route(5)), a_run(), tickers(9), now=NOW)
    handed = deliver_until(engine, NOW + 20 * MINUTE, NOW + 25 * MINUTE, MINUTE)
    assert [message.reason for message in handed] == ["storm", "storm-ended"]


def test_what_comes_one_by_one_over_a_day_is_no_storm_when_it_is_told_late(engine: Engine) -> None:
    for n in range(12):
        minute = n * 100
        told(engine, rule_of(route(5)), a_run(minute), [fired(f"T{n}")], now=NOW + minute * MINUTE)
    assert counted(deliver_at(engine, NOW + 2_000 * MINUTE)) == {("ops", "opened"): 12}


def test_what_comes_while_it_storms_is_told_by_the_storm(engine: Engine) -> None:
    rule = rule_of(route(5))
    told(engine, rule, a_run(0), tickers(9), now=NOW)
    assert len(deliver_at(engine, NOW)) == 1
    told(engine, rule, a_run(0.5), tickers(4, "more"), now=NOW + 30 * SECOND)
    assert deliver_at(engine, NOW + 30 * SECOND) == []
    assert end_storms(engine, NOW + 61 * SECOND) == [], (
        "four in a minute are more than half of five"
    )
    assert end_storms(engine, NOW + 95 * SECOND) == [1]
    [summary] = deliver_at(engine, NOW + 95 * SECOND)
    assert summary.reason == "storm-ended"
    told(engine, rule, a_run(3), tickers(1, "after"), now=NOW + 3 * MINUTE)
    assert counted(deliver_at(engine, NOW + 3 * MINUTE)) == {("ops", "opened"): 1}


def test_what_waits_when_a_storm_ends_is_told_by_its_summary(engine: Engine) -> None:
    rule = rule_of(route(5))
    told(engine, rule, a_run(0), tickers(9), now=NOW)
    assert len(deliver_at(engine, NOW)) == 1
    told(engine, rule, a_run(0.5), tickers(9, "more"), now=NOW + 30 * SECOND)
    handed = deliver_until(engine, NOW + 5 * MINUTE, NOW + 10 * MINUTE, MINUTE)
    assert [message.reason for message in handed] == ["storm-ended"]
    assert len(rows(engine, "storm")) == 1


def test_escalations_go_on_while_it_storms(engine: Engine) -> None:
    step = {"after_seconds": 60, "channels": [PAGE]}
    told(engine, rule_of(route(5), escalation=[step]), a_run(), tickers(9), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "storm"): 1}
    told_by_page = deliver_at(engine, NOW + MINUTE)
    assert counted(told_by_page) == {("duty", "step-1"): 9}


@pytest.mark.slow("sqlite")
def test_four_deliverers_at_once_begin_one_storm(engine: Engine, database_url: str) -> None:
    told(engine, rule_of(route(50)), a_run(), tickers(200), now=NOW)
    handed = at_once(deliver_everything, [(database_url, NOW)] * 4)
    assert [m.reason for share in handed for m in share] == ["storm"]
    assert len(rows(engine, "storm")) == 1
    assert Counter(row["status"] for row in rows(engine, "notification")) == {
        "suppressed": 200,
        "sent": 1,
    }


@pytest.mark.slow("sqlite")
def test_recording_claiming_and_handling_at_once_hold_nobody_up_for_good(
    engine: Engine, database_url: str
) -> None:
    """Eight processes on the same events and the same channel: all end, and nothing is lost."""
    rule = rule_of(
        route(20),
        PAGE,
        policy={"notify_resolved": True},
        escalation=[{"after_seconds": 1, "channels": [PAGE]}],
    )
    moments: list[datetime] = [NOW + n * SECOND for n in range(6)]
    at_once(
        _call,
        [
            *[(tell_many, (database_url, rule, name, moments)) for name in ("A", "B")],
            *[(_deliver_often, (database_url, moments)) for _ in range(4)],
            *[(handle_everything, (database_url, moments, what)) for what in ("ack", "resolve")],
        ],
    )
    last = NOW + timedelta(hours=2)
    deliver_until(engine, last, last + 5 * MINUTE, MINUTE)
    found = rows(engine, "notification")
    assert not [row for row in found if row["status"] == "pending"]
    for row in found:
        assert row["status"] == "sent" or row["last_error"], row
    assert {row["attempts"] for row in found if row["status"] == "sent"} == {1}
    assert len({row["event_id"] for row in found if row["reason"] == NotifyReason.OPENED}) == len(
        rows(engine, "alert_event")
    )


def _call(function: Any, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def _deliver_often(url: str, moments: list[datetime]) -> int:
    return sum(len(deliver_everything(url, moment)) for moment in moments)


def test_what_ends_is_not_counted_as_one_more_event(engine: Engine) -> None:
    rule = rule_of(route(5, resolved=True))
    told(engine, rule, a_run(0), tickers(3, "before"), now=NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "opened"): 3}
    over = [quiet(f"before{n}") for n in range(3)]
    told(engine, rule, a_run(5), [*over, *tickers(3)], now=NOW + 5 * MINUTE)
    assert counted(deliver_at(engine, NOW + 5 * MINUTE)) == {
        ("ops", "resolved"): 3,
        ("ops", "opened"): 3,
    }
    assert rows(engine, "storm") == []


def test_an_end_that_is_written_as_its_event_joins_a_storm_joins_it_too(engine: Engine) -> None:
    """Only in that channel: another one, which has told of the event, tells of its end."""
    log: Any = {"channel": "slack-incoming-webhook/log", "group_by": [], "storm": None}
    rule = rule_of(route(5, resolved=True), {**log, "resolved": True})
    events = told(engine, rule, a_run(), tickers(6), now=NOW).opened
    with writing(engine) as connection:
        ends = plan_follow_ups(connection, [(key, "resolved", None) for key in events], NOW)
    assert counted(deliver_at(engine, NOW)) == {("ops", "storm"): 1, ("log", "opened"): 6}
    with writing(engine) as connection:
        assert len(insert_notifications(connection, ends, NOW)) == 12
    assert counted(deliver_at(engine, NOW)) == {("log", "resolved"): 6}


def test_of_equal_events_a_storm_names_the_older_first_whichever_rule_is_older(
    engine: Engine,
) -> None:
    older, newer = rule_of(route(5), name="older"), rule_of(route(5), name="newer")
    told(engine, older, a_run(0), [quiet("O")], now=NOW)
    told(engine, newer, a_run(1), tickers(3, "N"), now=NOW)
    told(engine, older, a_run(1), tickers(3, "O"), now=NOW)
    message = claim(engine, due(engine, NOW)[0], NOW)
    assert message is not None
    named = [event["ticker"] for event in message.facts["named"]]
    assert named == ["N0", "O0", "N1", "O1", "N2", "O2"]
