"""What became of the messages about an event, in words."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sentinel_core.wording.delivery_timeline import (
    State,
    escalation_words,
    next_step,
    reason_words,
    timeline,
)
from tests.support.recorded import NOON

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
OPEN: dict[str, Any] = {
    "importance": "high",
    "resolved_at": None,
    "is_acknowledged": False,
    "acknowledged_until": None,
    "acknowledged_by": None,
    "acknowledged_at": None,
}
TAKEN = {**OPEN, "is_acknowledged": True, "acknowledged_by": "ann", "acknowledged_at": NOON}


def a_message(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "channel": "slack-incoming-webhook/ops",
        "recipient": "",
        "reason": "opened",
        "route": {},
        "status": "pending",
        "attempts": 0,
        "unknown": 0,
        "claimed_at": None,
        "settled_at": None,
        "sent_at": None,
        "created_at": NOON,
        "next_attempt_at": NOON,
        "last_error": None,
        "dropped_code": None,
        "storm_id": None,
        "storm_message": None,
        "together": 0,
        **changes,
    }


def step(number: int, due: datetime, **changes: Any) -> dict[str, Any]:
    given = {"reason": f"step-{number}", "next_attempt_at": due, "route": {"importance": "high"}}
    return a_message(**{**given, **changes})


SENT = {"status": "sent", "sent_at": NOON, "settled_at": NOON, "attempts": 1}
GIVEN_UP = {
    "attempts": 30,
    "last_error": "given up after 30 attempts: 5",
    "dropped_code": "attempts-exhausted",
}
FAILED = {"status": "failed", "settled_at": NOON, "attempts": 1, "last_error": "404 gone"}
HELD = {"status": "suppressed", "settled_at": NOON}


@pytest.mark.parametrize(
    ("row", "state", "words"),
    [
        (a_message(**SENT), State.SENT, ""),
        (a_message(**SENT, together=3), State.SENT, "together with 3 other events"),
        (a_message(**SENT, together=1), State.SENT, "together with 1 other event"),
        (a_message(**{**SENT, "unknown": 1}), State.SENT, "arrival unknown once, sent again"),
        (a_message(**FAILED), State.FAILED, "for good: 404 gone"),
        (
            a_message(**{**FAILED, "attempts": 4, "unknown": 2}),
            State.FAILED,
            "for good after 4 attempts: 404 gone; arrival unknown twice",
        ),
        (
            a_message(**{**FAILED, **GIVEN_UP}),
            State.FAILED,
            "for good: given up after 30 attempts: 5",
        ),
        (a_message(**HELD, last_error="silenced by bo"), State.NOT_SENT, "silenced by bo"),
        (
            a_message(**HELD, storm_id=7, storm_message="sent"),
            State.STORM,
            "part of the message of storm 7",
        ),
        (
            a_message(**HELD, storm_id=7, storm_message="pending"),
            State.STORM,
            "part of the message of storm 7, which is not sent yet",
        ),
        (
            a_message(**HELD, storm_id=7, storm_message="failed"),
            State.STORM,
            "part of the message of storm 7, which failed for good",
        ),
        (
            a_message(**HELD, storm_id=7, storm_message=None),
            State.STORM,
            "waits for the next message of storm 7",
        ),
        (a_message(), State.DUE, "since 12:00:00"),
        (
            a_message(attempts=1, claimed_at=NOON, next_attempt_at=NOON + 5 * MINUTE),
            State.SENDING,
            "since 12:00:00",
        ),
        (
            a_message(attempts=1, claimed_at=NOON - MINUTE, next_attempt_at=NOON),
            State.RETRYING,
            "how the attempt at 11:59:00 ended is not known; it is sent again",
        ),
        (
            a_message(attempts=3, next_attempt_at=NOON + 5 * MINUTE, last_error="500", unknown=1),
            State.RETRYING,
            "tried 3 times, next at 12:05:00; last error: 500; arrival unknown once",
        ),
        (
            a_message(attempts=1, last_error="500"),
            State.RETRYING,
            "tried once, due again since 12:00:00; last error: 500",
        ),
        (
            a_message(next_attempt_at=NOON + 2 * MINUTE, route={"group_wait_seconds": 120}),
            State.WAITING,
            "for its group until 12:02:00",
        ),
        (
            a_message(next_attempt_at=NOON + 9 * MINUTE, last_error="waits for its group: …"),
            State.WAITING,
            "for its group until 12:09:00",
        ),
        (
            a_message(next_attempt_at=NOON + 9 * MINUTE),
            State.WAITING,
            "until 12:09:00, as its channel asks",
        ),
        (step(2, NOON + 5 * MINUTE), State.ESCALATES, "at 12:05:00 unless acknowledged"),
        (
            step(2, NOON + timedelta(days=1)),
            State.ESCALATES,
            "at 2026-11-21 12:00:00 unless acknowledged",
        ),
        (step(2, NOON - MINUTE), State.DUE, "since 11:59:00"),
        (
            step(2, NOON + MINUTE, last_error="silenced by bo"),
            State.WAITING,
            "until 12:01:00: silenced by bo",
        ),
    ],
)
def test_each_fate_of_a_message_has_words(row: dict[str, Any], state: State, words: str) -> None:
    [one] = timeline(OPEN, [row], NOON + SECOND)
    assert (one.state, one.words) == (state, words)


def test_what_is_still_to_come_stands_last_and_is_put_in_the_zone_of_whoever_looks() -> None:
    rows = [
        step(1, NOON + 10 * MINUTE),
        a_message(status="sent", sent_at=NOON, settled_at=NOON, attempts=1),
    ]
    entries = timeline(OPEN, rows, NOON + SECOND, ZoneInfo("America/New_York"))
    assert [one.why for one in entries] == ["opened", "step 1 of the escalation"]
    assert entries[1].words == "at 07:10:00 unless acknowledged"


def test_a_message_waits_for_the_one_before_it_in_its_own_channel_only() -> None:
    first = a_message(attempts=1, next_attempt_at=NOON + 5 * MINUTE, last_error="500")
    behind = a_message(reason="resolved")
    elsewhere = a_message(reason="resolved", channel="pager-duty-webhook/oncall")
    found = timeline(OPEN, [first, behind, elsewhere], NOON + SECOND)
    said = {(one.to, one.why): (one.state, one.words) for one in found}
    assert said["slack-incoming-webhook/ops", "resolved"] == (
        State.WAITING,
        "for the message before it",
    )
    assert said["pager-duty-webhook/oncall", "resolved"] == (State.DUE, "since 12:00:00")


def test_whom_a_channel_tells_is_named_beside_it() -> None:
    row = a_message(channel="email-server-credentials/mail", recipient="a@b.c,d@e.f")
    [one] = timeline(OPEN, [row], NOON)
    assert one.to == "email-server-credentials/mail → a@b.c, d@e.f"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (TAKEN, "acknowledged by ann at 2026-11-20 12:00 UTC"),
        ({**OPEN, "resolved_at": NOON}, "resolved at 2026-11-20 12:00 UTC"),
        ({**OPEN, "importance": "critical"}, "the event is critical by now"),
        ({**TAKEN, "acknowledged_until": NOON + 11 * MINUTE}, "acknowledged by ann"),
    ],
)
def test_a_step_nobody_needs_any_more_is_stopped_and_no_next_step(
    event: dict[str, Any], why: str
) -> None:
    row = step(1, NOON + 10 * MINUTE)
    [one] = timeline(event, [row], NOON + SECOND)
    assert one.state is State.STOPPED
    assert one.words.startswith(why)
    assert next_step(event, [row], NOON + SECOND) == []


def test_a_step_after_the_end_of_an_acknowledgement_is_still_to_come() -> None:
    event = {**TAKEN, "acknowledged_until": NOON + 9 * MINUTE}
    row = step(1, NOON + 10 * MINUTE)
    [one] = timeline(event, [row], NOON + SECOND)
    assert one.state is State.ESCALATES
    assert next_step(event, [row], NOON + SECOND) == [row]


def test_the_next_step_says_when_it_goes_to_whom() -> None:
    rows = [
        step(1, NOON, status="sent", sent_at=NOON, settled_at=NOON, attempts=1),
        step(3, NOON + 30 * MINUTE),
        step(2, NOON + 5 * MINUTE, channel="pager-duty-webhook/oncall"),
        step(2, NOON + 5 * MINUTE, channel="twilio-sms/head"),
    ]
    words = escalation_words(next_step(OPEN, rows, NOON + SECOND), NOON + SECOND)
    assert words == (
        "step 2 to pager-duty-webhook/oncall and twilio-sms/head at 12:05:00, unless acknowledged"
    )
    assert escalation_words([], NOON) == ""
    assert "due since 12:05:00" in escalation_words(rows[2:3], NOON + 6 * MINUTE)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("opened", "opened"),
        ("step-12", "step 12 of the escalation"),
        ("escalated-critical", "more important: critical"),
        ("acknowledgement-ended", "the acknowledgement has ended"),
        ("value-crossed", "the acknowledgement has ended, the value crossed its limit"),
        ("something new", "something new"),
    ],
)
def test_every_reason_has_words(reason: str, words: str) -> None:
    assert reason_words(reason) == words


def test_a_step_that_is_being_sent_is_not_said_to_be_stopped() -> None:
    row = step(1, NOON + MINUTE, attempts=1, claimed_at=NOON)
    [one] = timeline(TAKEN, [row], NOON + SECOND)
    assert (one.state, one.words) == (State.SENDING, "since 12:00:00")
    [later] = timeline(TAKEN, [row], NOON + 2 * MINUTE)
    assert later.state is State.STOPPED
