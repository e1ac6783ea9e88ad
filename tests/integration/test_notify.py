"""Sending through real blocks of a real Prefect server to a real HTTP endpoint."""

import asyncio
import gc
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.core import Block
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.blocks.system import Secret
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from prefect_slack.credentials import SlackWebhook as SlackIncomingWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.hooks import deliver, deliver_due
from sentinel_core.notify import Delivery, Outcome, send
from sentinel_core.settings import Settings, get_settings
from sentinel_core.store.engine import ensure_schema, open_engine
from tests.support.prefect import PrefectServer
from tests.support.processes import free_port
from tests.support.runs import T0, a_rule, a_run, fired, rows, told
from tests.support.slack import Slack, slack_endpoint

# An async flow in this process leaves the socket of Prefect's event client to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SETTINGS = Settings(notify_timeout_seconds=10)
IMPATIENT = Settings(notify_timeout_seconds=1)
RUN_ID = uuid.uuid4()
EVENT: dict[str, Any] = {
    "id": 7,
    "rule_name": "aapl-price-surge",
    "kind": "alert",
    "ticker": "AAPL",
    "importance": "high",
    "message": "<!channel> AAPL trades at 151.2",
    "metrics": {"value": 151.2, "threshold": 150.0},
    "metadata": {},
    "timestamp": T0,
    "runbook": None,
    "prefect_flow_run_id": RUN_ID,
}


