"""Resolves the events of a rule that was removed, in one transaction, each with an audit entry."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, select, update

from sentinel_core.decide.transition import REMOVED, resolved_as_removed
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.system_actions import ACTOR
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, RULE, SERIES
from sentinel_core.store.outbox.enqueue import (
    PENDING,
    lock_notifications,
    notify_followers,
    suppress,
)
from sentinel_core.store.record.resolve import open_events
from sentinel_core.store.state.audit import add_audit
from sentinel_core.store.state.rows import state_row
from sentinel_core.store.state.snapshot import series_of


def resolve_removed(engine: Engine, rule_id: int, deployment_id: UUID, now: datetime) -> list[int]:
    """Resolve the open events of this rule, of every kind; returns their ids.

    Their end is a notification as any other end. Nothing happens if the rule has another
    deployment meanwhile: it was deployed again.
    """
    with writing(engine) as connection:
        rule = select(RULE.c.id).where(RULE.c.id == rule_id, RULE.c.deployment_id == deployment_id)
        if connection.execute(rule.with_for_update()).first() is None:
            return []
        unresolved = select(EVENT.c.id).where(
            EVENT.c.rule_id == rule_id, EVENT.c.resolved_at.is_(None)
        )
        ended: list[int] = []
        for some in chunks(list(connection.scalars(unresolved.order_by(EVENT.c.id)))):
            for row in open_events(connection, some):
                at = max(now, row["last_seen"])
                if row["id"] is not None:
                    decision = resolved_as_removed(series_of(dict(row)), now)
                    at = decision.series.ended_at or at
                    values = state_row(decision.series, now, None)
                    connection.execute(
                        update(SERIES).where(SERIES.c.id == row["id"]).values(**values)
                    )
                this = update(EVENT).where(EVENT.c.id == row["event"])
                connection.execute(this.values(resolved_at=at, resolution=REMOVED))
                ended.append(row["event"])
        why = Suppression(SuppressionCode.RESOLVED, "resolved: its rule was removed")
        for some in chunks(ended):
            pending = (NOTIFICATION.c.event_id.in_(some), NOTIFICATION.c.status == PENDING)
            if lock_notifications(connection, *pending):
                suppress(connection, pending, why, now)
        notify_followers(connection, ended, NotifyReason.RESOLVED.value, now)
        add_audit(connection, ACTOR, "resolved", now, {"reason": REMOVED}, ended)
        return ended
