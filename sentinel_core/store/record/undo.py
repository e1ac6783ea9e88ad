"""Takes a person's change back: exactly what it replaced, where it still stands."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlalchemy import Engine

from sentinel_core.decide.delivery import acknowledged
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.tables import EVENT, Row
from sentinel_core.store.outbox.enqueue import drop_steps, notify_followers, restore_steps
from sentinel_core.store.record.acknowledge import held_until
from sentinel_core.store.record.change import Changed, EventChange, Former, changing, require_name
from sentinel_core.store.state.audit import add_audit

Undoable = Literal["acknowledged", "unacknowledged", "assigned"]
"""The changes that can be taken back, by their entry in the audit."""


def undo(engine: Engine, change: Undoable, former: Former, *, by: str, now: datetime) -> Changed:
    """Put back what a change replaced, on those events that nobody has changed since.

    It is a change of its own in the audit. What goes with an acknowledgement is taken back as well:
    reminders and escalation continue, or end. Raises ValueError without a name,
    StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "takes it back")
    e = EVENT.c
    still = [e[name].is_not_distinct_from(value) for name, value in former.after.items()]
    if change == "acknowledged":  # resolving by hand keeps who acknowledged
        still.append(e.resolution.is_distinct_from("by-hand"))
    with changing(engine, list(former.before), who, "", now) as undoing:
        for values, ids in _alike(former):
            before = len(undoing.before)
            for some in chunks(ids):
                undoing.lock(some)
                undoing.update(some, *still, **values)
            done = list(undoing.before)[before:]
            _follow(undoing, change, values, done)
        return undoing.result()


def _alike(former: Former) -> Iterable[tuple[Row, list[int]]]:
    """The events by what they had before."""
    groups: dict[tuple[object, ...], tuple[Row, list[int]]] = {}
    for key, values in sorted(former.before.items()):
        groups.setdefault(tuple(values.values()), (values, []))[1].append(key)
    return groups.values()


def _follow(undoing: EventChange, change: Undoable, values: Row, done: list[int]) -> None:
    """Notify, and write the audit, of events that are as they were."""
    connection, now = undoing.connection, undoing.now
    detail: Row = {"undone": change}
    if change == "assigned":
        to = values["assigned_to"]
        action = "assigned" if to else "unassigned"
        detail |= {"to": to} if to else {}
    elif values["is_acknowledged"]:
        action, until = "acknowledged", values["acknowledged_until"]
        why = acknowledged(values["acknowledged_by"], values["acknowledged_at"])
        drop_steps(connection, done, why, now, before=until)
        notify_followers(connection, done, NotifyReason.ACKNOWLEDGED.value, now)
        detail |= held_until(values)
    else:
        action = "unacknowledged"
        restore_steps(connection, done, now)
        notify_followers(connection, done, NotifyReason.UNACKNOWLEDGED.value, now)
    add_audit(connection, undoing.actor, action, now, detail, done)
