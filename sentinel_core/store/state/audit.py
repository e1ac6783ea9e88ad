"""The audit: who did what, and when. Rows are only ever added."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, literal, select

from sentinel_core.model.system_actions import ACTOR, SystemAction
from sentinel_core.store.db.bulk import MANY, chunks
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import AUDIT, EVENT


def add_audit(
    connection: Connection,
    actor: str,
    action: str,
    now: datetime,
    detail: Mapping[str, Any],
    events: Sequence[int | None] = (None,),
) -> None:
    """Add an audit entry for each event on record; by default one that concerns no event."""
    entry = {"at": now, "actor": actor, "action": action, "detail": dict(detail)}
    if len(events) >= MANY:
        for some in chunks([key for key in events if key is not None]):
            values = [literal(value, AUDIT.c[name].type) for name, value in entry.items()]
            keys = select(EVENT.c.id, *values).where(EVENT.c.id.in_(some)).order_by(EVENT.c.id)
            connection.execute(insert(AUDIT).from_select(["event_id", *entry], keys))
    elif events:
        connection.execute(insert(AUDIT), [{**entry, "event_id": key} for key in events])


def add_system_audit(
    connection: Connection,
    action: SystemAction,
    now: datetime,
    detail: Mapping[str, Any],
    events: Sequence[int | None] = (None,),
) -> None:
    """As `add_audit`, for what Sentinel itself did."""
    add_audit(connection, ACTOR, action.value, now, detail, events)


def audit_system(
    engine: Engine, action: SystemAction, now: datetime, detail: Mapping[str, Any]
) -> None:
    """Add an audit entry of what Sentinel itself did, in a transaction of its own."""
    with writing(engine) as connection:
        add_system_audit(connection, action, now, detail)
