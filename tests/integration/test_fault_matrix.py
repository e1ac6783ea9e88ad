"""The ways in which channels fail: what is owed arrives after all, or people are told why not."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_slack.credentials import SlackWebhook as SlackIncomingWebhook
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Routes
from sentinel_core.notify.channel.attempt import Attempt, TooLateError
from sentinel_core.notify.channel.http import request
from sentinel_core.notify.deliver import deliver, deliver_all, deliver_due
from sentinel_core.store.outbox.settle import retry_failed
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.faulty import (
    arrivals,
    bot_token,
    incidents,
    incoming_webhook,
    mailbox,
    mailed,
    make_due,
    notifications,
    owed,
    own_events,
    providers_at,
)
from tests.support.processes import free_port
from tests.support.smtp import MailServer, mail_server

pytestmark = pytest.mark.usefixtures("sends")
PATIENT, IMPATIENT = 20.0, 1.5
NOBODY = Routes()


@pytest.fixture
def endpoint(endpoint: Endpoint) -> Endpoint:
    endpoint.reply = lambda _: b'{"ok": true, "channel": "C024BE91L", "ts": "1767623400.000200"}'
    return endpoint


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@dataclass(frozen=True)
class Fault:
    """What an endpoint does to the first attempt, and what is then on record of it.

    `unknown`: nobody can say whether it arrived, so that it may be sent twice.
    """

    answer: int | str
    becomes: str = "pending"
    unknown: bool = False
    status: int = 200
    says: str = ""

    @property
    def seconds(self) -> float:
        """How long one message may take: no test waits for a hanging endpoint any longer."""
        return IMPATIENT if self.answer in ("hang", "trickle", "mute", "slow") else PATIENT

    def __str__(self) -> str:
        return f"{self.answer}" + (f"-{self.status}" if self.status != 200 else "")


REFUSALS = [
    *(Fault(status, "failed", says=str(status)) for status in (404, 410)),
    *(Fault(status, says=str(status)) for status in (429, 500)),
    Fault("slow", status=500, says="500"),
]
LOST_ANSWERS = [
    Fault("hang", unknown=True),
    Fault("reset", unknown=True),
    Fault("trickle", unknown=True),
]
WEBHOOK = [*REFUSALS, *LOST_ANSWERS, Fault("slow", "sent"), Fault("mute", "sent")]
# A bot's token: that Slack took the message stands only in the body.
BOT = [Fault("slow", unknown=True), Fault("mute", unknown=True), Fault("reset", unknown=True)]
PAGERDUTY = [Fault(500), Fault(404, "failed"), Fault("reset", unknown=True), Fault("slow", "sent")]


@pytest.mark.slow("sqlite")
@pytest.mark.parametrize("fault", WEBHOOK, ids=str)
def test_a_webhook_that_recovers_has_told_everything(
    engine: Engine, endpoint: Endpoint, fault: Fault
) -> None:
    suffers_and_recovers(engine, endpoint, fault, incoming_webhook(endpoint.url))


@pytest.mark.parametrize("fault", BOT, ids=str)
def test_slacks_api_that_recovers_has_told_everything(
    store: Engine, endpoint: Endpoint, fault: Fault
) -> None:
    route = {"channel": bot_token(), "to": "#alerts"}
    suffers_and_recovers(store, endpoint, fault, route)


@pytest.mark.parametrize("fault", PAGERDUTY, ids=str)
def test_pagerduty_that_recovers_has_told_everything(
    store: Engine, endpoint: Endpoint, fault: Fault
) -> None:
    accepted = 202
    if fault.answer == "slow":
        fault = Fault("slow", "sent", status=accepted)
    suffers_and_recovers(store, endpoint, fault, incidents(), accepted=accepted)


def suffers_and_recovers(
    engine: Engine, endpoint: Endpoint, fault: Fault, route: Any, accepted: int = 200
) -> None:
    """The channel fails once; then it works, and time passes."""
    settings = providers_at(endpoint, notify_timeout_seconds=fault.seconds)
    keys = owed(engine, route)
    endpoint.answer, endpoint.status, endpoint.retry_after = fault.answer, fault.status, "7"
    told = deliver(engine, settings, keys)
    [row] = notifications(engine)
    assert told == (fault.becomes == "sent")
    assert (row["status"], row["attempts"]) == (fault.becomes, 1)
    assert row["unknown"] == fault.unknown
    assert row["claimed_at"] is None
    assert fault.says in (row["last_error"] or "")
    assert deliver(engine, settings, keys) == 0, "nothing is due"

    endpoint.answer = accepted
    patient = providers_at(endpoint, notify_timeout_seconds=PATIENT)
    if fault.becomes == "failed":
        mended(engine, patient, row["channel"], fault.says)
    make_due(engine)
    deliver_all(engine, patient, NOBODY)
    deliver_all(engine, patient, NOBODY)
    [row] = notifications(engine)
    assert (row["status"], row["unknown"], row["last_error"]) == ("sent", fault.unknown, None)
    assert row["sent_at"] is not None
    once = 1 if fault.becomes == "sent" else 2  # that the first time failed, the endpoint knows
    assert len(endpoint.received) == once
    assert all(event["resolved_at"] for event in own_events(engine))


def mended(engine: Engine, settings: Settings, channel: str, words: str = "") -> None:
    """A message failed for good: that is an event; when it is mended, the message is owed again."""
    for _ in range(2):  # looking twice opens one event
        assert deliver_all(engine, settings, NOBODY).failing == [channel]
    [event] = own_events(engine)
    assert (event["kind"], event["ticker"], event["resolved_at"]) == ("failure", channel, None)
    assert "1 notification failed for good" in event["message"]
    assert words in event["message"]
    now = datetime.now(UTC)
    assert retry_failed(engine, channel, now - timedelta(hours=1), now) == 1


def test_a_provider_that_asks_for_patience_gets_it_for_all_it_is_owed(
    engine: Engine, endpoint: Endpoint
) -> None:
    alone = {"channel": incoming_webhook(endpoint.url), "group_by": []}
    keys = owed(engine, alone, tickers=["A", "B", "C"])
    endpoint.answer, endpoint.retry_after = 429, "600"
    assert deliver(engine, Settings(), keys) == 0
    assert len(endpoint.received) == 1
    in_ten_minutes = datetime.now(UTC) + timedelta(seconds=590)
    assert all(row["next_attempt_at"] > in_ten_minutes for row in notifications(engine))
    assert [row["attempts"] for row in notifications(engine)] == [1, 0, 0]
    endpoint.answer = 200
    assert deliver_due(engine, Settings()) == 0
    make_due(engine)
    assert deliver_due(engine, Settings()) == 3
    events = {row["event_id"] for row in notifications(engine)}
    assert arrivals(endpoint.received[1:]) == dict.fromkeys(events, 1)


def test_an_endpoint_that_is_away_has_taken_nothing_and_gets_it_when_it_is_back(
    engine: Engine,
) -> None:
    port = free_port()
    keys = owed(engine, incoming_webhook(f"http://127.0.0.1:{port}"))
    assert deliver(engine, Settings(), keys) == 0
    [row] = notifications(engine)
    assert (row["status"], row["unknown"]) == ("pending", 0)
    with http_endpoint(port=port) as back:
        make_due(engine)
        assert deliver_due(engine, Settings()) == 1
        assert arrivals(back.received) == {row["event_id"]: 1}


def test_while_prefects_api_is_away_messages_wait_for_it(
    engine: Engine, endpoint: Endpoint
) -> None:
    keys = owed(engine, incoming_webhook(endpoint.url))
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        assert deliver(engine, Settings(notify_timeout_seconds=5), keys) == 0
    [row] = notifications(engine)
    assert (row["status"], row["attempts"], row["unknown"]) == ("pending", 1, 0)
    assert endpoint.received == []
    make_due(engine)
    assert deliver_due(engine, Settings()) == 1
    assert arrivals(endpoint.received) == {row["event_id"]: 1}
    assert own_events(engine) == []


def test_what_was_owed_to_a_deleted_block_arrives_when_there_is_a_new_one(
    engine: Engine, endpoint: Endpoint
) -> None:
    channel = incoming_webhook(endpoint.url)
    name = channel.partition("/")[2]
    SlackIncomingWebhook.delete(name, _sync=True)
    assert deliver(engine, Settings(), owed(engine, channel)) == 0
    [row] = notifications(engine)
    assert (row["status"], row["unknown"]) == ("failed", 0)
    assert "can't be loaded" in row["last_error"]
    mended(engine, Settings(), channel, name)
    assert incoming_webhook(endpoint.url, name) == channel
    assert deliver_all(engine, Settings(), NOBODY).failing == []
    assert arrivals(endpoint.received) == {row["event_id"]: 1}
    assert all(event["resolved_at"] for event in own_events(engine))


def test_that_a_channel_fails_is_told_through_another_and_so_is_its_recovery(
    engine: Engine, endpoint: Endpoint
) -> None:
    broken = incoming_webhook(endpoint.url)
    with http_endpoint() as other:
        routes = {"channel": incoming_webhook(other.url), "resolved": True}
        everywhere = Routes.model_validate({"high": [broken, routes]})
        endpoint.answer = 410
        deliver(engine, Settings(), owed(engine, broken))
        for _ in range(3):
            deliver_all(engine, Settings(), everywhere)
        [event] = own_events(engine)
        assert arrivals(other.received) == {event["id"]: 1}
        assert broken in other.received[0].body.decode()
        assert len(endpoint.received) == 1, "what fails is not told of itself"
        endpoint.answer = 200
        now = datetime.now(UTC)
        retry_failed(engine, broken, now - timedelta(hours=1), now)
        for _ in range(3):
            deliver_all(engine, Settings(), everywhere)
        assert arrivals(other.received) == {event["id"]: 2}
        assert "resolved" in other.received[1].json["text"]
    [event] = own_events(engine)
    assert event["resolved_at"] is not None


def test_a_machine_too_busy_to_begin_in_time_has_sent_nothing_and_gives_nothing_up(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket takes no negative timeout, which once looked like a message nobody can send."""

    class Slow(httpx.Client):
        def __init__(self, **options: Any) -> None:
            time.sleep(0.5)
            super().__init__(**options)

    monkeypatch.setattr(httpx, "Client", Slow)
    with pytest.raises(TooLateError):
        request(Attempt(0.5), "POST", endpoint.url)
    assert endpoint.received == []


