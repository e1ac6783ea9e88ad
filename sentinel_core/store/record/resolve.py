"""Resolves events by hand, in one transaction, each with an audit entry."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, select, update

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.decide.transition import resolved_by_hand
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, SERIES
from sentinel_core.store.outbox.enqueue import (
    PENDING,
    lock_notifications,
    notify_followers,
    suppress,
)
from sentinel_core.store.record.change import Changed, changing, require_name
from sentinel_core.store.record.react import react_to_ends
from sentinel_core.store.state.rows import state_row
from sentinel_core.store.state.snapshot import ACKNOWLEDGED, series_of

_ABOUT_ABSENCE = (Kind.ALERT.value, Kind.NO_DATA.value)


def resolve(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """Resolve these events. Their series start anew: if a check still triggers, its next run opens
    another event, unless the rule's cooldown prevents it.

    Pending notifications about them are not sent. Resolving acknowledges: an unacknowledged event
    is acknowledged in the same name. Raises ValueError without a name, StoreUnavailableError if
    nothing was written.
    """
    who = require_name(by, "resolves")
    with changing(engine, ids, who, comment, now) as change:
        connection, done = change.connection, change.done
        for some in change.chunks():
            for row in open_events(connection, some):
                _end(connection, row, who, now, change.comment)
                done.append(row["event"])
        _forget_gone(connection, done)
        why = Suppression(SuppressionCode.RESOLVED, f"resolved by {who}")
        for some in chunks(done):
            pending = (NOTIFICATION.c.event_id.in_(some), NOTIFICATION.c.status == PENDING)
            if lock_notifications(connection, *pending):
                suppress(connection, pending, why, now)
        notify_followers(connection, done, NotifyReason.RESOLVED.value, now)
        change.audit("resolved")
        react_to_ends(connection, done, now)
        return change.result()


def open_events(connection: Connection, ids: Sequence[int]) -> list[RowMapping]:
    """The unresolved ones of these events with their series, locked in the order of their ids."""
    e = EVENT.c
    unresolved = select(e.id).where(e.id.in_(ids), e.resolved_at.is_(None))
    connection.execute(unresolved.order_by(e.id).with_for_update())
    statement = (
        select(e.id.label("event"), e.last_seen, *ACKNOWLEDGED, SERIES)
        .join(SERIES, SERIES.c.event_id == e.id, isouter=True)
        .where(e.id.in_(ids), e.resolved_at.is_(None))
        .order_by(e.id)
    )
    return list(connection.execute(statement).mappings())


def _end(
    connection: Connection, row: RowMapping, who: str, now: datetime, said: Mapping[str, Any]
) -> None:
    over, how = max(now, row["last_seen"]), "by-hand"
    if row["id"] is not None:
        decision = resolved_by_hand(series_of(dict(row)), now, who)
        over, how = decision.series.ended_at or over, decision.code
        values = state_row(decision.series, now, None)
        connection.execute(update(SERIES).where(SERIES.c.id == row["id"]).values(**values))
    acknowledgement = {"is_acknowledged": True, "acknowledged_at": now, "acknowledged_by": who}
    connection.execute(
        update(EVENT)
        .where(EVENT.c.id == row["event"])
        .values(
            resolved_at=over,
            resolution=how,
            **said,
            **({} if row["is_acknowledged"] else acknowledgement),
        )
    )


def _forget_gone(connection: Connection, ids: Sequence[int]) -> None:
    """Delete the series of tickers that their check no longer reports, so that none is missing.

    Only once both the alert and the "no data" event about its absence have ended: until a person
    resolves the latter, it says that the ticker is gone.
    """
    e, s = EVENT.c, SERIES.c
    for some in chunks(ids):
        named = select(e.rule_id, e.ticker).where(e.id.in_(some), e.kind.in_(_ABOUT_ABSENCE))
        for rule_id, ticker in connection.execute(named.distinct()).all():
            if _is_gone(connection, rule_id, ticker):
                gone = (s.rule_id == rule_id, s.kind == Kind.ALERT.value, s.ticker == ticker)
                connection.execute(delete(SERIES).where(*gone))


def _is_gone(connection: Connection, rule_id: int, ticker: str) -> bool:
    s, v = SERIES.c, EVALUATION.c
    both = (s.rule_id == rule_id, s.kind.in_(_ABOUT_ABSENCE), s.ticker == ticker)
    rows = connection.execute(select(s.kind, s.status, s.last_at).where(*both)).all()
    last = {Kind(kind): at for kind, _, at in rows}
    firing = any(status == Status.FIRING for _, status, _ in rows)
    if len(last) < len(_ABOUT_ABSENCE) or firing:
        return False
    newest = connection.execute(
        select(v.reported)
        .where(v.rule_id == rule_id, v.kind == Kind.NO_DATA.value, v.ticker == ticker)
        .order_by(v.at.desc(), v.id.desc())
        .limit(1)
    ).first()
    # Only an absent ticker has no report: a check without a value for it still reports it.
    absent = newest is not None and newest.reported is None
    return absent and last[Kind.NO_DATA] > last[Kind.ALERT]
