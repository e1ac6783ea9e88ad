"""Comments, assignments and dispositions of events.

Each function changes exactly the given events in one transaction, with an audit entry for each.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine

from sentinel_core.store.db.tables import EVENT
from sentinel_core.store.record.change import Changed, changing, comment_of, require_name


class Disposition(StrEnum):
    """A person's judgement of an event."""

    ACTIONABLE = "actionable"
    NOISE = "noise"
    DUPLICATE = "duplicate"


def comment(engine: Engine, ids: Sequence[int], *, by: str, comment: str, now: datetime) -> Changed:
    """Comment on these events. An event shows its newest comment, the audit has all of them.

    Raises ValueError for an empty name or comment and, like the other functions here,
    StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "comments")
    if not comment_of(comment):
        raise ValueError("the comment is empty: write what the next person should know")
    return _set(engine, ids, {}, who, comment, now, "commented")


def assign(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    to: str | None,
    comment: str = "",
    now: datetime,
    seen: Mapping[int, str | None] | None = None,
) -> Changed:
    """Assign these events to a person; None or "" unassigns them.

    `seen`: whom each was assigned to when the person looked; one assigned anew since is unchanged.
    """
    who = require_name(by, "assigns")
    assignee = require_name(to, "is to look after it") if to and to.strip() else None
    columns = {"assigned_to": assignee}
    if assignee is None:
        return _set(engine, ids, columns, who, comment, now, "unassigned", seen)
    return _set(engine, ids, columns, who, comment, now, "assigned", seen, to=assignee)


def disposition(
    engine: Engine,
    ids: Sequence[int],
    *,
    by: str,
    disposition: Disposition | str | None,
    comment: str = "",
    now: datetime,
    seen: Mapping[int, str | None] | None = None,
) -> Changed:
    """Set the disposition of these events; None clears it. `seen` is as for `assign`."""
    who = require_name(by, "sets the disposition")
    try:
        value = Disposition(disposition).value if disposition is not None else None
    except ValueError:
        kinds = ", ".join(Disposition)
        raise ValueError(f"an event is {kinds}, not {str(disposition)[:40]!r}") from None
    columns = {"disposition": value}
    return _set(engine, ids, columns, who, comment, now, "disposition", seen, **columns)


def _set(
    engine: Engine,
    ids: Sequence[int],
    columns: Mapping[str, Any],
    who: str,
    comment: str,
    now: datetime,
    action: str,
    seen: Mapping[int, str | None] | None = None,
    **detail: Any,
) -> Changed:
    """Set these columns of exactly these events.

    An event that has these values already is unchanged, unless there is a comment; one that no
    longer has the values that the person saw is unchanged in any case.
    """
    other = [EVENT.c[name].is_distinct_from(value) for name, value in columns.items()]
    with changing(engine, ids, who, comment, now) as change:
        for some in change.chunks():
            for value, same in _by_value(some, seen):
                still = (
                    []
                    if seen is None
                    else [EVENT.c[name].is_not_distinct_from(value) for name in columns]
                )
                change.update(same, *still, *([] if change.comment else other), **columns)
        change.audit(action, **detail)
        return change.result()


def _by_value(
    ids: Sequence[int], seen: Mapping[int, str | None] | None
) -> Iterable[tuple[str | None, list[int]]]:
    """The ids by what was seen of them."""
    groups: dict[str | None, list[int]] = {}
    for key in ids:
        groups.setdefault(seen.get(key) if seen else None, []).append(key)
    return groups.items()
