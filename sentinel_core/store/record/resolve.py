"""What people do with events besides acknowledging: end, comment, assign, say what became of them.

Each touches exactly the events named, in one transaction, with an entry in the audit for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    and_,
    delete,
    or_,
    select,
    update,
)

from sentinel_core.decide.fanout import dropped_columns
from sentinel_core.decide.observe import Kind
from sentinel_core.decide.policy import Series, Status, resolved_by_hand
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.store.db.engine import answering, writing
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, SERIES
from sentinel_core.store.outbox.enqueue import hold_messages, tell_of
from sentinel_core.store.record.acknowledge import Changed, changed
from sentinel_core.store.state.audit import (
    add_entries,
    chunks,
    comment_of,
    existing,
    lock_rules,
    require_name,
    sorted_ids,
    storable_ids,
)
from sentinel_core.store.state.rows import state_row
from sentinel_core.store.state.snapshot import series_of


class Disposition(StrEnum):
    """What an event turned out to be."""

    ACTIONABLE = "actionable"
    NOISE = "noise"
    DUPLICATE = "duplicate"


def comment(engine: Engine, ids: Sequence[int], *, by: str, comment: str, now: datetime) -> Changed:
    """Say something about these events. The event shows the latest, the audit has all of them.

    Raises ValueError without a name or without words, StoreUnavailableError when nothing was
    written; so do the others.
    """
    who, said = require_name(by, "comments"), comment_of(comment)
    if not said:
        raise ValueError("a comment without words says nothing")
    return _set(engine, ids, {}, said, _Entry(who, "commented", now))


def assign(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    to: str | None,
    comment: str = "",
    now: datetime,
) -> Changed:
    """Somebody is to look after these events; None or "" for nobody in particular."""
    who, said = require_name(by, "assigns"), comment_of(comment)
    whom = require_name(to, "is to look after it") if to and to.strip() else None
    entry = _Entry(who, "assigned", now, {"to": whom}) if whom else _Entry(who, "unassigned", now)
    return _set(engine, ids, {"assigned_to": whom}, said, entry)


def disposition(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    disposition: Disposition | str | None,
    comment: str = "",
    now: datetime,
) -> Changed:
    """What these events turned out to be; None takes an earlier word back."""
    who, said = require_name(by, "says so"), comment_of(comment)
    value = _disposition(disposition).value if disposition is not None else None
    entry = _Entry(who, "disposition", now, {"disposition": value})
    return _set(engine, ids, {"disposition": value}, said, entry)


def _disposition(what: str) -> Disposition:
    try:
        return Disposition(what)
    except ValueError:
        raise ValueError(f"an event is {', '.join(Disposition)}, not {str(what)[:40]!r}") from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the audit will say."""

    actor: str
    action: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


def _set(
    engine: Engine, ids: Sequence[int], values: Mapping[str, Any], said: str, entry: _Entry
) -> Changed:
    """Write these columns of exactly these events. Where nothing would change and nothing is said,
    nothing is done."""
    wanted = sorted_ids(ids)
    within = storable_ids(wanted)
    comment = {"comment": said} if said else {}
    other = [EVENT.c[name].is_distinct_from(value) for name, value in values.items()]
    with answering(engine), writing(engine) as connection:
        lock_rules(connection, within)
        done: list[int] = []
        for some in chunks(within):
            named = update(EVENT).where(EVENT.c.id.in_(some))
            if not said:
                named = named.where(*other)
            changes = named.values(**values, **comment).returning(EVENT.c.id)
            done.extend(connection.scalars(changes))
        detail = {**entry.detail, **comment}
        add_entries(connection, entry.actor, entry.action, entry.at, sorted(done), detail)
        found = existing(connection, within)
    return changed(wanted, done, found)


# -- ending an event -----------------------------------------------------------------------


