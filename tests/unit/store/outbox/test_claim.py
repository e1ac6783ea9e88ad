"""Messages owed: each is attempted by one deliverer at a time and never again once sent."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.model.routing import Route
from sentinel_core.report.query import enqueue_report
from sentinel_core.store.outbox.claim import LEASE, claim, due, still_due
from sentinel_core.store.outbox.settle import settle
from tests.support.runs import NOW, a_rule, a_run, fired, rows, told
from tests.support.swarm import at_once, claim_all

RULE = a_rule(notify={"high": ["slack-incoming-webhook/x"]})
SECOND = timedelta(seconds=1)


@pytest.fixture
def owed(engine: Engine) -> int:
    """One message that is owed since NOW."""
    [key] = told(engine, RULE, a_run(), [fired()]).notifications
    return key


def test_a_message_is_due_from_when_its_event_was_recorded(engine: Engine, owed: int) -> None:
    assert due(engine, NOW - SECOND) == []
    assert due(engine, NOW) == [owed]


def test_what_is_claimed_names_the_channel_and_carries_the_event(engine: Engine, owed: int) -> None:
    claimed = claim(engine, owed, NOW)
    assert claimed is not None
    assert (claimed.id, claimed.channel, claimed.reason, claimed.attempt) == (
        owed,
        "slack-incoming-webhook/x",
        "opened",
        1,
    )
    [(event, reason)] = claimed.events
    assert (event["ticker"], reason) == ("AAPL", "opened")
    assert event["metrics"] == {"value": 151.2, "threshold": 150.0}
    assert event["metadata"] == {}


def test_the_attempt_is_on_record_before_anything_is_sent(engine: Engine, owed: int) -> None:
    claim(engine, owed, NOW)
    [row] = rows(engine, "notification")
    assert (row["status"], row["attempts"]) == ("pending", 1)


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(engine: Engine, owed: int) -> None:
    assert claim(engine, owed, NOW) is not None
    assert claim(engine, owed, NOW + SECOND) is None
    assert due(engine, NOW + SECOND) == []
    over = NOW + LEASE
    assert due(engine, over) == [owed]
    again = claim(engine, owed, over)
    assert again is not None
    assert again.attempt == 2


def test_a_sent_message_is_never_sent_again(engine: Engine, owed: int) -> None:
    claim(engine, owed, NOW)
    settle(engine, owed, status="sent", error=None, now=NOW + SECOND)
    assert claim(engine, owed, NOW + timedelta(days=1)) is None
    assert due(engine, NOW + timedelta(days=1)) == []
    [row] = rows(engine, "notification")
    assert (row["status"], row["sent_at"], row["last_error"]) == ("sent", NOW + SECOND, None)


def test_a_success_on_record_is_not_undone_by_a_slower_deliverer(engine: Engine, owed: int) -> None:
    claim(engine, owed, NOW)
    settle(engine, owed, status="sent", error=None, now=NOW)
    settle(engine, owed, status="pending", error="late", now=NOW, next_attempt_at=NOW)
    [row] = rows(engine, "notification")
    assert (row["status"], row["last_error"]) == ("sent", None)


def test_a_failed_attempt_is_tried_again_when_it_is_due(engine: Engine, owed: int) -> None:
    claim(engine, owed, NOW)
    later = NOW + timedelta(minutes=5)
    settle(engine, owed, status="pending", error="500", now=NOW, next_attempt_at=later)
    assert claim(engine, owed, later - SECOND) is None
    again = claim(engine, owed, later)
    assert again is not None
    assert again.attempt == 2


def test_a_message_given_up_stays_given_up_and_says_why(engine: Engine, owed: int) -> None:
    claim(engine, owed, NOW)
    settle(engine, owed, status="failed", error="no such block", now=NOW)
    assert claim(engine, owed, NOW + timedelta(days=1)) is None
    [row] = rows(engine, "notification", event_id=rows(engine, "alert_event")[0]["id"])
    assert (row["status"], row["last_error"]) == ("failed", "no such block")


def test_a_message_nobody_knows_cannot_be_claimed(engine: Engine) -> None:
    assert claim(engine, 4_711, NOW) is None


def test_the_oldest_messages_are_due_first_and_no_more_than_asked_for(engine: Engine) -> None:
    keys = [
        told(engine, RULE, a_run(n), [fired(f"T{n}")], now=NOW + n * SECOND).notifications[0]
        for n in range(3)
    ]
    assert due(engine, NOW + timedelta(hours=1)) == keys
    assert due(engine, NOW + timedelta(hours=1), limit=2) == keys[:2]


def test_four_deliverers_at_once_never_have_the_same_message(
    engine: Engine, database_url: str
) -> None:
    outputs = [fired(f"T{n}") for n in range(30)]
    keys = told(engine, RULE, a_run(), outputs).notifications
    claimed = at_once(claim_all, [(database_url, keys, NOW)] * 4)
    assert sorted(key for share in claimed for key in share) == sorted(keys)
    assert {row["attempts"] for row in rows(engine, "notification")} == {1}


def test_of_given_messages_those_that_are_due_remain_in_their_order(engine: Engine) -> None:
    keys = told(engine, RULE, a_run(), [fired("A"), fired("B"), fired("C")]).notifications
    given = [keys[2], 4711, keys[0], keys[1]]
    assert still_due(engine, given, NOW - SECOND) == []
    assert still_due(engine, given, NOW) == [keys[2], keys[0], keys[1]]
    claimed = claim(engine, keys[0], NOW)
    assert claimed is not None
    assert set(claimed.ids) == set(keys)  # the others leave with it
    assert still_due(engine, given, NOW) == []
    assert still_due(engine, given, NOW + LEASE) == [keys[2], keys[0], keys[1]]


def test_a_report_is_claimed_with_its_facts_and_goes_to_the_thread_of_its_first_message(
    engine: Engine,
) -> None:
    to = Route(channel="slack-credentials/bot", to="#ops")
    [key] = enqueue_report(engine, "report:week-45", {"events": 3}, [to], NOW)
    first = claim(engine, key, NOW)
    assert first is not None
    assert (first.about, first.facts, first.events) == ("report:week-45", {"events": 3}, ())
    assert (first.incident, first.thread) == ("sentinel/report:week-45", None)
    again = NOW + timedelta(minutes=5)
    retry: Any = {"status": "pending", "error": "500", "next_attempt_at": again, "reference": "1.2"}
    settle(engine, first.ids, now=NOW, **retry)
    second = claim(engine, key, again)
    assert second is not None
    assert (second.attempt, second.thread, second.incident) == (2, "1.2", first.incident)