# -- email -----------------------------------------------------------------------------------

MAIL_FAULTS = [
    ({"DATA": "451 4.7.1 come again"}, "accept", "pending", 0),
    ({"DATA": "554 5.7.1 spam"}, "accept", "failed", 0),
    ({"MAIL": "421 4.3.2 shutting down"}, "accept", "pending", 0),
    ({"ana@example.org": "450 4.2.1 later"}, "accept", "pending", 0),
    ({"ana@example.org": "550 5.1.1 no such user"}, "accept", "failed", 0),
    ({}, "hang", "pending", 1),
    ({}, "drop", "pending", 1),
]


@pytest.mark.parametrize(("refuse", "ending", "becomes", "unknown"), MAIL_FAULTS)
def test_a_mail_server_that_recovers_has_taken_everything(
    store: Engine,
    mail: MailServer,
    refuse: dict[str, str],
    ending: str,
    becomes: str,
    unknown: int,
) -> None:
    route = {"channel": mailbox(mail.port), "to": "ana@example.org"}
    mail.refuse, mail.ending = refuse, ending
    seconds = IMPATIENT if ending == "hang" else PATIENT
    assert deliver(store, Settings(notify_timeout_seconds=seconds), owed(store, route)) == 0
    [row] = notifications(store)
    assert (row["status"], row["unknown"]) == (becomes, unknown)
    assert len(mail.taken) == unknown
    mail.refuse, mail.ending = {}, "accept"
    if becomes == "failed":
        mended(store, Settings(), row["channel"])
    make_due(store)
    deliver_all(store, Settings(), NOBODY)
    [row] = notifications(store)
    assert (row["status"], row["unknown"]) == ("sent", unknown)
    assert mailed(mail) == {row["event_id"]: 1 + unknown}
    names = {taken.message["Message-ID"] for taken in mail.taken}
    assert len(names) == 1, "a mail program shows the same mail once"


