"""Ends acknowledgements that no longer hold, each with an audit entry if it ended by itself."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from sentinel_core.decide.snooze import SnoozeEnd
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.bulk import write_rows
from sentinel_core.store.db.tables import EVENT
from sentinel_core.store.outbox.enqueue import drop_steps
from sentinel_core.store.state.audit import add_system_audit
from sentinel_core.store.state.rows import NOT_ACKNOWLEDGED

_RESTARTED = Suppression(SuppressionCode.ESCALATION_RESTARTED, "the escalation began anew")


def reopen(
    connection: Connection, reopened: Sequence[tuple[int, SnoozeEnd | None]], now: datetime
) -> None:
    """Clear these acknowledgements: the escalation begins anew."""
    ids = sorted(event_id for event_id, _ in reopened)
    statement = update(EVENT).where(EVENT.c.id == bindparam("event")).values(**NOT_ACKNOWLEDGED)
    write_rows(connection, statement, [{"event": event_id} for event_id in ids])
    drop_steps(connection, ids, _RESTARTED, now)
    by_end: dict[SnoozeEnd, list[int | None]] = {}
    for event_id, end in sorted(reopened):
        if end is not None:
            by_end.setdefault(end, []).append(event_id)
    for end, events in by_end.items():
        detail = {"reason": end.code.value, "sentence": end.sentence}
        action = SystemAction.ACKNOWLEDGEMENT_ENDED
        add_system_audit(connection, action, now, detail, events)
