"""The events that messages tell of, as they are now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import Suppression
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.tables import EVENT, RULE
from sentinel_core.store.state.audit import chunks
from sentinel_core.store.state.mutes import Mutes


def events_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Events with what their rules' rows say besides; those that are gone are not among them."""
    found = {}
    for some in chunks(sorted(set(ids))):
        statement = (
            select(EVENT, RULE.c.deployment_id, RULE.c.tags)
            .join(RULE, RULE.c.id == EVENT.c.rule_id)
            .where(EVENT.c.id.in_(some))
        )
        for row in connection.execute(statement).mappings():
            found[row["id"]] = dict(row)
    return found


def templates_of(connection: Connection, rule_id: int) -> Mapping[str, Any]:
    """A rule's own texts, as its deployment has them."""
    parameters = connection.scalar(select(RULE.c.parameters).where(RULE.c.id == rule_id))
    templates = (parameters or {}).get("templates")
    return templates if isinstance(templates, dict) else {}


def why_muted(muting: Mutes, event: Mapping[str, Any]) -> Suppression | None:
    """Why nobody is to hear of this event just now; None when people are."""
    rule = Rule(
        deployment_id=event["deployment_id"],
        name=event["rule_name"],
        flow_name="",
        settings=RuleSettings(category=event["category"]),
        tags=tuple(event["tags"] or ()),
    )
    return muting.reason_for(
        rule, Kind(event["kind"]), event["ticker"], Importance(event["importance"])
    )
