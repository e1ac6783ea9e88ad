"""A storm hides nothing that is more important than it, and nothing of another rule."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.outbox.storm_upkeep import end_storms
from sentinel_core.store.read.event_detail import event_detail
from tests.support.posted import Posted, deliver_at, deliver_until
from tests.support.runs import NOW, a_rule, a_run, fired, quiet, rows, told
from tests.support.swarm import at_once, deliver_everything

HOOK = "slack-incoming-webhook/ops"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def rule_of(name: str = "noise", limit: int = 5, **more: Any) -> Any:
    """A rule whose events of every importance go to one channel, one by one."""
    route = {
        "channel": HOOK,
        "group_by": [],
        "storm": {"events": limit, "window_seconds": 60},
        **more,
    }
    importances = ("low", "medium", "high", "critical")
    return a_rule(name, importance="low", notify={name: [route] for name in importances})


def open_events(
    engine: Engine, rule: Any, count: int, now: datetime, *, prefix: str = "T", **fields: Any
) -> list[int]:
    """Open that many events of a rule in one run; returns their ids."""
    outputs = [fired(f"{prefix}{n}", **fields) for n in range(count)]
    minute = (now - NOW) / MINUTE
    return told(engine, rule, a_run(minute), outputs, now=now).opened


def reasons(messages: list[Posted]) -> Counter[str]:
    return Counter(message.reason for message in messages)


def waits(engine: Engine, event_id: int) -> list[str | None]:
    """The status of the message that stands for each of an event's notifications in a storm."""
    detail = event_detail(engine, event_id)
    assert detail is not None
    return [row["storm_message"] for row in detail.notifications if row["storm_id"] is not None]


@pytest.fixture
def stormy(engine: Engine) -> Engine:
    """A store with a storm of six low events of the rule `noise`, whose message was sent."""
    open_events(engine, rule_of(), 6, NOW)
    assert reasons(deliver_at(engine, NOW)) == {"storm": 1}
    return engine


def test_a_critical_event_of_another_rule_is_sent_by_itself_at_once(stormy: Engine) -> None:
    now = NOW + 20 * SECOND
    open_events(stormy, rule_of(), 3, now, prefix="more")
    [event] = open_events(stormy, rule_of("vital"), 1, now, prefix="V", importance="critical")
    assert deliver_at(stormy, now) == [Posted("ops", "opened", (event,))]
    assert waits(stormy, event) == []
    [summary] = deliver_until(stormy, NOW + 5 * MINUTE, NOW + 9 * MINUTE, MINUTE)
    assert summary.reason == "storm-ended"


@pytest.mark.parametrize("importance", ["low", "medium", "critical"])
def test_an_event_of_a_rule_that_is_no_part_of_the_storm_is_sent_by_itself(
    stormy: Engine, importance: str
) -> None:
    now = NOW + 20 * SECOND
    [event] = open_events(stormy, rule_of("other"), 1, now, prefix="O", importance=importance)
    assert deliver_at(stormy, now) == [Posted("ops", "opened", (event,))]


@pytest.mark.parametrize("importance", ["medium", "critical"])
def test_an_event_of_the_same_rule_that_is_more_important_is_sent_by_itself(
    stormy: Engine, importance: str
) -> None:
    now = NOW + 20 * SECOND
    [event] = open_events(stormy, rule_of(), 1, now, prefix="X", importance=importance)
    assert deliver_at(stormy, now) == [Posted("ops", "opened", (event,))]


def test_a_check_that_fails_is_no_part_of_a_storm_of_alerts(stormy: Engine) -> None:
    now = NOW + 20 * SECOND
    told(stormy, rule_of(), a_run(1, "FAILED", message="no route to host"), now=now)
    [message] = deliver_at(stormy, now)
    assert message.reason == "opened"


