"""Sentinel's own rules, without deployments in Prefect: failing channels, failing reactions."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Engine, select

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.model.alert import Importance
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import Policy, RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import RULE, SERIES

NAME, FLOW = "sentinel-notifications", "deliver"
IMPORTANCE = Importance.HIGH
DEPLOYMENT_ID = uuid5(NAMESPACE_URL, "sentinel/notifications")
REACTIONS = "sentinel-reactions"
REACTIONS_ID = uuid5(NAMESPACE_URL, "sentinel/reactions")
OWN = (DEPLOYMENT_ID, REACTIONS_ID)
"""In place of the ids of deployments."""


def rule(notify: Routes) -> Rule:
    """The system rule, with `notify` as its routes."""
    return Rule(
        deployment_id=DEPLOYMENT_ID,
        name=NAME,
        flow_name=FLOW,
        settings=RuleSettings(
            importance=IMPORTANCE,
            category="System",
            notify=notify,
            policy=Policy(notify_resolved=True),
        ),
        description="Notification channels that do not take messages.",
        tags=("sentinel",),
    )


def known_channels(engine: Engine) -> dict[str, tuple[bool, datetime]]:
    """Channels that have had an event: whether it is open, and the newest failure it covers."""
    s = SERIES.c
    statement = (
        select(s.ticker, s.status, s.last_at)
        .join(RULE, RULE.c.id == s.rule_id)
        .where(RULE.c.deployment_id == DEPLOYMENT_ID, s.kind == Kind.FAILURE.value)
    )
    with reading(engine) as connection:
        return {
            row.ticker: (row.status == Status.FIRING, row.last_at)
            for row in connection.execute(statement)
        }
