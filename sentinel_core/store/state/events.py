"""Events as notifications need them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import Suppression
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.tables import EVENT, RULE
from sentinel_core.store.state.mutes import Mutes


def events_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Events by id, with columns of their rules; deleted events are missing."""
    events = {}
    for some in chunks(sorted(set(ids))):
        statement = (
            select(EVENT, RULE.c.deployment_id, RULE.c.tags)
            .join(RULE, RULE.c.id == EVENT.c.rule_id)
            .where(EVENT.c.id.in_(some))
        )
        for row in connection.execute(statement).mappings():
            events[row["id"]] = dict(row)
    return events


def templates_of(connection: Connection, rule_id: int) -> Mapping[str, Any]:
    """A rule's own message templates, from its deployment's parameters."""
    parameters = connection.scalar(select(RULE.c.parameters).where(RULE.c.id == rule_id))
    templates = (parameters or {}).get("templates")
    return templates if isinstance(templates, dict) else {}


def why_muted(mutes: Mutes, event: Mapping[str, Any]) -> Suppression | None:
    """Why this event is muted now; None if it is not."""
    rule = Rule(
        deployment_id=event["deployment_id"],
        name=event["rule_name"],
        flow_name="",
        settings=RuleSettings(category=event["category"]),
        tags=tuple(event["tags"] or ()),
    )
    return mutes.reason_for(
        rule, Kind(event["kind"]), event["ticker"], Importance(event["importance"])
    )
