"""Grouping: the leading notification, the others of its message, and which are still needed.

All within the transaction that claims them.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from sentinel_core.decide.delivery import Waiting, still_needed
from sentinel_core.decide.fanout import route_of
from sentinel_core.model.reasons import (
    STEPS_LIKE,
    NotifyReason,
    Suppression,
    SuppressionCode,
    is_step,
)
from sentinel_core.model.routing import Route
from sentinel_core.store.db.engine import rows
from sentinel_core.store.db.tables import NOTIFICATION, Row
from sentinel_core.store.outbox.enqueue import IS_PENDING, IS_STEP, same_address, suppress
from sentinel_core.store.outbox.storms import one_at_a_time
from sentinel_core.store.state.events import subject_of
from sentinel_core.store.state.mutes import Mutes

MOST_TOGETHER = 500  # events in one message

_N = NOTIFICATION.c
_EARLIER = NOTIFICATION.alias("earlier").c


def ready(now: datetime) -> ColumnElement[bool]:
    """SQL condition: due, and no earlier notification of the same event to this recipient pends."""
    return and_(IS_PENDING, _N.next_attempt_at <= now, _is_first())


def _is_first() -> ColumnElement[bool]:
    """SQL condition: nothing earlier is pending. Escalation steps never hold others up."""
    e = _EARLIER
    before = (
        *same_address(e, _N),
        e.id < _N.id,
        # Not written as IS_PENDING: while few are pending, PostgreSQL would compare every pending
        # row with every other instead of using the event's index.
        func.lower(e.status) == "pending",
    )
    of_event = exists().where(e.event_id == _N.event_id, *before, e.reason.not_like(STEPS_LIKE))
    some: ColumnElement[str] = literal_column("''")  # a literal, as in IS_PENDING
    of_other = exists().where(_N.about != some, e.about == _N.about, e.about != some, *before)
    return and_(not_(of_event), not_(of_other))


def lock_leader(
    connection: Connection, notification_id: int, now: datetime, without: Collection[str]
) -> Row | None:
    """The leading notification if it may be attempted now, with its channel and row locked."""
    address = connection.execute(
        select(_N.channel, _N.recipient).where(_N.id == notification_id, IS_PENDING)
    ).first()
    if address is None or address.channel in without:
        return None
    one_at_a_time(connection, address.channel, address.recipient)
    statement = select(NOTIFICATION).where(_N.id == notification_id, ready(now))
    leader = rows(connection, _unlocked(statement))
    return leader[0] if leader else None


def _unlocked(statement: Any) -> Any:
    """The statement without rows that another transaction has locked (PostgreSQL only)."""
    return statement.with_for_update(skip_locked=True, of=NOTIFICATION)


def group_members(connection: Connection, lead: Row, now: datetime) -> list[Row]:
    """Others of its group with the same reason that are due or only waited for the group.

    Follow-ups stay in their event's thread.
    """
    if not lead["group_key"]:
        return []
    waiting = and_(IS_PENDING, _N.attempts == 0, not_(IS_STEP))
    statement = (
        select(NOTIFICATION)
        .where(
            _N.id != lead["id"],
            *same_address(_N, lead),
            _N.group_key == lead["group_key"],
            _N.reason == lead["reason"],
            IS_PENDING,
            or_(ready(now), and_(waiting, _is_first())),
        )
        .order_by(_N.id)
        .limit(MOST_TOGETHER - 1)
    )
    members = rows(connection, _unlocked(statement))
    threads = threads_of(connection, [lead, *members])
    thread = threads.get(lead["event_id"])
    return [row for row in members if threads.get(row["event_id"]) == thread]


def threads_of(connection: Connection, together: Sequence[Row]) -> dict[int, str]:
    """The reference of the first message about each event in this channel, by event id."""
    lead = together[0]
    statement = (
        select(_N.event_id, _N.reference)
        .where(
            _N.event_id.in_([row["event_id"] for row in together]),
            *same_address(_N, lead),
            _N.reference.is_not(None),
        )
        .order_by(_N.id.desc())
    )
    return {row.event_id: row.reference for row in connection.execute(statement)}


def too_soon(connection: Connection, lead: Row, route: Route, now: datetime) -> bool:
    """True if the group's last message is too recent; the leader is postponed then."""
    if not route.group_interval_seconds or not lead["group_key"] or lead["attempts"]:
        return False
    interval = timedelta(seconds=route.group_interval_seconds)
    in_group = (_N.sent_at > now - interval, _N.group_key == lead["group_key"])
    last = _last_sent(connection, lead, *in_group)
    if last is None:
        return False
    why = f"waits for its group: the last message was sent at {last:%H:%M:%S} UTC"
    _postpone(connection, lead["id"], Waiting(last + interval, why))
    return True


def still_wanted(
    connection: Connection,
    together: Sequence[Row],
    events: Mapping[int, Mapping[str, Any]],
    now: datetime,
) -> list[Row]:
    """The notifications that are still needed; the others are dropped or postponed."""
    mutes = Mutes(connection, now)
    wanted = []
    for row in together:
        verdict = _verdict(connection, row, events.get(row["event_id"]), mutes, now)
        if verdict is None:
            wanted.append(row)
        elif isinstance(verdict, Suppression):
            suppress(connection, [_N.id == row["id"]], verdict, now)
        else:
            _postpone(connection, row["id"], verdict)
    return wanted


def _verdict(
    connection: Connection,
    row: Row,
    event: Mapping[str, Any] | None,
    mutes: Mutes,
    now: datetime,
) -> Suppression | Waiting | None:
    if event is None:
        return Suppression(SuppressionCode.EVENT_DELETED, "its event is no longer on record")
    if not is_step(row["reason"]) and row["reason"] != NotifyReason.REMINDER:
        return None
    muted = mutes.reason_for(subject_of(event)) if is_step(row["reason"]) else None
    return still_needed(row, event, muted, now) or _repeated(connection, row, now)


def _repeated(connection: Connection, row: Row, now: datetime) -> Suppression | None:
    """Why a reminder is dropped: the channel's own repeat interval is not over yet."""
    seconds = route_of(row).repeat_seconds if row["reason"] == NotifyReason.REMINDER else None
    if seconds is None:
        return None
    last = _last_sent(connection, row, _N.event_id == row["event_id"])
    # A reminder at the same interval may be due a few seconds early.
    if last is None or (now - last).total_seconds() >= seconds * 0.95:
        return None
    sentence = f"told at {last:%H:%M} UTC; this channel repeats every {seconds:g} s"
    return Suppression(SuppressionCode.REPEAT_INTERVAL, sentence)


def _last_sent(connection: Connection, row: Row, *which: ColumnElement[bool]) -> datetime | None:
    statement = select(func.max(_N.sent_at)).where(*same_address(_N, row), *which)
    last: datetime | None = connection.scalar(statement)
    return last


def _postpone(connection: Connection, key: int, waiting: Waiting) -> None:
    connection.execute(
        update(NOTIFICATION)
        .where(_N.id == key)
        .values(next_attempt_at=waiting.until, last_error=waiting.why)
    )
