"""What each provider is sent, at its own address where it has one, and what its answers mean."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    DiscordWebhook,
    MicrosoftTeamsWebhook,
    OpsgenieWebhook,
    PagerDutyWebHook,
    SendgridEmail,
    SlackWebhook,
    TwilioSMS,
)
from prefect.types import SecretDict
from pydantic import SecretStr

from sentinel_core.message.content import Message
from sentinel_core.notify.channel import webhook
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, Signal
from sentinel_core.notify.channel.send import send
from tests.support.certificates import Certificates, certificates
from tests.support.channels import (
    INCIDENT,
    MESSAGE,
    SECRET,
    SETTINGS,
    as_provider,
    custom_webhook,
    pager_duty_webhook,
    rendered,
    saved,
    slack_credentials,
    slack_incoming_webhook,
    tell,
)
from tests.support.endpoint import Endpoint, Request, http_endpoint

pytestmark = pytest.mark.usefixtures("sends")
PAYLOAD = {
    "text": "HIGH · AAPL",
    "attachments": [{"color": "#d1242f", "blocks": [{"type": "divider"}]}],
}


@pytest.fixture
def endpoint(endpoint: Endpoint) -> Endpoint:
    endpoint.reply = as_provider
    return endpoint


def test_slack_is_given_the_payload_as_it_was_written(endpoint: Endpoint) -> None:
    address = Address(slack_incoming_webhook(endpoint.url))
    assert send(address, replace(MESSAGE, payload=PAYLOAD), SETTINGS).outcome is Outcome.SENT
    sent = endpoint.received[0].json
    assert sent == {**PAYLOAD, "unfurl_links": False, "unfurl_media": False}


def test_slack_is_given_everything_as_text_where_there_is_nothing_else(endpoint: Endpoint) -> None:
    assert send(Address(slack_incoming_webhook(endpoint.url)), MESSAGE, SETTINGS).error is None
    assert endpoint.received[0].json["text"] == f"{MESSAGE.subject}\n{MESSAGE.body}"


def as_bot(endpoint: Endpoint, **fields: Any) -> Delivery:
    settings = SETTINGS.model_copy(update={"slack_api_url": f"{endpoint.url}/api"})
    address = Address(slack_credentials(endpoint.url), recipient="#alerts")
    return send(replace(address, **fields), MESSAGE, settings)


def test_a_bots_messages_about_one_thing_make_a_thread(endpoint: Endpoint) -> None:
    first = as_bot(endpoint)
    assert first == Delivery(Outcome.SENT, reference="C024BE91L/1767623400.000200")
    assert as_bot(endpoint, thread=first.reference).outcome is Outcome.SENT
    opened, answered = endpoint.received
    assert opened.path == "/api/chat.postMessage"
    assert opened.headers["authorization"] == f"Bearer {SECRET}"
    assert opened.json["channel"] == "#alerts"
    assert "thread_ts" not in opened.json
    assert answered.json["channel"] == "C024BE91L"
    assert answered.json["thread_ts"] == "1767623400.000200"


@pytest.mark.parametrize("thread", ["", "nonsense", "<a@b>", "C1/1\n", "C1/1.2/3"])
def test_a_reference_that_is_none_of_slacks_starts_a_new_thread(
    endpoint: Endpoint, thread: str
) -> None:
    assert as_bot(endpoint, thread=thread).outcome is Outcome.SENT
    assert "thread_ts" not in endpoint.received[0].json


def test_a_thread_that_is_gone_does_not_keep_a_message_from_being_read(endpoint: Endpoint) -> None:
    def gone(request: Request) -> bytes:
        if "thread_ts" in request.json:
            return b'{"ok": false, "error": "thread_not_found"}'
        return as_provider(request)

    endpoint.reply = gone
    assert as_bot(endpoint, thread="C1/1.2").outcome is Outcome.SENT
    assert [request.json["channel"] for request in endpoint.received] == ["C1", "#alerts"]


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (b'{"ok": false, "error": "channel_not_found"}', Outcome.FAILED, "channel_not_found"),
        (b'{"ok": false, "error": "invalid_auth"}', Outcome.FAILED, "invalid_auth"),
        (b'{"ok": false, "error": "ratelimited"}', Outcome.RETRY, "ratelimited"),
        (b"<html>please log in</html>", Outcome.RETRY, "with an unexpected body"),
        (b"[]", Outcome.RETRY, "with an unexpected body"),
        (b"", Outcome.RETRY, "with an unexpected body"),
    ],
)
def test_slacks_200_is_believed_only_when_it_says_ok(
    endpoint: Endpoint, said: bytes, outcome: Outcome, words: str
) -> None:
    endpoint.reply = lambda request: said
    delivery = as_bot(endpoint)
    assert delivery.outcome is outcome
    assert words in str(delivery.error)


def test_a_bot_without_a_channel_is_told_what_to_do(endpoint: Endpoint) -> None:
    delivery = as_bot(endpoint, recipient="")
    assert delivery.outcome is Outcome.FAILED
    assert "give the route a `to`" in str(delivery.error)
    assert endpoint.received == []


def test_a_rendered_incident_is_an_event_of_pagerdutys(endpoint: Endpoint) -> None:
    endpoint.answer = 202
    channel = pager_duty_webhook(endpoint.url)
    settings = SETTINGS.model_copy(update={"pagerduty_url": endpoint.url})
    address = Address(channel, dedup_key=INCIDENT)
    assert send(address, rendered(channel), settings).outcome is Outcome.SENT
    event = endpoint.received[0].json
    assert {"routing_key", "event_action", "dedup_key", "payload", "links"} <= set(event)
    assert {"summary", "source", "severity", "custom_details"} <= set(event["payload"])
    assert event["payload"]["severity"] == "error"


def test_an_incident_is_opened_acknowledged_and_resolved_under_one_key(endpoint: Endpoint) -> None:
    endpoint.answer = 202
    settings = SETTINGS.model_copy(update={"pagerduty_url": f"{endpoint.url}/v2/enqueue"})
    payload = {"summary": "AAPL", "severity": "critical", "source": "aapl-price-surge"}
    links = [{"href": "http://127.0.0.1"}]
    message = replace(MESSAGE, payload={"payload": payload, "links": links, "client": "Sentinel"})
    channel = pager_duty_webhook(endpoint.url)
    for signal in Signal:
        address = Address(channel, dedup_key=INCIDENT, signal=signal)
        assert send(address, message, settings) == Delivery(Outcome.SENT, reference=INCIDENT)
    sent = [request.json for request in endpoint.received]
    assert [event["event_action"] for event in sent] == ["trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in sent} == {INCIDENT}
    assert {event["routing_key"] for event in sent} == {SECRET}
    assert sent[0]["payload"] == payload
    assert (sent[0]["links"], sent[0]["client"]) == (links, "Sentinel")
    assert all("payload" not in event for event in sent[1:])


def test_a_key_longer_than_pagerduty_takes_still_names_one_incident(endpoint: Endpoint) -> None:
    endpoint.answer = 202
    settings = SETTINGS.model_copy(update={"pagerduty_url": endpoint.url})
    channel = pager_duty_webhook(endpoint.url)
    for key in ("x" * 300, "x" * 300, "x" * 299 + "y"):
        assert send(Address(channel, dedup_key=key), MESSAGE, settings).outcome is Outcome.SENT
    first, again, other = [request.json["dedup_key"] for request in endpoint.received]
    assert first == again != other
    assert len(first) <= 255


def test_several_incidents_are_resolved_together_or_all_of_them_again(endpoint: Endpoint) -> None:
    endpoint.answers = [202, 500, 202, 202]
    settings = SETTINGS.model_copy(update={"pagerduty_url": endpoint.url})
    address = Address(
        pager_duty_webhook(endpoint.url),
        dedup_key="storm",
        other_incidents=("storm/2",),
        signal=Signal.RESOLVE,
    )
    assert send(address, MESSAGE, settings).outcome is Outcome.RETRY
    assert send(address, MESSAGE, settings) == Delivery(Outcome.SENT, reference="storm")
    sent = [
        (request.json["event_action"], request.json["dedup_key"]) for request in endpoint.received
    ]
    assert sent == [("resolve", "storm/2"), ("resolve", "storm")] * 2


def test_a_200_is_not_what_pagerduty_says(endpoint: Endpoint) -> None:
    assert tell(pager_duty_webhook, endpoint.url).outcome is Outcome.RETRY


def test_nothing_is_acknowledged_without_a_key(endpoint: Endpoint) -> None:
    address = Address(pager_duty_webhook(endpoint.url), signal=Signal.ACKNOWLEDGE)
    assert send(address, MESSAGE, SETTINGS).outcome is Outcome.FAILED


def test_a_custom_webhook_fills_its_own_template(endpoint: Endpoint) -> None:
    assert tell(custom_webhook, endpoint.url) == Delivery(Outcome.SENT)
    [request] = endpoint.received
    assert request.json == {"text": f"{MESSAGE.subject}\n{MESSAGE.body}", "by": "own"}
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.path == f"/hook/{SECRET}"
    assert request.headers["user-agent"] == "Prefect Notifications"


def test_what_an_event_says_is_no_placeholder_of_a_webhook(endpoint: Endpoint) -> None:
    names = [f"token{n}" for n in range(20)]
    block = CustomWebhookNotificationBlock(
        name="own",
        url=endpoint.url,
        # Many, as the block fills them in any order; what comes after the body matters.
        json_data={"text": "{{body}} " + " ".join(f"{{{{{name}}}}}" for name in names)},
        secrets=SecretDict(dict.fromkeys(names, SECRET)),
    )
    message = replace(MESSAGE, body=" ".join(f"{{{{{name}}}}}" for name in names))
    assert send(Address(saved(block)), message, SETTINGS).outcome is Outcome.SENT
    assert endpoint.received[0].json["text"].count(SECRET) == len(names)


def test_a_form_is_sent_as_a_form_by_the_method_the_block_names(endpoint: Endpoint) -> None:
    block = CustomWebhookNotificationBlock(
        name="own",
        url=endpoint.url,
        method="PUT",
        params={"s": "{{subject}}"},
        form_data={"text": "{{body}}"},
        cookies={"session": "abcd"},
    )
    message = Message("opened", "a b")
    assert send(Address(saved(block)), message, SETTINGS).outcome is Outcome.SENT
    [request] = endpoint.received
    assert (request.method, request.path, request.body) == ("PUT", "/?s=opened", b"text=a+b")
    assert request.headers["cookie"] == "session=abcd"


def test_a_webhook_that_must_not_reach_private_addresses_does_not(endpoint: Endpoint) -> None:
    block = CustomWebhookNotificationBlock(
        name="own", url=endpoint.url, json_data={}, allow_private_urls=False
    )
    assert send(Address(saved(block)), MESSAGE, SETTINGS).outcome is Outcome.FAILED
    assert endpoint.received == []


def test_nor_does_it_where_a_name_is_found_private_only_when_it_connects(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns a name may answer with another address the second time it is looked up."""
    monkeypatch.setattr(webhook, "validate_restricted_url", lambda url: None)
    block = CustomWebhookNotificationBlock(
        name="own", url=endpoint.url, json_data={}, allow_private_urls=False
    )
    delivery = send(Address(saved(block)), MESSAGE, SETTINGS)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)
    assert "private address" in str(delivery.error)
    assert endpoint.received == []


