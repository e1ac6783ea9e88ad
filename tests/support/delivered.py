"""Messages that really went through the outbox: claimed as a deliverer does, and settled."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.outbox.claim import ClaimedMessage, claim, due
from sentinel_core.store.outbox.enqueue import FAILED, SENT
from sentinel_core.store.outbox.settle import settle
from tests.support.recorded import a_rule

OPS, ONCALL, EVERYONE = (
    "slack-incoming-webhook/ops",
    "pager-duty-webhook/oncall",
    "slack-incoming-webhook/everyone",
)
GONE = "404 Not Found: no_service. Is the webhook still there?"


def telling(name: str = "disk", importance: str = "high", **settings: Any) -> Rule:
    """A rule that tells of its events, with any other settings."""
    rule = a_rule(name, importance)
    chosen = {
        "importance": importance,
        "category": "System",
        "notify": {importance: [OPS]},
        **settings,
    }
    return replace(rule, settings=RuleSettings.model_validate(chosen))


def attempt(
    engine: Engine,
    at: datetime,
    *,
    channel: str = OPS,
    status: str = SENT,
    error: str | None = None,
    again: timedelta | None = None,
    unknown: bool = False,
) -> list[ClaimedMessage]:
    """Deliver what a channel is owed at this moment, with this outcome for all of it."""
    done = []
    for key in due(engine, at):
        owed = _claimed(engine, key, at, channel)
        if owed is not None:
            done.append(owed)
            settle(
                engine,
                owed.ids,
                status=status,
                error=error,
                now=at,
                next_attempt_at=at + again if again else None,
                unknown=unknown,
            )
    return done


def refuse(
    engine: Engine, at: datetime, *, channel: str = OPS, error: str = GONE
) -> list[ClaimedMessage]:
    """The same, failed for good."""
    return attempt(engine, at, channel=channel, status=FAILED, error=error)


def _claimed(engine: Engine, key: int, at: datetime, channel: str) -> ClaimedMessage | None:
    others = {OPS, ONCALL, EVERYONE} - {channel}
    return claim(engine, key, at, without=others)
