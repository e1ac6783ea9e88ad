"""Acknowledges events and takes acknowledgements back, each with an audit entry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, or_, select, update

from sentinel_core.decide.delivery import acknowledged
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.store.db.engine import answering, writing
from sentinel_core.store.db.tables import AUDIT, EVENT, UNACKNOWLEDGED
from sentinel_core.store.outbox.enqueue import drop_steps, notify_followers, restore_steps
from sentinel_core.store.state.audit import (
    BY_LIMIT,
    COMMENT_LIMIT,
    add_entries,
    chunks,
    comment_of,
    existing,
    lock_rules,
    require_name,
    sorted_ids,
    storable_ids,
)
from sentinel_core.store.state.rows import NOT_ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Handled:
    """An event that was acknowledged before."""

    id: int
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The result of an acknowledgement: ids done, events acknowledged before, missing ids."""

    done: tuple[int, ...] = ()
    handled: tuple[Handled, ...] = ()
    missing: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of a person's change: ids changed, ids unchanged, missing ids."""

    done: tuple[int, ...] = ()
    already: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


def acknowledge(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    comment: str = "",
    until: datetime | None = None,
    now: datetime,
) -> Acknowledged:
    """Acknowledge exactly these events, each with an audit entry, all in one transaction.

    An acknowledgement holds until the event ends, or until the time `until`. Events that somebody
    acknowledged before stay as they are and are returned in `handled`. Raises ValueError without a
    name and for a time in the past, StoreUnavailableError if nothing was written.
    """
    who, text = require_name(by, "acknowledges"), comment_of(comment)
    if until is not None:
        _in_future(until, now)
    wanted = sorted_ids(ids)
    within = storable_ids(wanted)
    detail: dict[str, Any] = {"comment": text} if text else {}
    values = {"acknowledged_at": now, "acknowledged_by": who, "acknowledged_until": until}
    values |= {"is_acknowledged": True, **detail}
    if until is not None:
        detail["until"] = until.isoformat()
    with answering(engine), writing(engine) as connection:
        lock_rules(connection, within)
        done: list[int] = []
        rest: dict[int, Handled] = {}
        for some in chunks(within):
            done.extend(_acknowledge(connection, some, values, now))
            rest.update(_handled(connection, set(some).difference(done)))
        drop_steps(connection, done, acknowledged(who, now), now, before=until)
        add_entries(connection, who, "acknowledged", now, sorted(done), detail)
        notify_followers(connection, sorted(done), NotifyReason.ACKNOWLEDGED.value, now)
    missing = tuple(key for key in wanted if key not in rest and key not in set(done))
    return Acknowledged(tuple(sorted(done)), tuple(rest[key] for key in sorted(rest)), missing)


def unacknowledge(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """Take acknowledgements back: reminders and escalation continue.

    Raises ValueError without a name, StoreUnavailableError if nothing was written.
    """
    who, text = require_name(by, "takes the acknowledgement back"), comment_of(comment)
    wanted = sorted_ids(ids)
    within = storable_ids(wanted)
    detail = {"comment": text} if text else {}
    e = EVENT.c
    with answering(engine), writing(engine) as connection:
        lock_rules(connection, within)
        done: list[int] = []
        for some in chunks(within):
            _in_order(connection, some)
            taken = update(EVENT).where(e.id.in_(some), e.is_acknowledged)
            done.extend(
                connection.scalars(taken.values(**NOT_ACKNOWLEDGED, **detail).returning(e.id))
            )
        restore_steps(connection, sorted(done), now)
        add_entries(connection, who, "unacknowledged", now, sorted(done), detail)
        notify_followers(connection, sorted(done), NotifyReason.UNACKNOWLEDGED.value, now)
        present = existing(connection, within)
    return changed(wanted, done, present)


def changed(wanted: Sequence[int], done: Sequence[int], present: set[int]) -> Changed:
    """The wanted ids: changed, unchanged, missing."""
    new = set(done)
    return Changed(
        tuple(key for key in wanted if key in new),
        tuple(key for key in wanted if key in present and key not in new),
        tuple(key for key in wanted if key not in present),
    )


def _in_future(until: datetime, now: datetime) -> None:
    if until.tzinfo is None:
        raise ValueError("an acknowledgement ends at a time with a time zone")
    if until <= now:
        raise ValueError(f"an acknowledgement until {until:%F %R} would be over already")


def _in_order(connection: Connection, ids: Sequence[int]) -> None:
    """Lock rows in the order of their ids, so that transactions never deadlock."""
    e = EVENT.c
    connection.execute(select(e.id).where(e.id.in_(ids)).order_by(e.id).with_for_update())


def _acknowledge(
    connection: Connection, ids: Sequence[int], values: dict[str, Any], now: datetime
) -> list[int]:
    e = EVENT.c
    _in_order(connection, ids)
    statement = (
        update(EVENT)
        .where(e.id.in_(ids), or_(UNACKNOWLEDGED, e.acknowledged_until <= now))
        .values(**values)
        .returning(e.id)
    )
    return list(connection.scalars(statement))


def _handled(connection: Connection, ids: set[int]) -> dict[int, Handled]:
    e = EVENT.c
    statement = select(e.id, e.acknowledged_by, e.acknowledged_at).where(e.id.in_(ids))
    return {key: Handled(key, by or "", at) for key, by, at in connection.execute(statement)}


__all__ = [
    "AUDIT",
    "BY_LIMIT",
    "COMMENT_LIMIT",
    "Acknowledged",
    "Changed",
    "Handled",
    "acknowledge",
    "unacknowledge",
]
