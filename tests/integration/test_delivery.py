"""Owed messages through real blocks of a real Prefect server to real endpoints: HTTP and SMTP."""

import itertools
import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.decide.delivery import MOST_ATTEMPTS
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver, deliver_all, deliver_due
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from tests.support.endpoint import Endpoint, Request, http_endpoint
from tests.support.faulty import (
    arrivals,
    bot_token,
    events_in,
    incidents,
    incoming_webhook,
    mailbox,
    make_due,
    notifications,
    owed,
    providers_at,
    set_attempts,
)
from tests.support.killed import deliverers
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.runs import a_rule, a_run, fired, quiet, rows, told
from tests.support.smtp import mail_server

pytestmark = pytest.mark.usefixtures("sends")
SETTINGS = Settings(notify_timeout_seconds=10)
IMPATIENT = Settings(notify_timeout_seconds=1)


@pytest.fixture
def channel(endpoint: Endpoint) -> str:
    return incoming_webhook(endpoint.url)


def test_what_was_sent_is_on_record_and_never_sent_again(
    engine: Engine, endpoint: Endpoint, channel: str
) -> None:
    keys = owed(engine, channel)
    assert deliver(engine, SETTINGS, keys) == 1
    assert deliver(engine, SETTINGS, keys) == 0
    assert deliver_due(engine, SETTINGS) == 0
    [row] = notifications(engine)
    assert arrivals(endpoint.received) == {row["event_id"]: 1}
    assert (row["status"], row["attempts"], row["unknown"]) == ("sent", 1, 0)
    assert (row["last_error"], row["message_id"]) == (None, row["id"])
    assert row["sent_at"] == row["settled_at"] is not None


def test_events_of_a_rule_that_open_together_are_one_message(
    engine: Engine, endpoint: Endpoint, channel: str
) -> None:
    keys = owed(engine, channel, tickers=["AAPL", "GOOG", "MSFT"])
    assert deliver(engine, SETTINGS, keys) == 3
    [request] = endpoint.received
    assert events_in(request) == {row["event_id"] for row in notifications(engine)}
    assert "3 EVENTS" in request.json["text"]
    assert {row["message_id"] for row in notifications(engine)} == {keys[0]}
    assert {row["status"] for row in notifications(engine)} == {"sent"}


def test_a_route_that_groups_nothing_sends_a_message_for_each(
    store: Engine, endpoint: Endpoint, channel: str
) -> None:
    owed(store, {"channel": channel, "group_by": []}, tickers=["AAPL", "GOOG"])
    assert deliver_due(store, SETTINGS) == 2
    assert [len(events_in(request)) for request in endpoint.received] == [1, 1]


def test_a_group_waits_for_company_and_then_leaves_as_one(
    store: Engine, endpoint: Endpoint, channel: str
) -> None:
    route = {"channel": channel, "group_by": ["category"], "group_wait_seconds": 60}
    assert owed(store, route, name="one") == [], "nothing of it is due"
    assert owed(store, route, name="other") == []
    assert deliver_due(store, SETTINGS) == 0
    make_due(store)
    assert deliver_due(store, SETTINGS) == 2
    [request] = endpoint.received
    assert len(events_in(request)) == 2


def test_a_channel_that_fails_does_not_keep_the_next_from_hearing(
    engine: Engine, endpoint: Endpoint, channel: str
) -> None:
    assert deliver(engine, SETTINGS, owed(engine, "slack-incoming-webhook/nowhere", channel)) == 1
    missing, sent = notifications(engine)
    assert (missing["status"], sent["status"]) == ("failed", "sent")
    assert "can't be loaded" in missing["last_error"]
    assert len(endpoint.received) == 1


def test_the_pauses_between_attempts_grow(engine: Engine, endpoint: Endpoint, channel: str) -> None:
    endpoint.answer = 500
    owed(engine, channel)
    for attempt, longest in enumerate((30, 60, 120), start=1):
        make_due(engine)
        assert deliver_due(engine, SETTINGS) == 0
        [row] = notifications(engine)
        assert (row["status"], row["attempts"], row["sent_at"]) == ("pending", attempt, None)
        assert "500" in row["last_error"]
        wait = (row["next_attempt_at"] - datetime.now(UTC)).total_seconds()
        assert longest / 2 - 5 < wait <= longest


def test_of_a_group_only_what_was_tried_often_enough_is_given_up(
    engine: Engine, endpoint: Endpoint, channel: str
) -> None:
    """One of three has had all its attempts but for this one; the others joined it later."""
    endpoint.answer = 500
    first, *later = owed(engine, channel, tickers=["AAPL", "GOOG", "MSFT"])
    set_attempts(engine, first, MOST_ATTEMPTS - 1)
    assert deliver(engine, SETTINGS, [first]) == 0
    given_up, *others = notifications(engine)
    assert (given_up["status"], given_up["attempts"]) == ("failed", MOST_ATTEMPTS)
    assert given_up["last_error"].startswith(f"given up after {MOST_ATTEMPTS} attempts: ")
    assert given_up["settled_at"] is not None
    assert [row["id"] for row in others] == later
    assert {(row["status"], row["attempts"]) for row in others} == {("pending", 1)}
    assert len(endpoint.received) == 1


