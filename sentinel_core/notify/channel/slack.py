"""Slack: an incoming webhook, or a bot's token, whose messages can go into a thread."""

import json
import re
from typing import Any

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.notify.channel.apprise import send_by_notify
from sentinel_core.notify.channel.attempt import Attempt
from sentinel_core.notify.channel.classify import by_slack_error
from sentinel_core.notify.channel.http import request
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, failed

_OK = 200
_REFERENCE = re.compile(r"([A-Z0-9]+)/([0-9]+\.[0-9]+)")  # channel id / ts
_NO_THREAD = {"thread_not_found", "cannot_reply_to_message"}
# A Slack webhook in Prefect's own Slack block is posted to directly.
_WEBHOOK = re.compile(r"https://hooks\.slack(?:-gov)?\.com/services/\S+", re.IGNORECASE)


def send_to_webhook(
    block: Any, _address: Address, message: Message, _settings: Settings, attempt: Attempt
) -> Delivery:
    """Post to an incoming webhook, which has one channel and no threads.

    The block's own client is not used: it knows the status only at the end of the body, and would
    send a message again that Slack has accepted.
    """
    answer = request(attempt, "POST", block.url.get_secret_value(), json=_content(message))
    if answer.status == _OK:
        return Delivery(Outcome.SENT)
    return answer.refused("Slack")


def send_to_built_in(
    block: Any, address: Address, message: Message, settings: Settings, attempt: Attempt
) -> Delivery:
    """Prefect's own Slack block: it may hold any of Apprise's URLs, mostly a Slack webhook's."""
    if _WEBHOOK.fullmatch(block.url.get_secret_value()):
        return send_to_webhook(block, address, message, settings, attempt)
    return send_by_notify(block, message, attempt)


def send_as_bot(
    block: Any, address: Address, message: Message, settings: Settings, attempt: Attempt
) -> Delivery:
    """Post to `address.recipient`, or into the thread of an earlier message.

    The reference is `channel id/ts`, as channel names can change.
    """
    if not address.recipient:
        return failed(f"{address.channel} has no Slack channel: give the route a `to`")
    token = block.token.get_secret_value()
    first = _REFERENCE.fullmatch(address.thread or "")
    if first is not None:
        place = {"channel": first[1], "thread_ts": first[2]}
        delivery = _post(token, place, message, settings, attempt)
        if not (delivery.error or "").endswith(tuple(_NO_THREAD)):
            return delivery
    return _post(token, {"channel": address.recipient}, message, settings, attempt)


def _post(
    token: str, place: dict[str, str], message: Message, settings: Settings, attempt: Attempt
) -> Delivery:
    answer = request(
        attempt,
        "POST",
        f"{settings.slack_api_url}/chat.postMessage",
        headers={"Authorization": f"Bearer {token}"},
        json={**_content(message), **place},
        reads_success=True,
    )
    if not answer.ok:
        return answer.refused("Slack")
    try:
        body = json.loads(answer.text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        what = "with an unexpected body" if answer.complete else "with an incomplete body"
        return Delivery(
            Outcome.RETRY, f"Slack answered {answer.status} {what}", unknown=not answer.complete
        )
    if not body["ok"]:
        return by_slack_error(str(body.get("error") or "no reason given"))
    reference = f"{body.get('channel')}/{body.get('ts')}"
    known = _REFERENCE.fullmatch(reference) is not None
    return Delivery(Outcome.SENT, reference=reference if known else None)


def _content(message: Message) -> dict[str, Any]:
    """The request body for Slack's API; plain text if the message has no payload."""
    text = f"{message.subject}\n{message.body}".strip()
    return {"text": text, "unfurl_links": False, "unfurl_media": False, **message.payload}