def test_what_joins_a_storm_waits_for_its_next_message(stormy: Engine) -> None:
    first = rows(stormy, "alert_event")[0]["id"]
    assert waits(stormy, first) == ["sent"]
    now = NOW + 20 * SECOND
    [event] = open_events(stormy, rule_of(), 1, now, prefix="more")
    assert deliver_at(stormy, now) == []
    assert waits(stormy, event) == [None], "the message that was sent is older than the event"
    assert end_storms(stormy, NOW + 2 * MINUTE) == [1]
    assert waits(stormy, event) == ["pending"]
    [summary] = deliver_at(stormy, NOW + 2 * MINUTE, status="pending", error="500")
    assert waits(stormy, event) == ["pending"]
    assert deliver_at(stormy, NOW + 3 * MINUTE) == [summary]
    assert waits(stormy, event) == ["sent"]


def test_a_repeated_attempt_stands_for_the_same_events(engine: Engine) -> None:
    """The first attempt may have arrived, and what joined after it was not in it."""
    open_events(engine, rule_of(), 6, NOW)
    deliver_at(engine, NOW, status="pending", error="500", again=30 * SECOND)
    now = NOW + 20 * SECOND
    [event] = open_events(engine, rule_of(), 1, now, prefix="more")
    assert deliver_at(engine, now) == []
    later = NOW + 30 * SECOND
    [key] = due(engine, later)
    repeated = claim(engine, key, later)
    assert repeated is not None
    assert (repeated.reason, repeated.attempt, repeated.facts["events"]) == ("storm", 2, 6)
    settle(engine, repeated.ids, status="sent", error=None, now=later)
    assert waits(engine, event) == [None]


def test_an_event_that_becomes_more_important_in_a_storm_is_sent_by_itself(stormy: Engine) -> None:
    now = NOW + 20 * SECOND
    told(stormy, rule_of(), a_run(1), [fired("T3", importance="critical")], now=now)
    event = rows(stormy, "alert_event", ticker="T3")[0]["id"]
    assert deliver_at(stormy, now) == [Posted("ops", "escalated-critical", (event,))]
    later = now + 5 * SECOND
    open_events(stormy, rule_of(), 1, later, prefix="X", importance="critical")
    assert reasons(deliver_at(stormy, later)) == {"opened": 1}, "the storm is still of low events"


def test_a_critical_event_that_opens_with_a_storm_is_no_part_of_it(engine: Engine) -> None:
    [event] = open_events(engine, rule_of("vital"), 1, NOW, prefix="V", importance="critical")
    open_events(engine, rule_of(), 6, NOW)
    handed = deliver_at(engine, NOW)
    assert handed[0] == Posted("ops", "opened", (event,))
    assert reasons(handed + deliver_at(engine, NOW)) == {"opened": 1, "storm": 1}
    [storm] = [row for row in rows(engine, "notification") if row["about"]]
    assert len(storm["content"]["parts"]) == 1


def test_too_many_events_of_other_rules_extend_the_storm(stormy: Engine) -> None:
    """A message says so, a window after the one before it."""
    for n in range(12):
        now = NOW + (10 + n) * SECOND
        open_events(stormy, rule_of(f"other-{n}"), 1, now, prefix="O")
    assert deliver_at(stormy, NOW + 21 * SECOND) == []
    [grown] = deliver_at(stormy, NOW + MINUTE)
    assert (grown.reason, grown.about) == ("storm-2", "storm:1")
    assert {row["last_error"] for row in rows(stormy, "notification", status="suppressed")} == {
        "part of storm 1: its messages count it"
    }


def test_events_of_other_rules_are_sent_one_by_one_until_they_are_too_many(stormy: Engine) -> None:
    handed = []
    for n in range(12):
        now = NOW + (10 + n) * SECOND
        open_events(stormy, rule_of(f"other-{n}"), 1, now, prefix="O")
        handed += deliver_at(stormy, now)
    assert reasons(handed) == {"opened": 5}
    [grown] = deliver_at(stormy, NOW + MINUTE)
    assert grown.reason == "storm-2"
    statuses = Counter(row["status"] for row in rows(stormy, "notification") if row["event_id"])
    assert statuses == {"suppressed": 6 + 7, "sent": 5}