def test_a_mail_server_that_is_away_gets_its_mail_when_it_is_back(store: Engine) -> None:
    port = free_port()
    keys = owed(store, {"channel": mailbox(port), "to": "ana@example.org"})
    assert deliver(store, Settings(), keys) == 0
    [row] = notifications(store)
    assert (row["status"], row["unknown"]) == ("pending", 0)
    with mail_server(port=port) as back:
        make_due(store)
        assert deliver_due(store, Settings()) == 1
        assert mailed(back) == {row["event_id"]: 1}


# -- everything at once ----------------------------------------------------------------------

WEATHER = [200, 200, 500, 429, 404, "reset", "slow"]
TAKEN, PERHAPS = {200, "slow"}, {"reset"}


@pytest.mark.soak
def test_whatever_befalls_the_attempts_each_message_is_taken_once(
    engine: Engine, endpoint: Endpoint
) -> None:
    """Each of many messages, alone or of three events, meets faults drawn at random."""
    chance = random.Random(engine.dialect.name)
    drawn = [chance.choice(WEATHER) for _ in range(1_000)]
    endpoint.answers = drawn.copy()
    channel = incoming_webhook(endpoint.url)
    by_ticker = {"channel": channel, "group_by": ["ticker"], "storm": None}
    for number in range(3):
        tickers = [f"T{n}" for n in range(6)]
        owed(engine, by_ticker, tickers=tickers, name=f"together-{number}")
    alone = {"channel": channel, "group_by": [], "storm": None}
    owed(engine, alone, tickers=[f"A{n}" for n in range(6)], name="alone")
    settings = Settings(notify_timeout_seconds=PATIENT)
    for _ in range(100):
        now = datetime.now(UTC)
        retry_failed(engine, channel, now - timedelta(hours=1), now)
        make_due(engine)
        deliver_due(engine, settings)
        if all(row["status"] == "sent" for row in notifications(engine)):
            break
    owed_rows = notifications(engine)
    assert {row["status"] for row in owed_rows} == {"sent"}
    met = list(zip(endpoint.received, drawn, strict=False))
    taken = arrivals([request for request, answer in met if answer in TAKEN])
    perhaps = arrivals([request for request, answer in met if answer in PERHAPS])
    assert taken == {row["event_id"]: 1 for row in owed_rows}
    assert perhaps == +Counter({row["event_id"]: row["unknown"] for row in owed_rows})
    refused = sum(answer not in TAKEN | PERHAPS for _, answer in met)
    print(f"{len(met)} attempts, {refused} refused, {sum(perhaps.values())} unknown")