PROVIDERS = (
    "hooks.slack.com",
    "events.pagerduty.com",
    "events.eu.pagerduty.com",
    "prod-00.westus.logic.azure.com",
    "discord.com",
    "api.opsgenie.com",
    "api.twilio.com",
    "api.sendgrid.com",
)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """Certificates which this process trusts for as long as the test runs."""
    made = certificates(tmp_path, PROVIDERS)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(made.authority))
    return made


@pytest.fixture
def internet(trusted: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A proxy behind which every provider is this endpoint, with a certificate in its name."""
    with http_endpoint(trusted.context) as running:
        running.reply = as_provider
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # Prefect's own client of events would try it
        yield running


def discord_webhook() -> Block:
    return DiscordWebhook(webhook_id=SecretStr("1234567890"), webhook_token=SecretStr(SECRET))


def ms_teams_webhook() -> Block:
    url = (
        "https://prod-00.westus.logic.azure.com:443/workflows/3d4c3a5f0e5b4e0f8d1a2b3c4d5e6f70/"
        f"triggers/manual/paths/invoke?api-version=2016-06-01&sig={SECRET}"
    )
    return MicrosoftTeamsWebhook(url=SecretStr(url))


def opsgenie_webhook() -> Block:
    return OpsgenieWebhook(apikey=SecretStr(SECRET))


def twilio_sms() -> Block:
    return TwilioSMS(
        account_sid="AC" + "0" * 32,
        auth_token=SecretStr(SECRET),
        from_phone_number="18001234567",
        to_phone_numbers=["18004242424"],
    )


def sendgrid_email() -> Block:
    return SendgridEmail(
        api_key=SecretStr(SECRET), sender_email="s@example.org", to_emails=["a@example.org"]
    )


def slack_webhook() -> Block:
    return SlackWebhook(
        url=SecretStr(f"https://hooks.slack.com/services/T01234567/B01234567/{SECRET}")
    )


fixed_addresses = pytest.mark.parametrize(
    ("make", "host", "accepts"),
    [
        (discord_webhook, "discord.com", 204),
        (ms_teams_webhook, "prod-00.westus.logic.azure.com", 202),
        (opsgenie_webhook, "api.opsgenie.com", 202),
        (twilio_sms, "api.twilio.com", 201),
        (sendgrid_email, "api.sendgrid.com", 202),
        (slack_webhook, "hooks.slack.com", 200),
    ],
)


@fixed_addresses
def test_a_provider_at_its_own_address_is_told_and_its_refusals_are_understood(
    internet: Endpoint, make: Callable[[], Block], host: str, accepts: int
) -> None:
    address = Address(saved(make()))
    expected = {
        accepts: Outcome.SENT,
        404: Outcome.FAILED,
        410: Outcome.FAILED,
        429: Outcome.RETRY,
        500: Outcome.RETRY,
    }
    for status, outcome in expected.items():
        internet.answer = status
        delivery = send(address, MESSAGE, SETTINGS)
        assert (status, delivery.outcome, delivery.unknown) == (status, outcome, False)
        assert SECRET not in str(delivery.error)
    assert {request.host.partition(":")[0] for request in internet.received} == {host}
    assert "AAPL" in internet.received[0].body.decode()


@fixed_addresses
def test_a_provider_that_cuts_the_line_may_have_got_it(
    internet: Endpoint, make: Callable[[], Block], host: str, accepts: int
) -> None:
    internet.answer = "reset"
    delivery = send(Address(saved(make())), MESSAGE, SETTINGS)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, True)
    assert SECRET not in str(delivery.error)


@pytest.mark.parametrize(
    ("region", "host"), [("us", "events.pagerduty.com"), ("eu", "events.eu.pagerduty.com")]
)
def test_pagerduty_is_reached_in_the_blocks_region(
    internet: Endpoint, region: str, host: str
) -> None:
    internet.answer = 202
    block = PagerDutyWebHook(
        integration_key=SecretStr("i" * 32), api_key=SecretStr("u" * 20), region_name=region
    )
    address = Address(saved(block), dedup_key=INCIDENT)
    assert send(address, MESSAGE, SETTINGS).outcome is Outcome.SENT
    [request] = internet.received
    assert (request.host, request.path) == (host, "/v2/enqueue")


def test_prefects_own_slack_block_is_sent_the_whole_message(internet: Endpoint) -> None:
    message = replace(MESSAGE, payload=PAYLOAD)
    assert send(Address(saved(slack_webhook())), message, SETTINGS).outcome is Outcome.SENT
    assert internet.received[0].json["attachments"] == PAYLOAD["attachments"]
    internet.answer, internet.retry_after = 429, "9"
    assert send(Address(saved(slack_webhook())), message, SETTINGS).retry_after_seconds == 9


@pytest.mark.parametrize("html", [None, "<p>AAPL</p>"])
def test_sendgrid_reads_html_and_so_gets_no_markup_of_an_event(
    internet: Endpoint, html: str | None
) -> None:
    internet.answer = 202
    address = Address(saved(sendgrid_email()))
    assert send(address, replace(MESSAGE, html=html), SETTINGS).outcome is Outcome.SENT
    [content] = internet.received[0].json["content"]
    assert content["type"] == "text/html"
    assert content["value"] == (html or "&lt;!channel&gt; AAPL trades at 151.2")


def test_sendgrid_shows_no_frame_where_a_picture_is_missing(internet: Endpoint) -> None:
    internet.answer = 202
    message = replace(
        MESSAGE, html='<p>AAPL</p><img alt="" src="cid:chart">', images={"chart": b""}
    )
    assert send(Address(saved(sendgrid_email())), message, SETTINGS).outcome is Outcome.SENT
    assert internet.received[0].json["content"][0]["value"] == "<p>AAPL</p>"
