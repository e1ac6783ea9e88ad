"""Comments, assignments and dispositions: what people write on events.

Each function changes exactly the given events in one transaction, with an audit entry for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, update

from sentinel_core.store.db.engine import answering, writing
from sentinel_core.store.db.tables import EVENT
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


class Disposition(StrEnum):
    """What an event turned out to be, in a person's judgement."""

    ACTIONABLE = "actionable"
    NOISE = "noise"
    DUPLICATE = "duplicate"


def comment(engine: Engine, ids: Sequence[int], *, by: str, comment: str, now: datetime) -> Changed:
    """Comment on these events. An event shows its newest comment, the audit has all of them.

    Raises ValueError for an empty name or comment and, like the other functions here,
    StoreUnavailableError if nothing was written.
    """
    author, text = require_name(by, "comments"), comment_of(comment)
    if not text:
        raise ValueError("a comment without words says nothing")
    return _set(engine, ids, {}, text, _Entry(author, "commented", now))


def assign(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    to: str | None,
    comment: str = "",
    now: datetime,
) -> Changed:
    """Assign these events to a person; None or "" unassigns them."""
    author, text = require_name(by, "assigns"), comment_of(comment)
    assignee = require_name(to, "is to look after it") if to and to.strip() else None
    detail = {"to": assignee} if assignee else {}
    entry = _Entry(author, "assigned" if assignee else "unassigned", now, detail)
    return _set(engine, ids, {"assigned_to": assignee}, text, entry)


def disposition(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    disposition: Disposition | str | None,
    comment: str = "",
    now: datetime,
) -> Changed:
    """Set the disposition of these events; None clears it."""
    author, text = require_name(by, "says so"), comment_of(comment)
    value = _disposition(disposition).value if disposition is not None else None
    entry = _Entry(author, "disposition", now, {"disposition": value})
    return _set(engine, ids, {"disposition": value}, text, entry)


def _disposition(what: str) -> Disposition:
    try:
        return Disposition(what)
    except ValueError:
        raise ValueError(f"an event is {', '.join(Disposition)}, not {str(what)[:40]!r}") from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """The audit entry of a change."""

    actor: str
    action: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


def _set(
    engine: Engine, ids: Sequence[int], values: Mapping[str, Any], text: str, entry: _Entry
) -> Changed:
    """Set these columns of exactly these events.

    An event that has these values already is unchanged, unless there is a comment.
    """
    wanted = sorted_ids(ids)
    within = storable_ids(wanted)
    comment = {"comment": text} if text else {}
    other = [EVENT.c[name].is_distinct_from(value) for name, value in values.items()]
    with answering(engine), writing(engine) as connection:
        lock_rules(connection, within)
        done: list[int] = []
        for some in chunks(within):
            named = update(EVENT).where(EVENT.c.id.in_(some))
            if not text:
                named = named.where(*other)
            changes = named.values(**values, **comment).returning(EVENT.c.id)
            done.extend(connection.scalars(changes))
        detail = {**entry.detail, **comment}
        add_entries(connection, entry.actor, entry.action, entry.at, sorted(done), detail)
        present = existing(connection, within)
    return changed(wanted, done, present)