def test_too_many_critical_events_extend_the_storm_at_once(stormy: Engine) -> None:
    now = NOW + 10 * SECOND
    open_events(stormy, rule_of("vital"), 6, now, prefix="V", importance="critical")
    key = due(stormy, now)[0]
    grown = claim(stormy, key, now)
    assert grown is not None
    assert (grown.reason, grown.facts["events"], grown.facts["all_events"]) == ("storm-2", 6, 12)
    assert [event["importance"] for event in grown.facts["named"]] == ["critical"] * 6
    settle(stormy, grown.ids, status="sent", error=None, now=now)
    [event] = open_events(stormy, rule_of(), 1, now, prefix="X", importance="critical")
    assert deliver_at(stormy, now + SECOND) == [Posted("ops", "opened", (event,))]


def test_too_many_events_of_a_storm_that_become_critical_are_one_message(engine: Engine) -> None:
    open_events(engine, rule_of(), 20, NOW)
    assert reasons(deliver_at(engine, NOW)) == {"storm": 1}
    now = NOW + 10 * SECOND
    raised = [fired(f"T{n}", importance="critical") for n in range(20)]
    told(engine, rule_of(), a_run(1), raised, now=now)
    assert [message.reason for message in deliver_at(engine, now)] == ["storm-2"]
    told(engine, rule_of(), a_run(2), [fired("X", importance="critical")], now=now + SECOND)
    assert deliver_at(engine, now + SECOND) == [], "the storm has critical events of this rule now"


def test_a_group_of_what_is_sent_by_itself_takes_nothing_of_the_storm(engine: Engine) -> None:
    together: Any = {"group_by": ["channel"]}
    open_events(engine, rule_of(**together), 6, NOW)
    assert reasons(deliver_at(engine, NOW)) == {"storm": 1}
    now = NOW + 20 * SECOND
    vital = rule_of("vital", **together)
    [event] = open_events(engine, vital, 1, now, prefix="V", importance="critical")
    open_events(engine, rule_of(**together), 4, now, prefix="more")
    assert deliver_at(engine, now) == [Posted("ops", "opened", (event,))]


def test_four_deliverers_at_once_send_the_critical_one_once(
    engine: Engine, database_url: str
) -> None:
    open_events(engine, rule_of(), 60, NOW)
    [event] = open_events(engine, rule_of("vital"), 1, NOW, prefix="V", importance="critical")
    shares = at_once(deliver_everything, [(database_url, NOW)] * 4)
    handed = [message for share in shares for message in share]
    assert reasons(handed) == {"storm": 1, "opened": 1}
    assert Posted("ops", "opened", (event,)) in handed


def test_a_storm_that_ends_as_a_critical_event_arrives_leaves_it_alone(stormy: Engine) -> None:
    now = NOW + 2 * MINUTE
    [event] = open_events(stormy, rule_of("vital"), 1, now, prefix="V", importance="critical")
    assert end_storms(stormy, now) == [1]
    handed = deliver_at(stormy, now)
    assert Posted("ops", "opened", (event,)) in handed
    assert reasons(handed) == {"opened": 1, "storm-ended": 1}


def test_the_events_of_other_rules_do_not_keep_a_storm_going(stormy: Engine) -> None:
    for n in range(4):
        now = NOW + (30 + 10 * n) * SECOND
        open_events(stormy, rule_of("other"), 1, now, prefix=f"O{n}")
    assert reasons(deliver_at(stormy, NOW + MINUTE)) == {"opened": 4}
    assert end_storms(stormy, NOW + 61 * SECOND) == [1]


def test_what_is_resolved_or_acknowledged_in_a_storm_sends_nothing(engine: Engine) -> None:
    rule = rule_of(resolved=True, acknowledged=True)
    open_events(engine, rule, 6, NOW)
    assert reasons(deliver_at(engine, NOW)) == {"storm": 1}
    told(engine, rule, a_run(1), [quiet(f"T{n}") for n in range(6)], now=NOW + 20 * SECOND)
    assert deliver_at(engine, NOW + 20 * SECOND) == []
