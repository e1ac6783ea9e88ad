"""Events as notifications need them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.silence import Subject
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import rows
from sentinel_core.store.db.tables import EVENT, RULE


def events_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Events by id, with columns of their rules; deleted events are missing."""
    events = select(EVENT, RULE.c.deployment_id, RULE.c.tags)
    events = events.join(RULE, RULE.c.id == EVENT.c.rule_id)
    return {
        row["id"]: row
        for some in chunks(sorted(set(ids)))
        for row in rows(connection, events.where(EVENT.c.id.in_(some)))
    }


def templates_of(connection: Connection, rule_id: int) -> Mapping[str, Any]:
    """A rule's own message templates, from its deployment's parameters."""
    parameters = connection.scalar(select(RULE.c.parameters).where(RULE.c.id == rule_id))
    templates = (parameters or {}).get("templates")
    return templates if isinstance(templates, dict) else {}


def subject_of(row: Mapping[str, Any]) -> Subject:
    """The subject that silences match: an event, or a rule's series, if it has one already."""
    return Subject(
        row["rule_name"],
        row["ticker"] or "",
        row["category"],
        Importance(row["importance"]),
        tuple(row["tags"] or ()),
        row["kind"] or Kind.ALERT.value,
    )
