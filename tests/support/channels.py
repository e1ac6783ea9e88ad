"""Channels as their owners save them in Prefect, and what is sent to them."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MattermostWebhook,
    PagerDutyWebHook,
)
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED
from prefect.types import SecretDict
from prefect_email import EmailServerCredentials
from prefect_slack.credentials import SlackCredentials
from prefect_slack.credentials import SlackWebhook as SlackIncomingWebhook
from pydantic import SecretStr

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Content, Item, Links, Message
from sentinel_core.message.render import render
from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.notify.channel.outcome import Address, Delivery
from sentinel_core.notify.channel.send import send
from tests.support.endpoint import Request
from tests.support.patience import patient
from tests.support.prefect import connected_to
from tests.support.runs import T0

SECRET = "s3cr3tT0ken0123456789abcdefABCDE"
SETTINGS = Settings(notify_timeout_seconds=20)
IMPATIENT = Settings(notify_timeout_seconds=patient(1.5))
MESSAGE = Message(subject="HIGH · AAPL <b>", body="<!channel> AAPL trades at 151.2")
INCIDENT = "aapl-price-surge/AAPL"


@contextlib.contextmanager
def talking_to(api_url: str) -> Iterator[None]:
    """This process talks to that Prefect server."""
    with connected_to(api_url, {PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield
        EventsWorker.drain_all(timeout=patient(10))  # its client of Prefect's events is closed


def as_provider(request: Request) -> bytes:
    """What Slack's Web API and Opsgenie say to a message; the others need less."""
    return b'{"ok": true, "channel": "C024BE91L", "ts": "1767623400.000200", "requestId": "43a2"}'


def saved(block: Block, name: str | None = None) -> str:
    """The block, on the server under this name or a new one; its slug."""
    name = name or f"b{uuid.uuid4().hex}"
    block.save(name, overwrite=True, _sync=True)  # type: ignore[call-arg]
    return f"{block.get_block_type_slug()}/{name}"


def slack_incoming_webhook(url: str, name: str | None = None) -> str:
    """prefect-slack's webhook."""
    return saved(SlackIncomingWebhook(url=SecretStr(f"{url}/services/T0/B0/{SECRET}")), name)


def slack_credentials(url: str) -> str:
    """A bot's token; where Slack is, a setting says."""
    return saved(SlackCredentials(token=SecretStr(SECRET)))


def custom_webhook(url: str) -> str:
    """Prefect's webhook with a template and a secret of its own."""
    block = CustomWebhookNotificationBlock(
        name="own",
        url=f"{url}/hook/{SECRET}",
        json_data={"text": "{{subject}}\n{{body}}", "by": "{{name}}"},
        headers={"Authorization": "Bearer {{token}}"},
        secrets=SecretDict({"token": SECRET}),
        timeout=30,
    )
    return saved(block)


def mattermost_webhook(url: str) -> str:
    """One of Prefect's that send through Apprise."""
    port = int(url.rpartition(":")[2])
    return saved(MattermostWebhook(hostname="127.0.0.1", port=port, token=SecretStr(SECRET)))


def pager_duty_webhook(url: str, name: str | None = None) -> str:
    """PagerDuty's key; where PagerDuty is, a setting says."""
    block = PagerDutyWebHook(integration_key=SecretStr(SECRET), api_key=SecretStr("u" * 20))
    return saved(block, name)


def email_server_credentials(port: int, **fields: Any) -> str:
    """A mail server on this machine."""
    block = EmailServerCredentials(
        **{
            "username": "sentinel@example.org",
            "smtp_server": "127.0.0.1",
            "smtp_port": port,
            "smtp_type": "INSECURE",
            **fields,
        }
    )
    return saved(block)


CHANNELS = [
    slack_incoming_webhook,
    slack_credentials,
    custom_webhook,
    mattermost_webhook,
    pager_duty_webhook,
]


def tell(
    channel: Callable[[str], str], url: str, settings: Settings = SETTINGS, **fields: Any
) -> Delivery:
    """Send through a new block of this kind to what listens at `url`."""
    address = Address(channel(url), recipient="#alerts", dedup_key=INCIDENT, **fields)
    settings = settings.model_copy(
        update={"slack_api_url": f"{url}/api", "pagerduty_url": f"{url}/v2/enqueue"}
    )
    return send(address, MESSAGE, settings)


def accepted(channel: Callable[[str], str]) -> int:
    """The status that means yes."""
    return 202 if channel is pager_duty_webhook else 200


EVENT: dict[str, Any] = {
    "id": 7,
    "rule_id": 1,
    "rule_name": "aapl-price-surge",
    "kind": "alert",
    "ticker": "AAPL",
    "category": "Market",
    "importance": "high",
    "message": "<!channel> AAPL trades at 151.2",
    "timestamp": T0,
    "first_seen": T0,
    "last_seen": T0,
    "occurrences": 1,
    "is_acknowledged": False,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "comment": None,
    "resolved_at": None,
    "resolution": None,
    "prefect_flow_run_id": uuid.uuid4(),
    "runbook": None,
    "suggested_action": None,
    "metrics": {"value": 151.2, "threshold": 150.0},
    "metadata": {},
}
LINKS = Links("http://127.0.0.1:8501", "http://127.0.0.1:4200")


def rendered(channel: str) -> Message:
    """An event as this channel is told of it."""
    history = [(T0 - timedelta(minutes=n), 151.2 - n) for n in range(9, -1, -1)]
    content = Content(items=(Item(EVENT, "opened", history),))
    return render(medium_of(channel), content, LINKS)
