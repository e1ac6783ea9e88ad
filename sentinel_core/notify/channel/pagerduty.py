"""PagerDuty's Events API v2. Prefect's block holds the key, but can only trigger by itself."""

import hashlib
from dataclasses import replace
from typing import Any

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.notify.channel.attempt import Attempt
from sentinel_core.notify.channel.http import request
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, Signal, failed

ACCEPTED = 202
_KEY_LIMIT = 255
_URLS = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}


def send_to_pagerduty(
    block: Any, address: Address, message: Message, settings: Settings, attempt: Attempt
) -> Delivery:
    """Trigger, acknowledge or resolve the incident that `address.dedup_key` names, and the others.

    All of it is repeated when one is refused; PagerDuty takes what it has already for the same.
    """
    if not address.dedup_key and address.signal is not Signal.TRIGGER:
        return failed(f"a PagerDuty incident can't be {address.signal}d without its dedup_key")
    url = settings.pagerduty_url or _URLS[block.region_name]
    for key in (*address.other_incidents, address.dedup_key):
        incident = replace(address, dedup_key=key)
        answer = request(attempt, "POST", url, json=event(block, incident, message))
        if answer.status != ACCEPTED:
            return answer.refused("PagerDuty")
    return Delivery(Outcome.SENT, reference=dedup_key(address) or None)


def event(block: Any, address: Address, message: Message) -> dict[str, Any]:
    """The event for PagerDuty: the message's payload with the block's own fields. Pure."""
    sent: dict[str, Any] = {
        "routing_key": block.integration_key.get_secret_value(),
        "event_action": address.signal.value,
    }
    if address.dedup_key:
        sent["dedup_key"] = dedup_key(address)
    if address.signal is not Signal.TRIGGER:
        return sent  # PagerDuty accepts no other fields here
    payload = {
        "summary": message.subject,
        "severity": "error",
        "source": block.source or "Sentinel",
        **({"group": block.group} if block.group else {}),
        **({"class": block.class_id} if block.class_id else {}),
        **message.payload.get("payload", {}),
    }
    return {**message.payload, **sent, "payload": payload}


def dedup_key(address: Address) -> str:
    """The incident's key, or its digest if PagerDuty would cut it."""
    if len(address.dedup_key) <= _KEY_LIMIT:
        return address.dedup_key
    return hashlib.sha256(address.dedup_key.encode("utf-8", "surrogatepass")).hexdigest()
