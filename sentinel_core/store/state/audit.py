"""The audit: who did what, and when. Rows are only ever added."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert

from sentinel_core.model.system_actions import ACTOR, SystemAction
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import AUDIT


def add_audit(
    connection: Connection,
    actor: str,
    action: str,
    now: datetime,
    detail: Mapping[str, Any],
    events: Sequence[int | None] = (None,),
) -> None:
    """Add an audit entry for each event; by default one that concerns no event."""
    if events:
        entry = {"at": now, "actor": actor, "action": action, "detail": dict(detail)}
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
