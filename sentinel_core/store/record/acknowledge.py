"""Acknowledges events and takes acknowledgements back, each with an audit entry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, or_, select

from sentinel_core.decide.delivery import acknowledged
from sentinel_core.decide.snooze import Limits, limits_of, refusal
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.store.db.tables import EVENT, UNACKNOWLEDGED, Row
from sentinel_core.store.outbox.enqueue import drop_steps, notify_followers, restore_steps
from sentinel_core.store.record.change import Changed, EventChange, Former, changing, require_name
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
    missing: tuple[int, ...] = ()
    former: Former | None = field(default=None, compare=False, repr=False)


def acknowledge(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    comment: str = "",
    until: datetime | None = None,
    above: float | None = None,
    below: float | None = None,
    now: datetime,
) -> Acknowledged:
    """Acknowledge exactly these events, each with an audit entry, all in one transaction.

    An acknowledgement holds until the event ends, until the time `until`, or until the event's
    value is above `above` or below `below`. Events that somebody acknowledged before stay as they
    are and are returned in `handled`. Raises ValueError without a name, for a time in the past, for
    a limit that is no finite number, and if an event has no value or one beyond the limit;
    StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "acknowledges")
    if until is not None and until.tzinfo is None:
        raise ValueError("an acknowledgement ends at a time with a time zone")
    if until is not None and until <= now:
        raise ValueError(f"an acknowledgement until {until:%F %R} would be over already")
    limits = limits_of(above, below)
    with changing(engine, ids, who, comment, now) as change:
        return acknowledge_within(change, until, limits)


def acknowledge_within(
    change: EventChange, until: datetime | None = None, limits: Limits | None = None
) -> Acknowledged:
    """Acknowledge the events of a change that has begun, and end their reminders and steps."""
    who, now, e = change.actor, change.now, EVENT.c
    above, below = limits or Limits()
    values: Row = {
        "acknowledged_at": now,
        "acknowledged_by": who,
        "acknowledged_until": until,
        "acknowledged_above": above,
        "acknowledged_below": below,
    }
    handled: list[Handled] = []
    for some in change.chunks():
        change.lock(some)
        free = or_(UNACKNOWLEDGED, e.acknowledged_until <= now)
        if limits is not None:
            _refuse(change, limits, e.id.in_(some), free)
        change.update(some, free, is_acknowledged=True, **values)
        others = select(e.id, e.acknowledged_by, e.acknowledged_at).where(
            e.id.in_(set(some).difference(change.done))
        )
        handled += [
            Handled(key, name or "", at)
            for key, name, at in change.connection.execute(others.order_by(e.id))
        ]
    drop_steps(change.connection, change.done, acknowledged(who, now), now, before=until)
    change.audit("acknowledged", **held_until(values))
    notify_followers(change.connection, change.done, NotifyReason.ACKNOWLEDGED.value, now)
    known = {*change.done, *(event.id for event in handled)}
    missing = tuple(key for key in change.wanted if key not in known)
    return Acknowledged(tuple(change.done), tuple(handled), missing, change.former())


def held_until(values: Row) -> Row:
    """What ends an acknowledgement by itself, as the audit keeps it: none where nothing does."""
    until: datetime | None = values["acknowledged_until"]
    limits = {name: values[f"acknowledged_{name}"] for name in ("above", "below")}
    return {
        **({"until": until.isoformat()} if until else {}),
        **{name: limit for name, limit in limits.items() if limit is not None},
    }


def _refuse(change: EventChange, limits: Limits, *which: ColumnElement[bool]) -> None:
    """Raise ValueError if one of these events can't be acknowledged until its value crosses."""
    e = EVENT.c
    events = select(e.id, e.metrics, e.resolved_at).where(*which).order_by(e.id)
    for event in change.connection.execute(events).mappings():
        if why := refusal(limits, dict(event)):
            raise ValueError(why)


def unacknowledge(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """Take acknowledgements back: reminders and escalation continue.

    Raises ValueError without a name, StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "takes the acknowledgement back")
    with changing(engine, ids, who, comment, now) as change:
        for some in change.chunks():
            change.lock(some)
            change.update(some, EVENT.c.is_acknowledged, **NOT_ACKNOWLEDGED)
        restore_steps(change.connection, change.done, now)
        change.audit("unacknowledged")
        notify_followers(change.connection, change.done, NotifyReason.UNACKNOWLEDGED.value, now)
        return change.result()