def resolve(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """End these events because a person says so. Their series begin anew: what still fires opens
    another event at its next run, if the rule's cooldown lets it.

    Messages about them that are still owed are not sent any more. Whoever ends an event has seen
    it: one that nobody acknowledged is acknowledged in the same name. Raises ValueError without
    a name, StoreUnavailableError when nothing was written.
    """
    who, said = require_name(by, "resolves"), comment_of(comment)
    wanted = sorted_ids(ids)
    within = storable_ids(wanted)
    detail = {"comment": said} if said else {}
    with answering(engine), writing(engine) as connection:
        lock_rules(connection, within)
        done: list[int] = []
        for some in chunks(within):
            for row in _open(connection, some):
                _end(connection, row, who, now, detail)
                done.append(row["event"])
        _forget_gone(connection, done)
        why = Suppression(SuppressionCode.RESOLVED, f"resolved by {who}")
        _hold_back(connection, done, why, now)
        tell_of(connection, sorted(done), NotifyReason.RESOLVED.value, now)
        add_entries(connection, who, "resolved", now, sorted(done), detail)
        found = existing(connection, within)
    return changed(wanted, done, found)


def _open(connection: Connection, ids: Sequence[int]) -> list[RowMapping]:
    """The unresolved ones with their series; locked as whoever else locks several does."""
    e = EVENT.c
    unresolved = select(e.id).where(e.id.in_(ids), e.resolved_at.is_(None))
    connection.execute(unresolved.order_by(e.id).with_for_update())
    statement = (
        select(
            e.id.label("event"),
            e.last_seen,
            e.is_acknowledged,
            e.acknowledged_until,
            SERIES,
        )
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
        _write_series(connection, row["id"], decision.series, now)
    seen = {"is_acknowledged": True, "acknowledged_at": now, "acknowledged_by": who}
    connection.execute(
        update(EVENT)
        .where(EVENT.c.id == row["event"])
        .values(
            resolved_at=over, resolution=how, **said, **({} if row["is_acknowledged"] else seen)
        )
    )


def _write_series(connection: Connection, key: int, series: Series, now: datetime) -> None:
    values = state_row(series, now, None)
    connection.execute(update(SERIES).where(SERIES.c.id == key).values(**values))


def _hold_back(connection: Connection, ids: Sequence[int], why: Suppression, now: datetime) -> None:
    n = NOTIFICATION.c
    for some in chunks(sorted(ids)):
        waiting = (n.event_id.in_(some), n.status == "pending")
        hold_messages(connection, *waiting)
        connection.execute(
            update(NOTIFICATION)
            .where(*waiting)
            .values(status="suppressed", settled_at=now, **dropped_columns(why))
        )


def _forget_gone(connection: Connection, ids: Sequence[int]) -> None:
    """Series of tickers that their check no longer reports: known no longer, so missed no longer.

    Only where both are over, the alert and the "no data" about its absence: until a person has
    ended the latter, it says that the ticker is gone.
    """
    e = EVENT.c
    for some in chunks(sorted(ids)):
        named = select(e.rule_id, e.ticker).where(
            e.id.in_(some), e.kind.in_([Kind.ALERT.value, Kind.NO_DATA.value])
        )
        for rule_id, ticker in connection.execute(named.distinct()).all():
            if _is_gone(connection, rule_id, ticker):
                connection.execute(delete(SERIES).where(*_of(rule_id, Kind.ALERT, ticker)))


def _of(rule_id: int, kind: Kind, ticker: str) -> tuple[ColumnElement[bool], ...]:
    s = SERIES.c
    return s.rule_id == rule_id, s.kind == kind.value, s.ticker == ticker


def _is_gone(connection: Connection, rule_id: int, ticker: str) -> bool:
    s, v = SERIES.c, EVALUATION.c
    both = or_(and_(*_of(rule_id, Kind.ALERT, ticker)), and_(*_of(rule_id, Kind.NO_DATA, ticker)))
    rows = connection.execute(select(s.kind, s.status, s.last_at).where(both)).all()
    last = {Kind(kind): at for kind, _, at in rows}
    firing = any(status == Status.FIRING for _, status, _ in rows)
    if len(last) < len((Kind.ALERT, Kind.NO_DATA)) or firing:
        return False
    newest = connection.execute(
        select(v.reported)
        .where(v.rule_id == rule_id, v.kind == Kind.NO_DATA.value, v.ticker == ticker)
        .order_by(v.at.desc(), v.id.desc())
        .limit(1)
    ).first()
    # A check that reports a ticker without a value says so itself; one that is absent, nobody.
    absent = newest is not None and newest.reported is None
    return absent and last[Kind.NO_DATA] > last[Kind.ALERT]
