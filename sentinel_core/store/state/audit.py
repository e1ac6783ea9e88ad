"""What people do by hand, on record: who they are, what exactly they name, and one entry each."""

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


def person(name: str, does: str) -> str:
    """A name in one line. Raises ValueError for an empty one: what nobody did helps nobody."""
    who = clean_line(name)[:BY_LIMIT]
    if not who:
        raise ValueError(f"say who {does}: the name is part of the record")
    return who


def comment_of(text: str) -> str:
    """A comment as it is kept: clean, and cut where it has no end."""
    return clean_text(text).strip()[:COMMENT_LIMIT]


def chosen(ids: Sequence[int], what: str = "event") -> list[int]:
    """The ids, each once, smallest first. Raises ValueError for what can't be an id at all."""
    for key in ids:
        if isinstance(key, bool) or not isinstance(key, int):
            raise ValueError(f"{what} {str(key)[:40]!r}: an id is a whole number")  # noqa: TRY004
    return sorted(set(ids))


def possible(ids: Sequence[int]) -> list[int]:
    """Those of the ids that a database can hold; nothing has any of the others."""
    return [key for key in ids if 0 < key < 2**63]


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as one statement takes."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def hold(connection: Connection, ids: Sequence[int]) -> None:
    """Wait until nobody records a run of the rules of these events, and keep it so.

    A recording reads a series before it decides: what a person changes in between would be lost.
    Locked in one order, so that two people who chose overlapping events never wait for each other.
    """
    e, r = EVENT.c, RULE.c
    rules: set[int] = set()
    for some in chunks(ids):
        rules.update(connection.scalars(select(e.rule_id).where(e.id.in_(some)).distinct()))
    for some in chunks(sorted(rules)):
        connection.execute(select(r.id).where(r.id.in_(some)).order_by(r.id).with_for_update())


def existing(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the ids that are events."""
    e = EVENT.c
    return {
        key
        for some in chunks(ids)
        for key in connection.scalars(select(e.id).where(e.id.in_(some)))
    }


def note(
    connection: Connection,
    actor: str,
    action: str,
    now: datetime,
    events: Sequence[int | None],
    detail: Mapping[str, Any],
) -> None:
    """An entry for each of the events; `(None,)` for what concerns none."""
    if events:
        entry = {"at": now, "actor": actor, "action": action, "detail": dict(detail)}
        connection.execute(insert(AUDIT), [{**entry, "event_id": key} for key in events])
