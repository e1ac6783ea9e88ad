"""What becomes of a storm: its summary, the message when all is resolved, and one that goes on."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.notify.channel.outcome import Signal
from sentinel_core.notify.deliver import address_of, content_of
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.outbox.claim import LEASE, ClaimedMessage, claim, due
from sentinel_core.store.outbox.settle import retry_failed, settle
from sentinel_core.store.outbox.storm_upkeep import end_storms, report_resolved_storms
from sentinel_core.store.record.resolve import resolve
from tests.support.posted import deliver_at
from tests.support.runs import NOW, a_rule, a_run, fired, quiet, rows, told
from tests.support.swarm import at_once

PAGE = "pager-duty-webhook/duty"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STORM: Any = {"channel": PAGE, "group_by": [], "storm": {"events": 5, "window_seconds": 60}}
RULE = a_rule("surge", notify={"high": [STORM]})


def record(engine: Engine, now: datetime, *outputs: Any) -> None:
    told(engine, RULE, a_run((now - NOW) / MINUTE), outputs, now=now)


def claimed(engine: Engine, now: datetime) -> ClaimedMessage:
    """The one message that is due, claimed."""
    [key] = due(engine, now)
    message = claim(engine, key, now)
    assert message is not None
    return message


def send(engine: Engine, now: datetime, status: str = "sent") -> ClaimedMessage:
    """Claim the one message that is due, and settle it."""
    message = claimed(engine, now)
    error = None if status == "sent" else "404"
    settle(engine, message.ids, status=status, error=error, now=now)
    return message


@pytest.fixture
def begun(engine: Engine) -> ClaimedMessage:
    """The first message of a storm of six events."""
    record(engine, NOW, *(fired(f"T{n}") for n in range(6)))
    [key] = due(engine, NOW)[:1]
    message = claim(engine, key, NOW)
    assert message is not None
    settle(engine, message.ids, status="sent", error=None, now=NOW)
    return message


def test_an_incident_stays_open_until_everything_of_the_storm_is_resolved(
    engine: Engine, begun: ClaimedMessage
) -> None:
    assert address_of(begun).signal is Signal.TRIGGER
    record(engine, NOW + MINUTE, *(quiet(f"T{n}") for n in range(4)))
    assert end_storms(engine, NOW + 2 * MINUTE) == [1]
    summary = send(engine, NOW + 2 * MINUTE)
    assert (summary.reason, summary.facts["open"]) == ("storm-ended", 2)
    assert address_of(summary).signal is Signal.TRIGGER
    assert report_resolved_storms(engine, NOW + 3 * MINUTE) == []
    record(engine, NOW + 4 * MINUTE, quiet("T4"), quiet("T5"))
    assert report_resolved_storms(engine, NOW + 4 * MINUTE) == [1]
    last = send(engine, NOW + 4 * MINUTE)
    assert (last.reason, content_of(engine, last).about) == ("storm-resolved", "storm-resolved")
    assert address_of(last).signal is Signal.RESOLVE
    assert last.incident == summary.incident == begun.incident
    assert report_resolved_storms(engine, NOW + 5 * MINUTE) == []


def test_a_summary_with_nothing_open_is_the_last_message(
    engine: Engine, begun: ClaimedMessage
) -> None:
    resolve(engine, [row["id"] for row in rows(engine, "alert_event")], by="ana", now=NOW + SECOND)
    assert end_storms(engine, NOW + 2 * MINUTE) == [1]
    summary = send(engine, NOW + 2 * MINUTE)
    assert address_of(summary).signal is Signal.RESOLVE
    assert report_resolved_storms(engine, NOW + 3 * MINUTE) == []


def test_a_summary_that_was_attempted_while_something_was_open_is_followed_by_the_end(
    engine: Engine, begun: ClaimedMessage
) -> None:
    """Nobody knows which of its attempts arrived: the first said that something is open."""
    end_storms(engine, NOW + 2 * MINUTE)
    claimed(engine, NOW + 2 * MINUTE)  # and its deliverer dies
    later = NOW + 2 * MINUTE + LEASE
    record(engine, later, *(quiet(f"T{n}") for n in range(6)))
    assert report_resolved_storms(engine, later) == [], "the summary comes first"
    summary = send(engine, later)
    assert (summary.reason, summary.attempt, summary.unknown) == ("storm-ended", 2, 1)
    assert report_resolved_storms(engine, later) == [1]


@pytest.mark.slow("sqlite")
def test_two_deliverers_report_a_storm_as_resolved_once(
    engine: Engine, database_url: str, begun: ClaimedMessage
) -> None:
    end_storms(engine, NOW + 2 * MINUTE)
    send(engine, NOW + 2 * MINUTE)
    record(engine, NOW + 3 * MINUTE, *(quiet(f"T{n}") for n in range(6)))
    at_once(_report, [(database_url,)] * 2)
    assert Counter(row["reason"] for row in rows(engine, "notification") if row["about"]) == {
        "storm": 1,
        "storm-ended": 1,
        "storm-resolved": 1,
    }


def _report(url: str) -> None:
    engine = open_engine(url)
    report_resolved_storms(engine, NOW + 3 * MINUTE)
    engine.dispose()


@pytest.mark.slow
def test_nothing_waits_longer_than_an_hour_for_a_message_of_a_storm_that_goes_on(
    engine: Engine, begun: ClaimedMessage
) -> None:
    for n in range(120):
        now = NOW + n * 30 * SECOND
        record(engine, now, *(fired(f"M{n}-{k}") for k in range(3)))
        assert end_storms(engine, now) == []
        assert deliver_at(engine, now) == []
    assert end_storms(engine, NOW + HOUR) == []
    update = send(engine, NOW + HOUR)
    assert (update.reason, update.facts["events"], update.facts["all_events"]) == (
        "storm-2",
        360,
        366,
    )
    record(engine, NOW + HOUR + SECOND, *(fired(f"L{k}") for k in range(3)))
    assert end_storms(engine, NOW + HOUR + SECOND) == []
    assert due(engine, NOW + HOUR + SECOND) == [], "the next hour has begun"


def test_what_a_storm_has_grown_by_is_an_incident_and_a_thread_of_its_own(
    engine: Engine, begun: ClaimedMessage
) -> None:
    """One more trigger of an open incident pages nobody. The storm's end resolves both."""
    now = NOW + 10 * SECOND
    routes: Any = {"critical": [STORM]}
    vital = a_rule("vital", importance="critical", notify=routes)
    told(engine, vital, a_run(1), [fired(f"V{n}") for n in range(6)], now=now)
    grown = claim(engine, due(engine, now)[0], now)
    assert grown is not None
    settle(engine, grown.ids, status="sent", error=None, now=now, reference="2")
    assert (grown.incident, grown.thread) == (f"{begun.incident}/2", None)
    assert address_of(grown).signal is Signal.TRIGGER
    resolve(engine, [row["id"] for row in rows(engine, "alert_event")], by="ana", now=NOW + MINUTE)
    end_storms(engine, NOW + 2 * MINUTE)
    summary = address_of(send(engine, NOW + 2 * MINUTE))
    assert summary.signal is Signal.RESOLVE
    assert (summary.dedup_key, summary.other_incidents) == (begun.incident, (grown.incident,))


