"""The audit: who did what, and when. Rows are only ever added."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

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
