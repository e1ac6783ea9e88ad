"""What every change by a person needs: a name, valid ids, locks, audit entries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from sentinel_core.model.cleaning import clean_line, clean_text
from sentinel_core.store.db.tables import AUDIT, EVENT, RULE

COMMENT_LIMIT = 2_000
BY_LIMIT = 200
CHUNK = 500
SILENCE_EXPIRED = "silence-expired"  # the action of ending a silence by hand


def require_name(name: str, does: str) -> str:
    """The name on one line. Raises ValueError if it is empty: every change is signed."""
    who = clean_line(name)[:BY_LIMIT]
    if not who:
        raise ValueError(f"say who {does}: the name is part of the record")
    return who


def comment_of(text: str) -> str:
    """The comment as stored: cleaned and cut at its limit."""
    return clean_text(text).strip()[:COMMENT_LIMIT]


def sorted_ids(ids: Sequence[int], what: str = "event") -> list[int]:
    """The ids without duplicates, in order. Raises ValueError for anything but whole numbers."""
    for key in ids:
        if isinstance(key, bool) or not isinstance(key, int):
            raise ValueError(f"{what} {str(key)[:40]!r}: an id is a whole number")  # noqa: TRY004
    return sorted(set(ids))


def storable_ids(ids: Sequence[int]) -> list[int]:
    """The ids within the database's range; no row can have any other."""
    return [key for key in ids if 0 < key < 2**63]


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The ids in parts, each small enough for one statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def lock_rules(connection: Connection, ids: Sequence[int]) -> None:
    """Lock the rules of these events: no run of theirs is recorded until the transaction ends.

    A recording reads a series before it decides: a person's change in between would be lost. Rows
    are locked in the order of their ids, so that transactions with overlapping events never
    deadlock.
    """
    e, r = EVENT.c, RULE.c
    rules: set[int] = set()
    for some in chunks(ids):
        rules.update(connection.scalars(select(e.rule_id).where(e.id.in_(some)).distinct()))
    for some in chunks(sorted(rules)):
        connection.execute(select(r.id).where(r.id.in_(some)).order_by(r.id).with_for_update())


def existing(connection: Connection, ids: Sequence[int]) -> set[int]:
    """The ids for which there is an event."""
    e = EVENT.c
    return {
        key
        for some in chunks(ids)
        for key in connection.scalars(select(e.id).where(e.id.in_(some)))
    }


def add_entries(
    connection: Connection,
    actor: str,
    action: str,
    now: datetime,
    events: Sequence[int | None],
    detail: Mapping[str, Any],
) -> None:
    """Add one audit entry for each event; `(None,)` for a change that concerns no event."""
    if events:
        entry = {"at": now, "actor": actor, "action": action, "detail": dict(detail)}
        connection.execute(insert(AUDIT), [{**entry, "event_id": key} for key in events])
