"""Sending through real blocks of a real Prefect server to a real HTTP endpoint: every fault."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.core import Block
from prefect.blocks.notifications import MicrosoftTeamsWebhook, SlackWebhook
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from sentinel_core.base.settings import Settings
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome
from sentinel_core.notify.channel.send import send
from tests.support.channels import (
    CHANNELS,
    IMPATIENT,
    INCIDENT,
    MESSAGE,
    SECRET,
    SETTINGS,
    accepted,
    as_provider,
    custom_webhook,
    mattermost_webhook,
    pager_duty_webhook,
    rendered,
    saved,
    slack_credentials,
    slack_incoming_webhook,
    tell,
)
from tests.support.endpoint import Endpoint
from tests.support.prefect import PrefectServer
from tests.support.processes import free_port, wait_for

pytestmark = pytest.mark.usefixtures("sends")
every_channel = pytest.mark.parametrize("channel", CHANNELS)


@pytest.fixture
def endpoint(endpoint: Endpoint) -> Endpoint:
    endpoint.reply = as_provider
    return endpoint


@every_channel
def test_a_message_that_is_accepted_was_sent_once(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer = accepted(channel)
    delivery = tell(channel, endpoint.url)
    assert (delivery.outcome, delivery.error, delivery.unknown) == (Outcome.SENT, None, False)
    [request] = endpoint.received
    assert request.method == "POST"
    assert "HIGH" in request.body.decode()


@every_channel
@pytest.mark.parametrize("status", [302, 400, 403, 404, 410])
def test_a_refusal_for_good_is_given_up(
    endpoint: Endpoint, channel: Callable[[str], str], status: int
) -> None:
    endpoint.answer = status
    delivery = tell(channel, endpoint.url)
    assert (delivery.outcome, delivery.unknown) == (Outcome.FAILED, False)
    assert str(status) in str(delivery.error)
    assert SECRET not in str(delivery.error)
    assert len(endpoint.received) == 1


@every_channel
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refusal_for_now_is_tried_again_when_the_provider_says(
    endpoint: Endpoint, channel: Callable[[str], str], status: int
) -> None:
    endpoint.answer, endpoint.retry_after = status, "7"
    delivery = tell(channel, endpoint.url)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)
    assert str(status) in str(delivery.error)
    # Apprise keeps the header to itself.
    expected = None if channel is mattermost_webhook else 7
    assert delivery.retry_after_seconds == expected
    assert len(endpoint.received) == 1


@every_channel
def test_a_provider_that_echoes_the_secret_does_not_make_us_tell_it(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer = 404
    endpoint.reply = lambda request: f"no {request.path} {SECRET} {request.headers}".encode()
    delivery = tell(channel, endpoint.url)
    assert delivery.outcome is Outcome.FAILED
    assert SECRET not in str(delivery.error)


@pytest.mark.slow("trickle", "mattermost_webhook", "custom_webhook", "slack_credentials")
@every_channel
@pytest.mark.parametrize("fault", ["hang", "reset", "trickle"])
def test_a_message_without_an_answer_is_of_unknown_fate_and_costs_no_more_than_the_timeout(
    endpoint: Endpoint, channel: Callable[[str], str], fault: str
) -> None:
    endpoint.answer = fault
    delivery = tell(channel, endpoint.url, IMPATIENT)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, True)
    assert SECRET not in str(delivery.error)
    assert len(endpoint.received) == 1


@pytest.mark.slow("mattermost_webhook", "slack_credentials", "custom_webhook")
@every_channel
def test_of_an_answer_that_never_ends_the_beginning_counts(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer, endpoint.status = "slow", accepted(channel)
    delivery = tell(channel, endpoint.url, IMPATIENT)
    if channel in (slack_credentials, mattermost_webhook):
        # Slack's Web API says in the body whether it worked; Apprise reads it to its end.
        assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, True)
    else:
        assert delivery.outcome is Outcome.SENT
    endpoint.status = 410
    refused = tell(channel, endpoint.url, IMPATIENT)
    assert refused.outcome is (Outcome.RETRY if channel is mattermost_webhook else Outcome.FAILED)


@pytest.mark.parametrize("channel", [slack_incoming_webhook, custom_webhook, pager_duty_webhook])
def test_a_refusal_without_a_reason_is_not_waited_for(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer, endpoint.status = "mute", 410
    delivery = tell(channel, endpoint.url)
    assert (delivery.outcome, delivery.unknown) == (Outcome.FAILED, False)
    assert "410" in str(delivery.error)


def test_a_connection_somebody_has_given_up_on_is_not_kept(endpoint: Endpoint) -> None:
    endpoint.answer = "trickle"
    tell(slack_incoming_webhook, endpoint.url, Settings(notify_timeout_seconds=1))
    # The drops keep coming; whoever reads them would read for ever.
    wait_for(lambda: not senders(), what="the sending thread to end")


def senders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("notify slack")]


@every_channel
def test_what_was_refused_a_connection_has_not_arrived(channel: Callable[[str], str]) -> None:
    delivery = tell(channel, f"http://127.0.0.1:{free_port()}")
    assert delivery.outcome is Outcome.RETRY
    # Apprise calls a refused connection and a lost answer the same.
    assert delivery.unknown is (channel is mattermost_webhook)
    assert SECRET not in str(delivery.error)


def test_a_server_that_never_finishes_the_handshake_has_got_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        port = silent.getsockname()[1]
        channel = slack_incoming_webhook(f"https://127.0.0.1:{port}")
        delivery = send(Address(channel), MESSAGE, IMPATIENT)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)


@every_channel
def test_after_recovery_the_message_arrives(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer, endpoint.answers = accepted(channel), [500, 429]
    outcomes = [tell(channel, endpoint.url).outcome for _ in range(3)]
    assert outcomes == [Outcome.RETRY, Outcome.RETRY, Outcome.SENT]


def test_no_log_tells_a_webhooks_address(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        tell(slack_incoming_webhook, endpoint.url)
        tell(custom_webhook, endpoint.url)
        logging.getLogger("httpx").info("of others")
    assert "of others" in caplog.text
    assert SECRET not in caplog.text


@every_channel
def test_a_rendered_event_arrives_in_every_kind_of_channel(
    endpoint: Endpoint, channel: Callable[[str], str]
) -> None:
    endpoint.answer = accepted(channel)
    address = Address(channel(endpoint.url), recipient="#alerts", dedup_key=INCIDENT)
    there = {"slack_api_url": f"{endpoint.url}/api", "pagerduty_url": endpoint.url}
    message = rendered(address.channel)
    assert send(address, message, SETTINGS.model_copy(update=there)).outcome is Outcome.SENT
    [request] = endpoint.received
    assert "aapl-price-surge" in request.body.decode()
    assert "?event=7" in request.body.decode()
    assert request.json.items() >= message.payload.items() or channel is pager_duty_webhook


def from_a_plain_thread(address: Address) -> Delivery:
    return send(address, MESSAGE, SETTINGS)


def from_a_sync_flow(address: Address) -> Delivery:
    @flow(persist_result=False)
    def sync_flow() -> list[Delivery]:
        return [send(address, MESSAGE, SETTINGS)]

    return sync_flow()[0]


def from_an_async_flow(address: Address) -> Delivery:
    @flow(persist_result=False)
    async def async_flow() -> list[Delivery]:
        return [send(address, MESSAGE, SETTINGS)]

    return asyncio.run(async_flow())[0]  # type: ignore[arg-type]


def from_a_running_loop(address: Address) -> Delivery:
    async def inside() -> Delivery:
        return send(address, MESSAGE, SETTINGS)

    return asyncio.run(inside())


@pytest.mark.parametrize(
    "way", [from_a_plain_thread, from_a_sync_flow, from_an_async_flow, from_a_running_loop]
)
@pytest.mark.parametrize("channel", [slack_incoming_webhook, mattermost_webhook])
def test_a_message_arrives_once_wherever_it_is_sent_from(
    endpoint: Endpoint, channel: Callable[[str], str], way: Callable[[Address], Delivery]
) -> None:
    assert way(Address(channel(endpoint.url))) == Delivery(Outcome.SENT)
    assert len(endpoint.received) == 1


def test_a_block_that_does_not_exist_is_given_up_in_words() -> None:
    delivery = send(Address("slack-incoming-webhook/nowhere"), MESSAGE, SETTINGS)
    assert delivery.outcome is Outcome.FAILED
    assert "'slack-incoming-webhook/nowhere' can't be loaded" in str(delivery.error)
    assert "nowhere" in str(delivery.error)


@pytest.mark.parametrize("channel", ["carrier-pigeon/alice", "nonsense", "", "/", "a/b/c"])
def test_a_block_type_that_does_not_exist_is_given_up_in_words(channel: str) -> None:
    delivery = send(Address(channel), MESSAGE, SETTINGS)
    assert delivery.outcome is Outcome.FAILED
    assert f"{channel!r} can't be loaded" in str(delivery.error)


def test_a_block_that_cannot_notify_is_given_up_in_words() -> None:
    channel = saved(Secret(value=SecretStr("hunter2")))
    assert send(Address(channel), MESSAGE, SETTINGS) == Delivery(
        Outcome.FAILED, f"block {channel!r} is not a notification block"
    )


def test_a_block_whose_saved_values_are_no_good_is_given_up_without_telling_them(
    server: PrefectServer, caplog: pytest.LogCaptureFixture
) -> None:
    block = SlackWebhook(url=SecretStr("json://127.0.0.1/"))
    channel = saved(block)
    broken = MicrosoftTeamsWebhook.model_construct(url=SecretStr(f"https://x.example/{SECRET}"))
    teams = saved(broken)
    nobody = Address(saved(SlackWebhook(url=SecretStr(f"https://127.0.0.1/{SECRET}"))))
    with caplog.at_level(logging.WARNING):
        for delivery in (send(Address(teams), MESSAGE, SETTINGS), send(nobody, MESSAGE, SETTINGS)):
            assert delivery.outcome is Outcome.FAILED
            assert SECRET not in str(delivery.error)
    assert SECRET not in caplog.text
    assert channel


def test_a_prefect_server_that_is_away_is_tried_again_later(endpoint: Endpoint) -> None:
    address = Address(slack_incoming_webhook(endpoint.url))
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        delivery = send(address, MESSAGE, SETTINGS)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)


def test_nothing_is_sent_after_giving_up(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = Address(slack_incoming_webhook(endpoint.url))
    load = Block.load

    back = threading.Event()

    def slow(*arguments: Any, **keys: Any) -> Any:  # Prefect's API is just starting again
        back.wait()
        return load(*arguments, **keys)

    others = threading.enumerate()
    monkeypatch.setattr(Block, "load", slow)
    delivery = send(address, MESSAGE, Settings(notify_timeout_seconds=1))
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)
    assert "nothing was sent" in str(delivery.error)
    [abandoned] = [
        thread
        for thread in threading.enumerate()
        if thread not in others and thread.name == f"notify {address.channel}"
    ]
    back.set()
    abandoned.join()
    assert endpoint.received == []