def test_the_log_names_the_channel_the_events_and_the_error(
    store: Engine, endpoint: Endpoint, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.answer = 500
    with caplog.at_level(logging.WARNING, logger="prefect.sentinel"):
        deliver(store, SETTINGS, owed(store, channel))
        deliver(store, SETTINGS, owed(store, channel, tickers=["B", "C", "D"], name="other"))
    said = [record.getMessage() for record in caplog.records if record.name.endswith("sentinel")]
    assert [line.partition(": Slack")[0] for line in said] == [
        f"{channel}: event 1",
        f"{channel}: event 2 and 2 more",
    ]
    assert all("500" in line for line in said)


def test_a_round_tells_of_a_failing_channel_in_the_same_round(
    store: Engine, endpoint: Endpoint, channel: str
) -> None:
    owed(store, "slack-incoming-webhook/nowhere", name="one")
    owed(store, channel, name="other")
    routes = Routes.model_validate({"critical": [channel], "high": [channel]})
    done = deliver_all(store, SETTINGS, routes)
    assert done.failing == ["slack-incoming-webhook/nowhere"]
    assert done.sent == len(endpoint.received) == 2  # the event, and that the other channel fails
    assert done.sentence() == (
        "2 notifications sent; channels that fail: slack-incoming-webhook/nowhere"
    )
    assert deliver_all(store, SETTINGS, routes).sent == 0


def test_however_many_messages_a_hanging_channel_is_owed_the_run_is_not_held_up(
    store: Engine, endpoint: Endpoint, channel: str
) -> None:
    endpoint.answer = "hang"
    alone = {"channel": channel, "group_by": []}
    keys = owed(store, alone, tickers=[f"T{n}" for n in range(20)])
    assert deliver(store, IMPATIENT, keys) == 0
    untouched = [row for row in notifications(store) if row["attempts"] == 0]
    assert len(untouched) >= 16


def test_a_hanging_channel_does_not_hold_up_another(
    store: Engine, endpoint: Endpoint, channel: str
) -> None:
    with http_endpoint() as hung:
        hung.answer = "hang"
        routes = [
            {"channel": name, "group_by": []} for name in (incoming_webhook(hung.url), channel)
        ]
        owed(store, *routes, tickers=[f"T{n}" for n in range(10)])
        sent = deliver_due(store, Settings(notify_timeout_seconds=3))
        # One message waited for the hanging channel; the rest of the time went to the other.
        assert len(hung.received) == 1
        assert sent == len(endpoint.received) >= 2


@pytest.mark.slow("sqlite")
def test_several_deliverers_at_once_send_everything_exactly_once(
    server: PrefectServer,
    engine: Engine,
    database_url: str,
    endpoint: Endpoint,
    channel: str,
    tmp_path: Path,
) -> None:
    by_ticker = {"channel": channel, "group_by": ["ticker"]}
    for number in range(2):
        owed(engine, by_ticker, tickers=[f"T{n}" for n in range(12)], name=f"rule-{number}")
    # Long enough that no first attempt runs out of time, however busy the machine is.
    long = {"SENTINEL_NOTIFY_TIMEOUT_SECONDS": "60"}
    env = {**server.env, "SENTINEL_DATABASE_URL": database_url, **long}
    with deliverers(env, str(tmp_path / "deliverers.log")) as several:
        for _ in range(4):
            several.start()
        done = {"sent"}
        wait_for(
            lambda: {row["status"] for row in notifications(engine)} == done,
            what="all messages to be sent",
        )
    found = notifications(engine)
    assert arrivals(endpoint.received) == {row["event_id"]: 1 for row in found}
    assert {(row["attempts"], row["unknown"]) for row in found} == {(1, 0)}
    assert [len(events_in(request)) for request in endpoint.received] == [2] * 12


# -- what follows up on something ------------------------------------------------------------


def now() -> datetime:
    return datetime.now(UTC)


def slack_api(endpoint: Endpoint) -> None:
    """Answer as Slack does: each message has a name of its own."""
    numbers = itertools.count(1)

    def reply(_: Request) -> bytes:
        ts = f"1767623400.{next(numbers):06}"
        return json.dumps({"ok": True, "channel": "C024BE91L", "ts": ts}).encode()

    endpoint.reply = reply


def test_what_becomes_of_an_event_is_told_in_its_messages_slack_thread(
    engine: Engine, endpoint: Endpoint
) -> None:
    slack_api(endpoint)
    settings = providers_at(endpoint)
    rule = a_rule(notify={"high": [{"channel": bot_token(), "to": "#alerts"}]})
    told(engine, rule, a_run(0), [fired("AAPL"), fired("GOOG")], now())
    deliver_due(engine, settings)
    first, second = (event["id"] for event in rows(engine, "alert_event"))
    acknowledge(engine, [first], by="ana", comment="on it", now=now())
    deliver_due(engine, settings)
    told(engine, rule, a_run(1), [quiet("AAPL"), fired("GOOG")], now())
    deliver_due(engine, settings)
    told(engine, rule, a_run(2), [fired("MSFT")], now())
    deliver_due(engine, settings)

    opened, acknowledged, resolved, another = (request.json for request in endpoint.received)
    assert (opened["channel"], opened.get("thread_ts")) == ("#alerts", None)
    assert events_in(endpoint.received[0]) == {first, second}
    for followed in (acknowledged, resolved):
        assert followed["channel"] == "C024BE91L"
        assert followed["thread_ts"] == "1767623400.000001"
    assert "acknowledged by ana" in json.dumps(acknowledged)
    assert "resolved" in resolved["text"]
    assert events_in(endpoint.received[1]) == events_in(endpoint.received[2]) == {first}
    assert "thread_ts" not in another
    assert {request.headers["authorization"] for request in endpoint.received} == {
        "Bearer xoxb-0123456789"
    }


def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_key(
    engine: Engine, endpoint: Endpoint
) -> None:
    endpoint.answer = 202
    settings = providers_at(endpoint)
    service = incidents()
    rule = a_rule(notify={"high": [service], "critical": [service]})
    told(engine, rule, a_run(0), [fired("AAPL"), fired("GOOG")], now())
    deliver_due(engine, settings)
    told(engine, rule, a_run(1), [fired("AAPL", importance="critical"), fired("GOOG")], now())
    deliver_due(engine, settings)
    [event, _] = rows(engine, "alert_event")
    acknowledge(engine, [event["id"]], by="ana", now=now())
    deliver_due(engine, settings)
    unacknowledge(engine, [event["id"]], by="ana", now=now())
    deliver_due(engine, settings)
    told(engine, rule, a_run(2), [quiet("AAPL"), fired("GOOG")], now())
    deliver_due(engine, settings)

    sent = [request.json for request in endpoint.received]
    key = sent[0]["dedup_key"]
    assert sent[1]["dedup_key"] != key, "the other ticker is another incident"
    mine = [one for one in sent if one["dedup_key"] == key]
    assert [one["event_action"] for one in mine] == [
        "trigger",
        "trigger",
        "acknowledge",
        "trigger",
        "resolve",
    ]
    assert [one["payload"]["severity"] for one in mine if "payload" in one] == [
        "error",
        "critical",
        "critical",
    ]
    assert mine[0]["payload"]["custom_details"]["metrics"] == {"value": 151.2, "threshold": 150.0}
    assert len(sent) == len(mine) + 1


def test_emails_about_an_event_are_one_conversation(store: Engine) -> None:
    with mail_server() as mail:
        route = {
            "channel": mailbox(mail.port),
            "to": "ana@example.org",
            "resolved": True,
            "acknowledged": True,
        }
        rule = a_rule(notify={"high": [route]})
        told(store, rule, a_run(0), [fired()], now())
        deliver_due(store, SETTINGS)
        [event] = rows(store, "alert_event")
        acknowledge(store, [event["id"]], by="ana", now=now())
        deliver_due(store, SETTINGS)
        told(store, rule, a_run(1), [quiet()], now())
        deliver_due(store, SETTINGS)
        first, *others = (taken.message for taken in mail.taken)
    assert first["In-Reply-To"] is None
    assert len(others) == 2
    for name in ("In-Reply-To", "References"):
        assert [other[name] for other in others] == [first["Message-ID"]] * 2
    assert len({mail["Message-ID"] for mail in (first, *others)}) == 3


def test_a_channel_that_never_heard_of_an_event_hears_nothing_of_its_end(
    store: Engine, endpoint: Endpoint
) -> None:
    """The first message fails for good: an end without a beginning would only puzzle."""
    endpoint.answer = 404
    settings = providers_at(endpoint)
    route = {"channel": incoming_webhook(endpoint.url), "resolved": True}
    rule = a_rule(notify={"high": [route]})
    told(store, rule, a_run(0), [fired()], now())
    deliver_due(store, settings)
    endpoint.answer = 200
    told(store, rule, a_run(1), [quiet()], now() + timedelta(seconds=1))
    assert deliver_due(store, settings) == 0
    assert [row["reason"] for row in notifications(store)] == ["opened"]


def test_an_outcome_that_cannot_be_written_down_at_first_is_written_at_the_second_try(
    store: Engine,
    endpoint: Endpoint,
    channel: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process locks the store while the message is under way, for longer than waits."""
    monkeypatch.setattr("sentinel_core.store.db.engine._BUSY_MS", 50)
    [key] = owed(store, channel)
    other = sqlite3.connect(tmp_path / "sentinel.db", isolation_level=None, check_same_thread=False)

    def lock(_: Request) -> bytes:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, other.rollback).start()
        return b"ok"

    endpoint.reply = lock
    impatient = open_engine(f"sqlite:///{tmp_path / 'sentinel.db'}")
    assert deliver(impatient, SETTINGS, [key]) == 1
    impatient.dispose()
    other.close()
    [row] = notifications(store)
    assert (row["status"], row["attempts"]) == ("sent", 1)
    assert len(endpoint.received) == 1