def test_a_summary_replaces_what_was_not_attempted_yet(
    engine: Engine, begun: ClaimedMessage
) -> None:
    now = NOW + 10 * SECOND
    for n in range(6):
        rule = a_rule(f"other-{n}", notify={"high": [STORM]})
        told(engine, rule, a_run(1), [fired("O")], now=now)
    assert deliver_at(engine, now) == []
    assert end_storms(engine, NOW + 5 * MINUTE) == [1]
    summary = send(engine, NOW + 5 * MINUTE)
    assert (summary.reason, summary.facts["events"]) == ("storm-ended", 12)
    [replaced] = rows(engine, "notification", reason="storm-2")
    assert (replaced["status"], replaced["dropped_code"]) == ("suppressed", "storm")
    assert replaced["last_error"] == "the storm's summary replaces it"


def test_a_first_message_that_failed_for_good_can_be_sent_again(engine: Engine) -> None:
    record(engine, NOW, *(fired(f"T{n}") for n in range(6)))
    message = claim(engine, due(engine, NOW)[0], NOW)
    assert message is not None
    settle(engine, message.ids, status="failed", error="404", now=NOW)
    record(engine, NOW + SECOND, fired("late"))
    assert deliver_at(engine, NOW + SECOND) == []
    assert retry_failed(engine, PAGE, NOW, NOW + MINUTE) == 1
    again = send(engine, NOW + MINUTE)
    assert (again.reason, again.facts["events"]) == ("storm", 6)


def test_an_event_waits_an_hour_for_a_message_of_its_storm_and_no_longer(
    engine: Engine, begun: ClaimedMessage
) -> None:
    joined = NOW + SECOND
    record(engine, joined, fired("early"))
    assert deliver_at(engine, joined) == []
    [waiting] = rows(engine, "notification", message_id=None, status="suppressed")
    assert waiting["settled_at"] == joined
    record(engine, NOW + HOUR, *(fired(f"M{n}") for n in range(3)))
    assert end_storms(engine, NOW + HOUR) == []
    assert due(engine, NOW + HOUR) == []
    assert end_storms(engine, joined + HOUR) == []
    update = send(engine, joined + HOUR)
    assert (update.reason, update.facts["events"], update.facts["all_events"]) == ("storm-2", 4, 10)
    [first, second] = (row["content"] for row in rows(engine, "notification") if row["about"])
    assert first == second, "it is made of the same rules and kinds of events"


def test_a_first_message_that_is_tried_again_keeps_to_what_it_said(engine: Engine) -> None:
    """It may have arrived: what the storm grows by afterwards is the next message's."""
    record(engine, NOW, *(fired(f"T{n}") for n in range(6)))
    [began] = deliver_at(engine, NOW, status="pending", error="500", again=10 * MINUTE)
    routes: Any = {"critical": [STORM]}
    vital = a_rule("vital", importance="critical", notify=routes)
    told(engine, vital, a_run(1), [fired(f"V{n}") for n in range(6)], now=NOW + 10 * SECOND)
    assert deliver_at(engine, NOW + 10 * SECOND) == []
    first, second = (row for row in rows(engine, "notification") if row["about"])
    assert (first["reason"], len(first["content"]["parts"])) == (began.reason, 1)
    assert (second["reason"], len(second["content"]["parts"])) == ("storm-2", 2)


def test_a_storm_with_something_open_holds_up_the_last_message_of_no_other(
    engine: Engine, begun: ClaimedMessage
) -> None:
    other: Any = {**STORM, "channel": "slack-incoming-webhook/ops"}
    rule = a_rule("fall", notify={"high": [other]})
    outputs = [fired(f"F{n}") for n in range(6)]
    events = told(engine, rule, a_run(0), outputs, now=NOW).opened
    assert [message.about for message in deliver_at(engine, NOW)] == ["storm:2"]
    assert end_storms(engine, NOW + 2 * MINUTE) == [1, 2]
    assert len(deliver_at(engine, NOW + 2 * MINUTE)) == 2
    resolve(engine, events, by="ana", now=NOW + 3 * MINUTE)
    assert report_resolved_storms(engine, NOW + 3 * MINUTE) == [2]
