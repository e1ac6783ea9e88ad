"""Adds notifications to the outbox within the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select, update

from sentinel_core.decide.fanout import AFTER, dropped_columns, follow_ups
from sentinel_core.model.reasons import STEPS_LIKE, Suppression, SuppressionCode
from sentinel_core.store.db.bulk import MANY, chunks, insert_into, insert_new, newest_id, write_rows
from sentinel_core.store.db.tables import NOTIFICATION, Row
from sentinel_core.store.state.events import events_by_id, subject_of
from sentinel_core.store.state.mutes import Mutes

SENT, PENDING, FAILED, SUPPRESSED = "sent", "pending", "failed", "suppressed"

_N = NOTIFICATION.c
# Literals instead of parameters: the planner must see that a partial index covers these rows.
IS_PENDING: ColumnElement[bool] = _N.status == literal_column(f"'{PENDING}'")
IS_FAILED: ColumnElement[bool] = _N.status == literal_column(f"'{FAILED}'")
IS_ABOUT: ColumnElement[bool] = _N.about != literal_column("''")
IS_STEP: ColumnElement[bool] = _N.reason.like(STEPS_LIKE)


def same_address(columns: Any, other: Any) -> tuple[ColumnElement[bool], ...]:
    """SQL conditions: to the same channel and recipient as another row or table."""
    return columns.channel == other["channel"], columns.recipient == other["recipient"]


def suppress(
    connection: Connection,
    which: Sequence[ColumnElement[bool]],
    why: Suppression,
    now: datetime,
    **columns: Any,
) -> None:
    """Suppress these notifications, with the reason on record."""
    columns |= {"status": SUPPRESSED, "settled_at": now, **dropped_columns(why)}
    connection.execute(update(NOTIFICATION).where(*which).values(**columns))


def lock_notifications(connection: Connection, *which: ColumnElement[bool]) -> bool:
    """Lock these rows in the order of their ids, so that transactions never deadlock.

    False if there are none; SQLite, which has no locks on rows, is not asked.
    """
    if connection.dialect.name != "postgresql":
        return True
    ordered = select(_N.id).where(*which).order_by(_N.id).with_for_update()
    return connection.execute(ordered).first() is not None


def plan_follow_ups(
    connection: Connection, changes: Sequence[tuple[int, str, Suppression | None]], now: datetime
) -> list[Row]:
    """Notifications for everybody who was notified of these events before.

    Each change is an event's id, the reason, and the suppression, if any.
    """
    changed = {event_id: (reason, suppression) for event_id, reason, suppression in changes}
    planned: list[Row] = []
    for some in chunks(sorted(changed)):
        statement = select(NOTIFICATION).where(_N.event_id.in_(some)).order_by(_N.event_id, _N.id)
        rows = [dict(row) for row in connection.execute(statement).mappings()]
        for event_id, previous in groupby(rows, key=itemgetter("event_id")):
            reason, suppression = changed[event_id]
            planned += follow_ups(list(previous), event_id, reason, now, suppression)
    return planned


def notify_followers(
    connection: Connection, event_ids: Sequence[int], reason: str, now: datetime
) -> None:
    """Enqueue follow-ups to these events; to muted ones only in incidents and threads."""
    rows = plan_follow_ups(connection, [(key, reason, None) for key in event_ids], now)
    if not rows:
        return
    mutes = Mutes(connection, now)
    events = events_by_id(connection, [row["event_id"] for row in rows])
    muted = {key: mutes.reason_for(subject_of(event)) for key, event in events.items()}
    if any(muted.values()):
        changes = [(key, reason, muted.get(key)) for key in event_ids]
        rows = plan_follow_ups(connection, changes, now)
    insert_notifications(connection, rows, now)


def insert_notifications(connection: Connection, rows: Sequence[Row], now: datetime) -> list[int]:
    """Insert these rows; returns the ids of new rows that are due now."""
    sqlite = connection.dialect.name == "sqlite"
    if len(rows) == 1 or (sqlite and len(rows) < MANY):  # no network: one by one costs no more
        keys = [insert_new(connection, NOTIFICATION, row) for row in rows]
        new_rows = zip(keys, rows, strict=True)
        return [key for key, row in new_rows if key is not None and _is_due(row, now)]
    statement = insert_into(connection, NOTIFICATION).on_conflict_do_nothing()
    if sqlite:  # it has one writer at a time: every new row of a table is this transaction's
        before = newest_id(connection, NOTIFICATION)
        write_rows(connection, statement, rows)
        new = select(_N.id).where(_N.id > before, IS_PENDING, _N.next_attempt_at <= now)
        return list(connection.scalars(new.order_by(_N.id)))
    columns = (_N.id, _N.status, _N.next_attempt_at)
    written: Any = connection.execute(statement.returning(*columns), rows)
    return [key for key, status, due in written if status == PENDING and due <= now]


def _is_due(row: Row, now: datetime) -> bool:
    due: datetime = row["next_attempt_at"]
    return row.get("status", PENDING) == PENDING and due <= now


def drop_steps(
    connection: Connection,
    event_ids: Sequence[int],
    why: Suppression,
    now: datetime,
    *,
    before: datetime | None = None,
) -> None:
    """Suppress escalation steps of these events that are due before then and not claimed."""
    for some in chunks(sorted(event_ids)):
        which = [_N.event_id.in_(some), IS_PENDING, IS_STEP, _N.claimed_at.is_(None)]
        if before is not None:
            which.append(_N.next_attempt_at < before)
        if lock_notifications(connection, *which):
            suppress(connection, which, why, now)


def restore_steps(connection: Connection, event_ids: Sequence[int], now: datetime) -> None:
    """Restore the escalation steps that an acknowledgement suppressed, as it is taken back.

    Their original delays are counted from now.
    """
    for some in chunks(sorted(event_ids)):
        statement = select(_N.id, _N.event_id, _N.created_at, _N.route, _N.dropped_code).where(
            _N.event_id.in_(some), IS_STEP
        )
        rows = connection.execute(statement.order_by(_N.id)).all()
        newest = {row.event_id: row.created_at for row in rows}
        suppressed = [
            {"key": row.id, "at": now + timedelta(seconds=row.route.get(AFTER) or 0)}
            for row in rows
            if row.created_at == newest[row.event_id]
            and row.dropped_code == SuppressionCode.ACKNOWLEDGED
        ]
        if not suppressed:
            continue
        at = bindparam("at", type_=_N.next_attempt_at.type)
        again = {"status": PENDING, "settled_at": None, "next_attempt_at": at}
        never_sent = (_N.status == SUPPRESSED, _N.attempts == 0)
        update_them = update(NOTIFICATION).where(_N.id == bindparam("key"), *never_sent)
        connection.execute(update_them.values(**again, **dropped_columns(None)), suppressed)