@pytest.fixture(autouse=True)
def _prefect(server: PrefectServer) -> Iterator[None]:
    """This process talks to the real server."""
    wanted = {PREFECT_API_URL: server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(wanted):
        yield
    gc.collect()  # what Prefect leaves open is found here, where it is expected


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_endpoint() as running:
        yield running


@pytest.fixture
def channel(slack: Slack) -> str:
    """prefect-slack's webhook block, saved and pointing at the endpoint."""
    return saved(slack.url)


def saved(url: str) -> str:
    name = f"b{uuid.uuid4().hex}"
    SlackIncomingWebhook(url=SecretStr(url)).save(name, _sync=True)  # type: ignore[call-arg]
    return f"slack-incoming-webhook/{name}"


def from_a_plain_thread(channel: str) -> Delivery:
    return send(channel, EVENT, SETTINGS)


def from_a_sync_flow(channel: str) -> Delivery:
    @flow(persist_result=False)
    def sync_flow() -> list[Delivery]:
        return [send(channel, EVENT, SETTINGS)]

    return sync_flow()[0]


def from_an_async_flow(channel: str) -> Delivery:
    @flow(persist_result=False)
    async def async_flow() -> list[Delivery]:
        return [send(channel, EVENT, SETTINGS)]

    return asyncio.run(async_flow())[0]  # type: ignore[arg-type]


def from_a_running_loop(channel: str) -> Delivery:
    async def inside() -> Delivery:
        return send(channel, EVENT, SETTINGS)

    return asyncio.run(inside())


@pytest.mark.parametrize(
    "way", [from_a_plain_thread, from_a_sync_flow, from_an_async_flow, from_a_running_loop]
)
def test_a_message_arrives_once_wherever_it_is_sent_from(
    slack: Slack, channel: str, way: Callable[[str], Delivery]
) -> None:
    assert way(channel) == Delivery(Outcome.SENT)
    [text] = slack.texts()
    assert "*HIGH* · aapl-price-surge · AAPL" in text
    assert "> &lt;!channel&gt; AAPL trades at 151.2" in text
    assert "151.2 against threshold 150" in text
    assert f"<{SETTINGS.event_url(7)}|" in text
    assert f"<{SETTINGS.flow_run_url(RUN_ID)}|" in text


def test_an_event_without_a_run_is_told_without_a_link_to_one(slack: Slack, channel: str) -> None:
    assert send(channel, {**EVENT, "prefect_flow_run_id": None}, SETTINGS).outcome is Outcome.SENT
    assert "Flow run" not in slack.texts()[0]


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_message_that_was_not_accepted_is_never_called_sent(
    slack: Slack, channel: str, status: int
) -> None:
    slack.answer = status
    delivery = send(channel, EVENT, SETTINGS)
    assert delivery.outcome is Outcome.RETRY
    assert str(status) in str(delivery.error)
    assert "secret" not in str(delivery.error)
    assert len(slack.received) == 1


def test_a_channel_that_hangs_costs_no_more_than_the_timeout(slack: Slack, channel: str) -> None:
    slack.answer = "hang"
    began = time.monotonic()
    delivery = send(channel, EVENT, IMPATIENT)
    assert time.monotonic() - began < 2
    assert delivery.outcome is Outcome.RETRY
    assert "within 1 s" in str(delivery.error)
    assert channel in str(delivery.error)


def test_a_connection_reset_is_tried_again_later(slack: Slack, channel: str) -> None:
    slack.answer = "reset"
    assert send(channel, EVENT, SETTINGS).outcome is Outcome.RETRY


def test_a_refused_connection_is_tried_again_later_and_shows_no_secret() -> None:
    delivery = send(saved(f"http://127.0.0.1:{free_port()}/services/secret"), EVENT, SETTINGS)
    assert delivery.outcome is Outcome.RETRY
    assert "refused" in str(delivery.error)
    assert "secret" not in str(delivery.error)


def test_a_block_that_does_not_exist_is_given_up_in_words() -> None:
    delivery = send("slack-incoming-webhook/nowhere", EVENT, SETTINGS)
    assert delivery.outcome is Outcome.FAILED
    assert "'slack-incoming-webhook/nowhere' can't be loaded" in str(delivery.error)


def test_a_block_type_that_does_not_exist_is_given_up_in_words() -> None:
    delivery = send("carrier-pigeon/alice", EVENT, SETTINGS)
    assert delivery.outcome is Outcome.FAILED
    assert "carrier-pigeon" in str(delivery.error)


def test_a_block_that_cannot_notify_is_given_up_in_words() -> None:
    Secret(value=SecretStr("hunter2")).save("not-a-channel", overwrite=True, _sync=True)  # type: ignore[call-arg]
    delivery = send("secret/not-a-channel", EVENT, SETTINGS)
    assert delivery == Delivery(
        Outcome.FAILED, "block 'secret/not-a-channel' is not a notification block"
    )


def test_a_prefect_server_that_is_away_is_tried_again_later(channel: str) -> None:
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        delivery = send(channel, EVENT, SETTINGS)
    assert delivery.outcome is Outcome.RETRY


def test_a_webhook_block_of_prefect_itself_works_too(slack: Slack) -> None:
    block = CustomWebhookNotificationBlock(
        name="own", url=slack.url, json_data={"text": "{{subject}}\n{{body}}"}
    )
    block.save("own", overwrite=True, _sync=True)  # type: ignore[call-arg]
    assert send("custom-webhook/own", EVENT, SETTINGS) == Delivery(Outcome.SENT)
    assert "AAPL trades at 151.2" in slack.texts()[0]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's
@pytest.mark.parametrize("way", [from_a_plain_thread, from_an_async_flow])
def test_a_built_in_block_that_swallows_a_500_is_not_believed(
    slack: Slack, way: Callable[[str], Delivery]
) -> None:
    block = SlackWebhook(url=SecretStr(slack.url.replace("http://", "json://")))
    block.save("swallows", overwrite=True, _sync=True)  # type: ignore[call-arg]
    assert way("slack-webhook/swallows").outcome is Outcome.SENT
    slack.answer = 500
    delivery = way("slack-webhook/swallows")
    assert delivery.outcome is Outcome.RETRY
    assert "500" in str(delivery.error)


# -- sending and writing down how it went --------------------------------------------------


def owed(engine: Engine, *channels: str) -> list[int]:
    return told(engine, a_rule(notify={"high": list(channels)}), a_run(), [fired()]).notifications


def test_what_was_sent_is_on_record_and_never_sent_again(
    engine: Engine, slack: Slack, channel: str
) -> None:
    keys = owed(engine, channel)
    assert deliver(engine, SETTINGS, keys) == 1
    assert deliver(engine, SETTINGS, keys) == 0
    assert len(slack.received) == 1
    [row] = rows(engine, "notification")
    assert (row["status"], row["attempts"], row["last_error"]) == ("sent", 1, None)


def test_a_channel_that_fails_does_not_keep_the_next_from_hearing(
    engine: Engine, slack: Slack, channel: str
) -> None:
    assert deliver(engine, SETTINGS, owed(engine, "slack-incoming-webhook/nowhere", channel)) == 1
    missing, sent = rows(engine, "notification")
    assert (missing["status"], sent["status"]) == ("failed", "sent")
    assert "can't be loaded" in missing["last_error"]


def test_a_message_not_accepted_is_owed_again_in_two_minutes(
    engine: Engine, slack: Slack, channel: str
) -> None:
    slack.answer = 500
    assert deliver(engine, SETTINGS, owed(engine, channel)) == 0
    [row] = rows(engine, "notification")
    assert (row["status"], row["attempts"], row["sent_at"]) == ("pending", 1, None)
    assert "500" in row["last_error"]
    wait = (row["next_attempt_at"] - datetime.now(UTC)).total_seconds()
    assert 100 < wait <= 120


def test_however_many_messages_a_hanging_channel_is_owed_the_run_is_not_held_up(
    engine: Engine, slack: Slack, channel: str
) -> None:
    slack.answer = "hang"
    rule = a_rule(notify={"high": [channel]})
    keys = told(engine, rule, a_run(), [fired(f"T{n}") for n in range(20)]).notifications
    began = time.monotonic()
    assert deliver(engine, IMPATIENT, keys) == 0
    assert time.monotonic() - began < 5
    untouched = [row for row in rows(engine, "notification") if row["attempts"] == 0]
    assert len(untouched) >= 16


def test_a_lost_answer_is_not_answered_by_a_second_message(slack: Slack, channel: str) -> None:
    slack.answer = "reset"
    assert send(channel, EVENT, SETTINGS).outcome is Outcome.RETRY
    assert len(slack.received) == 1


def test_nothing_is_sent_after_giving_up(
    slack: Slack, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Block.load

    def slow(*arguments: Any, **keys: Any) -> Any:  # Prefect's API is just starting again
        time.sleep(1.5)
        return load(*arguments, **keys)

    monkeypatch.setattr(Block, "load", slow)
    assert send(channel, EVENT, IMPATIENT).outcome is Outcome.RETRY
    time.sleep(1.5)
    assert slack.received == []


def test_a_hanging_channel_does_not_hold_up_another(slack: Slack, channel: str) -> None:
    engine = open_engine(get_settings().database_url)
    ensure_schema(engine)
    with slack_endpoint() as hung:
        hung.answer = "hang"
        rule = a_rule(notify={"high": [saved(hung.url), channel]})
        told(engine, rule, a_run(), [fired(f"T{n}") for n in range(10)])
        sent = deliver_due(engine, IMPATIENT)
        # One message waited for the hanging channel; the rest of the time went to the other.
        assert len(hung.received) == 1
        assert sent == len(slack.received) >= 2
