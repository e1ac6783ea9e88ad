"""Messages into the outbox, within somebody else's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select, update

from sentinel_core.decide.fanout import AFTER, dropped_columns, notices
from sentinel_core.model.reasons import STEPS_LIKE, Suppression, SuppressionCode
from sentinel_core.store.db.bulk import MANY, newest_id, write_rows
from sentinel_core.store.db.tables import NOTIFICATION, Row
from sentinel_core.store.state.audit import chunks
from sentinel_core.store.state.events import events_by_id, why_muted
from sentinel_core.store.state.mutes import Mutes
from sentinel_core.store.state.rules import insert_or

SENT, PENDING, FAILED, SUPPRESSED = "sent", "pending", "failed", "suppressed"

_N = NOTIFICATION.c
# Written out, not a parameter: the planner has to see that an index over some rows has these.
IS_PENDING: ColumnElement[bool] = _N.status == literal_column(f"'{PENDING}'")
IS_FAILED: ColumnElement[bool] = _N.status == literal_column(f"'{FAILED}'")
IS_ABOUT: ColumnElement[bool] = _N.about != literal_column("''")
IS_STEP: ColumnElement[bool] = _N.reason.like(STEPS_LIKE)


def hold_messages(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Lock these rows in one order: two who change overlapping ones never wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(_N.id).where(*which).order_by(_N.id).with_for_update())


# -- news of events --------------------------------------------------------------------------


def owe_notices(
    connection: Connection, news: Sequence[tuple[int, str, Suppression | None]], now: datetime
) -> list[Row]:
    """What is owed to those who were told of these events: (event, reason, why it is not told)."""
    wanted = {event_id: (reason, suppressed) for event_id, reason, suppressed in news}
    owed: list[Row] = []
    for some in chunks(sorted(wanted)):
        statement = select(NOTIFICATION).where(_N.event_id.in_(some)).order_by(_N.event_id, _N.id)
        rows = [dict(row) for row in connection.execute(statement).mappings()]
        for event_id, before in groupby(rows, key=itemgetter("event_id")):
            reason, suppressed = wanted[event_id]
            owed += notices(list(before), event_id, reason, now, suppressed)
    return owed


def tell_of(connection: Connection, event_ids: Sequence[int], reason: str, now: datetime) -> None:
    """Owe this news of some events to whoever heard of them; of the mute ones only where that is
    part of something that goes on."""
    rows = owe_notices(connection, [(key, reason, None) for key in event_ids], now)
    if not rows:
        return
    muting = Mutes(connection, now)
    events = events_by_id(connection, [row["event_id"] for row in rows])
    muted = {key: why for key, event in events.items() if (why := why_muted(muting, event))}
    if muted:
        rows = owe_notices(connection, [(key, reason, muted.get(key)) for key in event_ids], now)
    insert_messages(connection, rows, now)


def insert_messages(connection: Connection, rows: Sequence[Row], now: datetime) -> list[int]:
    """Write them; ids of the new ones that are to be sent now."""
    statement = insert_or(connection, NOTIFICATION).on_conflict_do_nothing()
    # SQLite has one writer at a time: whatever is new in a table is this transaction's
    if connection.dialect.name == "sqlite" and len(rows) >= MANY:
        before = newest_id(connection, NOTIFICATION)
        write_rows(connection, statement, rows)
        new = select(_N.id).where(_N.id > before, IS_PENDING, _N.next_attempt_at <= now)
        return list(connection.scalars(new.order_by(_N.id)))
    columns = (_N.id, _N.status, _N.next_attempt_at)
    written: Any = connection.execute(statement.returning(*columns), rows)
    return [key for key, status, due in written if status == PENDING and due <= now]


# -- escalations -----------------------------------------------------------------------------


def drop_steps(
    connection: Connection,
    event_ids: Sequence[int],
    why: Suppression,
    now: datetime,
    *,
    before: datetime | None = None,
) -> None:
    """Steps of these events that would come before then are not sent, unless one is on its way."""
    for some in chunks(sorted(event_ids)):
        which = [_N.event_id.in_(some), IS_PENDING, IS_STEP, _N.claimed_at.is_(None)]
        if before is not None:
            which.append(_N.next_attempt_at < before)
        hold_messages(connection, *which)
        connection.execute(
            update(NOTIFICATION)
            .where(*which)
            .values(status=SUPPRESSED, settled_at=now, **dropped_columns(why))
        )


def owe_steps_again(connection: Connection, event_ids: Sequence[int], now: datetime) -> None:
    """Nobody has taken on these events after all: the steps that were spared for it are to come,
    as long after now as they were to come after people were told."""
    for some in chunks(sorted(event_ids)):
        statement = select(_N.id, _N.event_id, _N.created_at, _N.route, _N.dropped_code).where(
            _N.event_id.in_(some), IS_STEP
        )
        rows = connection.execute(statement.order_by(_N.id)).all()
        newest = {row.event_id: row.created_at for row in rows}
        spared = [
            {"key": row.id, "at": now + timedelta(seconds=row.route.get(AFTER) or 0)}
            for row in rows
            if row.created_at == newest[row.event_id]
            and row.dropped_code == SuppressionCode.ACKNOWLEDGED
        ]
        if not spared:
            continue
        at = bindparam("at", type_=_N.next_attempt_at.type)
        again = {"status": PENDING, "settled_at": None, "next_attempt_at": at}
        never_sent = (_N.status == SUPPRESSED, _N.attempts == 0)
        update_them = update(NOTIFICATION).where(_N.id == bindparam("key"), *never_sent)
        connection.execute(update_them.values(**again, **dropped_columns(None)), spared)
