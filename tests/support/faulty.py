"""Channels that misbehave: blocks on the real server, events owed to them, and what arrived."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.blocks.notifications import PagerDutyWebHook
from prefect_email import EmailServerCredentials
from prefect_slack.credentials import SlackCredentials
from prefect_slack.credentials import SlackWebhook as SlackIncomingWebhook
from pydantic import SecretStr
from sqlalchemy import Engine, update

from sentinel_core.base.settings import Settings
from sentinel_core.store.db.engine import writing
from sentinel_core.store.state import system_rule
from tests.support.channels import saved
from tests.support.endpoint import Endpoint, Request
from tests.support.runs import TABLES, a_rule, a_run, fired, rows, told
from tests.support.smtp import MailServer

NOTIFICATION = TABLES["notification"]
_EVENT = re.compile(r"\?event=(\d+)")


# -- channels --------------------------------------------------------------------------------


def incoming_webhook(url: str, name: str | None = None) -> str:
    """A Slack incoming webhook that leads to this address."""
    return saved(SlackIncomingWebhook(url=SecretStr(f"{url}/services/T0/B0/secret")), name)


def bot_token() -> str:
    """A Slack bot's token; where Slack is, the settings say."""
    return saved(SlackCredentials(token=SecretStr("xoxb-0123456789")))


def incidents() -> str:
    """A PagerDuty service; where PagerDuty is, the settings say."""
    return saved(PagerDutyWebHook(integration_key=SecretStr("k" * 32), api_key=SecretStr("u" * 20)))


def mailbox(port: int) -> str:
    """A mail server on this port."""
    return saved(
        EmailServerCredentials(
            username="sentinel@example.org",
            password=SecretStr(""),
            smtp_server="127.0.0.1",
            smtp_port=port,
            smtp_type="INSECURE",
        )
    )


def providers_at(endpoint: Endpoint, **more: Any) -> Settings:
    """Settings with which Slack's and PagerDuty's APIs are this endpoint."""
    return Settings(
        slack_api_url=f"{endpoint.url}/api", pagerduty_url=f"{endpoint.url}/v2/enqueue", **more
    )


# -- what is owed ----------------------------------------------------------------------------


def owed(
    engine: Engine,
    *routes: Any,
    tickers: Sequence[str] = ("AAPL",),
    name: str = "aapl-price-surge",
    minute: float = 0,
    **settings: Any,
) -> list[int]:
    """A rule fires now for each of these tickers; what it owes to these routes at once."""
    rule = a_rule(name, notify={"high": list(routes)}, **settings)
    outputs = [fired(ticker) for ticker in tickers]
    return told(engine, rule, a_run(minute), outputs, datetime.now(UTC)).notifications


def notifications(engine: Engine, **where: Any) -> list[dict[str, Any]]:
    """What is on record of messages, but for what Sentinel says of its own channels."""
    events = own_events(engine)
    about_own = {event["id"] for event in events}
    found = rows(engine, "notification", **where)
    return [row for row in found if row["event_id"] not in about_own]


def own_events(engine: Engine) -> list[dict[str, Any]]:
    """The events that say that a channel fails."""
    return rows(engine, "alert_event", rule_name=system_rule.NAME)


def make_due(engine: Engine) -> None:
    """The time until the next attempt has passed."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    n = NOTIFICATION.c
    with writing(engine) as connection:
        connection.execute(
            update(NOTIFICATION)
            .where(n.status == "pending", n.next_attempt_at > past)
            .values(next_attempt_at=past)
        )


def set_attempts(engine: Engine, key: int, attempts: int) -> None:
    """A notification has been tried so often."""
    with writing(engine) as connection:
        statement = update(NOTIFICATION).where(NOTIFICATION.c.id == key)
        connection.execute(statement.values(attempts=attempts))


# -- what arrived ----------------------------------------------------------------------------


def events_in(request: Request) -> set[int]:
    """Ids of the events that a request tells of; none when it did not come in whole."""
    if len(request.body) < int(request.headers.get("content-length", 0)):
        return set()
    text = json.dumps(request.json)
    return {int(key) for key in _EVENT.findall(text)}


def arrivals(requests: Sequence[Request]) -> Counter[int]:
    """How often each event was told of by these requests."""
    return Counter(key for request in requests for key in events_in(request))


def mailed(mail: MailServer) -> Counter[int]:
    """How often each event was told of by email."""
    found: Counter[int] = Counter()
    for taken in mail.taken:
        body = taken.message.get_body(("plain",))
        assert body is not None
        found.update({int(key) for key in _EVENT.findall(body.get_content())})
    return found
