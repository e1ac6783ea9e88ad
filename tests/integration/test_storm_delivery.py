"""A thousand events in a minute: one message, one summary, and a thousand events on record."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver, deliver_all, deliver_due
from tests.support.clock import Clock, delivery_clock
from tests.support.endpoint import Endpoint, Request
from tests.support.faulty import incoming_webhook, make_due, notifications
from tests.support.killed import deliverers
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.runs import a_rule, a_run, fired, quiet, rows, told

pytestmark = pytest.mark.usefixtures("sends")
SETTINGS = Settings(notify_timeout_seconds=10)
NOBODY = Routes()
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return delivery_clock(monkeypatch, datetime.now(UTC))


def told_of(endpoint: Endpoint) -> list[str]:
    """The line of each message, in small letters."""
    return [request.json["text"].lower() for request in endpoint.received]


def is_green(request: Request) -> bool:
    """True if a message looks as if nothing of it were open."""
    message = request.json
    return message["attachments"][0]["color"] == RESOLVED_COLOUR or RESOLVED_MARK in message["text"]


def about(engine: Engine) -> list[tuple[str, str]]:
    """What is owed about storms rather than events: reason and status."""
    return [
        (row["reason"], row["status"]) for row in notifications(engine) if row["event_id"] is None
    ]


def statuses(engine: Engine) -> dict[str, int]:
    """How many messages about events are in each status."""
    return Counter(row["status"] for row in notifications(engine) if row["event_id"] is not None)


@pytest.mark.slow("postgres")
def test_a_run_with_a_thousand_events_is_one_message_and_one_summary(
    engine: Engine, endpoint: Endpoint, clock: Clock
) -> None:
    rule = a_rule("market-wide", notify={"high": [incoming_webhook(endpoint.url)]})
    outputs = [fired(f"T{n:03}") for n in range(1_000)]
    keys = told(engine, rule, a_run(0), outputs, clock.moment).notifications
    deliver(engine, SETTINGS, keys)
    deliver_all(engine, SETTINGS, NOBODY)
    assert len(endpoint.received) == 1
    assert "storm" in told_of(endpoint)[0] and "1,000 events" in told_of(endpoint)[0]
    assert statuses(engine) == {"suppressed": 1_000}

    clock.moment += timedelta(seconds=20)  # what opens now belongs to it
    told(engine, rule, a_run(1), [fired(f"U{n}") for n in range(10)], clock.moment)
    deliver_all(engine, SETTINGS, NOBODY)
    clock.moment += MINUTE  # the last of it is still within the window
    told(engine, rule, a_run(2), [quiet(f"T{n:03}") for n in range(400)], clock.moment)
    deliver_all(engine, SETTINGS, NOBODY)
    deliver_all(engine, SETTINGS, NOBODY)
    assert len(endpoint.received) == 2
    assert "storm is over" in told_of(endpoint)[1] and "1,010 events" in told_of(endpoint)[1]
    summary = endpoint.received[1].body.decode()
    assert "400 resolved by now, 610 not" in summary
    assert "610 still open" in told_of(endpoint)[1]
    assert not is_green(endpoint.received[1])
    assert "market-wide" in summary and "Market" in summary
    assert about(engine) == [("storm", "sent"), ("storm-ended", "sent")]
    assert len(rows(engine, "alert_event")) == 1_010
    assert statuses(engine) == {"suppressed": 1_010}

    clock.moment += 2 * MINUTE
    told(engine, rule, a_run(3), [fired("AAPL")], clock.moment)
    deliver_all(engine, SETTINGS, NOBODY)
    assert len(endpoint.received) == 3
    assert "aapl" in told_of(endpoint)[2]


@pytest.mark.slow("sqlite")
def test_twenty_rules_with_fifty_events_each_are_one_message_of_four_deliverers(
    server: PrefectServer,
    engine: Engine,
    database_url: str,
    endpoint: Endpoint,
    tmp_path: Path,
) -> None:
    route = {"channel": incoming_webhook(endpoint.url), "group_wait_seconds": 3_600}
    env = {**server.env, "SENTINEL_DATABASE_URL": database_url}
    with deliverers(env, str(tmp_path / "deliverers.log")) as several:
        for _ in range(4):
            several.start()
        for number in range(20):
            rule = a_rule(f"rule-{number:02}", notify={"high": [route]})
            outputs = [fired(f"T{n:02}") for n in range(50)]
            told(engine, rule, a_run(0), outputs, datetime.now(UTC))
        make_due(engine)
        wait_for(
            lambda: statuses(engine) == {"suppressed": 1_000},
            what="the storm to take in everything",
        )
        wait_for(lambda: about(engine) == [("storm", "sent")], what="its message")
    assert len(endpoint.received) == 1
    assert "storm" in told_of(endpoint)[0]
    assert len(rows(engine, "alert_event")) == 1_000
    _ends_with_a_summary(engine, endpoint)


def _ends_with_a_summary(engine: Engine, endpoint: Endpoint) -> None:
    with pytest.MonkeyPatch.context() as patch:
        delivery_clock(patch, datetime.now(UTC) + 2 * MINUTE)
        assert deliver_all(engine, SETTINGS, NOBODY).storms_ended == 1
        assert deliver_all(engine, SETTINGS, NOBODY).storms_ended == 0
    assert len(endpoint.received) == 2
    assert "storm is over" in told_of(endpoint)[1] and "1,000 events" in told_of(endpoint)[1]
    assert "20" in endpoint.received[1].body.decode()


def test_a_storms_message_that_is_not_taken_is_sent_again_like_any_other(
    engine: Engine, endpoint: Endpoint
) -> None:
    endpoint.answers = [500, "reset"]
    rule = a_rule("market-wide", notify={"high": [incoming_webhook(endpoint.url)]})
    told(engine, rule, a_run(0), [fired(f"T{n}") for n in range(51)], datetime.now(UTC))
    for attempt in (1, 2, 3):
        deliver_due(engine, SETTINGS)
        assert len(endpoint.received) == attempt
        make_due(engine)
    assert deliver_due(engine, SETTINGS) == 0
    [storm] = [row for row in notifications(engine) if row["event_id"] is None]
    assert (storm["status"], storm["attempts"], storm["unknown"]) == ("sent", 3, 1)


def test_fifty_events_are_no_storm(engine: Engine, endpoint: Endpoint) -> None:
    rule = a_rule("market-wide", notify={"high": [incoming_webhook(endpoint.url)]})
    told(engine, rule, a_run(0), [fired(f"T{n}") for n in range(50)], datetime.now(UTC))
    assert deliver_due(engine, SETTINGS) == 50
    assert len(endpoint.received) == 1
    assert "50 events" in told_of(endpoint)[0] and "storm" not in told_of(endpoint)[0]


@pytest.mark.slow("sqlite")
def test_a_critical_event_during_a_storm_of_low_ones_arrives_at_once_and_by_itself(
    engine: Engine, endpoint: Endpoint, clock: Clock
) -> None:
    channel: Any = {"channel": incoming_webhook(endpoint.url), "storm": {"events": 10}}
    noise = a_rule("noise", importance="low", notify={"low": [channel]})
    vital = a_rule("vital", importance="critical", notify={"critical": [channel]})
    for n in range(60):
        clock.moment += SECOND
        told(engine, noise, a_run(n / 60), [fired(f"N{n:02}", importance="low")], clock.moment)
        deliver_due(engine, SETTINGS)
    assert len(endpoint.received) == 11
    assert "storm" in told_of(endpoint)[10] and "1 event" in told_of(endpoint)[10]

    down = [fired("DB", importance="critical", message="the database is down")]
    told(engine, vital, a_run(1), down, clock.moment)
    assert deliver_due(engine, SETTINGS) == 1
    assert len(endpoint.received) == 12
    assert "critical" in told_of(endpoint)[11] and "vital" in told_of(endpoint)[11]
    assert "the database is down" in endpoint.received[11].body.decode()

    clock.moment += 2 * MINUTE
    over = [quiet(f"N{n:02}") for n in range(59)]
    told(engine, noise, a_run(3), over, clock.moment)
    deliver_all(engine, SETTINGS, NOBODY)
    assert len(endpoint.received) == 13
    assert "storm is over" in told_of(endpoint)[12] and "1 still open" in told_of(endpoint)[12]
    summary = endpoint.received[12]
    assert "N59" in summary.body.decode()
    assert not is_green(summary)

    told(engine, noise, a_run(4), [quiet("N59")], clock.moment)
    deliver_all(engine, SETTINGS, NOBODY)
    deliver_all(engine, SETTINGS, NOBODY)
    assert len(endpoint.received) == 14
    assert "storm is resolved" in told_of(endpoint)[13]
    assert is_green(endpoint.received[13])
    assert sum("vital" in request.body.decode() for request in endpoint.received) == 1
