"""The events that PagerDuty is sent, without sending them."""

from typing import Any

import pytest
from prefect.blocks.notifications import PagerDutyWebHook
from pydantic import SecretStr

from sentinel_core.message.content import Message
from sentinel_core.notify.channel.outcome import Address, Signal
from sentinel_core.notify.channel.pagerduty import dedup_key, event

MESSAGE = Message("AAPL trades at 151.2", "AAPL trades at 151.2")


def a_block(**fields: Any) -> PagerDutyWebHook:
    return PagerDutyWebHook(
        integration_key=SecretStr("k" * 32), api_key=SecretStr("u" * 20), **fields
    )


def to(key: str, signal: Signal = Signal.TRIGGER) -> Address:
    return Address("pager-duty-webhook/x", dedup_key=key, signal=signal)


def test_a_message_without_a_payload_is_an_incident_with_its_subject() -> None:
    assert event(a_block(), to("rule/AAPL"), MESSAGE) == {
        "routing_key": "k" * 32,
        "event_action": "trigger",
        "dedup_key": "rule/AAPL",
        "payload": {"summary": MESSAGE.subject, "severity": "error", "source": "Prefect"},
    }


def test_what_the_block_says_is_kept_where_the_message_says_nothing() -> None:
    block = a_block(source="desk", group="equities", class_id="price")
    assert event(block, to(""), MESSAGE)["payload"] == {
        "summary": MESSAGE.subject,
        "severity": "error",
        "source": "desk",
        "group": "equities",
        "class": "price",
    }
    said = Message("s", "b", payload={"payload": {"source": "rule", "class": "drift"}})
    payload = event(block, to(""), said)["payload"]
    assert (payload["source"], payload["class"], payload["group"]) == ("rule", "drift", "equities")


def test_a_block_without_a_source_names_sentinel() -> None:
    assert event(a_block(source=""), to(""), MESSAGE)["payload"]["source"] == "Sentinel"


@pytest.mark.parametrize("signal", [Signal.ACKNOWLEDGE, Signal.RESOLVE])
def test_later_events_of_an_incident_have_its_key_and_nothing_else(signal: Signal) -> None:
    assert event(a_block(), to("rule/AAPL", signal), MESSAGE) == {
        "routing_key": "k" * 32,
        "event_action": signal.value,
        "dedup_key": "rule/AAPL",
    }


@pytest.mark.parametrize(("length", "kept"), [(1, True), (255, True), (256, False)])
def test_a_key_is_kept_as_long_as_pagerduty_keeps_it(length: int, kept: bool) -> None:
    key = "x" * length
    assert (dedup_key(to(key)) == key) is kept
    assert len(dedup_key(to(key))) <= 255
