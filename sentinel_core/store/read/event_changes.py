"""Which events changed, for programs that follow them: where to begin, and what came after.

An event changes with an evaluation of its series, and with what people do. Both are rows that are
only ever added, so their ids are the cursor.
"""

import re
from dataclasses import dataclass, replace
from typing import Self

from sqlalchemy import Connection, Engine, func, select

from sentinel_core.store.db.bulk import newest_id
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import AUDIT, EVALUATION, EVENT

MOST_CHANGES = 1_000  # of each table at once
# On PostgreSQL a transaction that began earlier may commit later: these rows are looked at again.
_LOOKED_AT_AGAIN = 200
_TABLES = {"events": EVENT, "evaluations": EVALUATION, "entries": AUDIT}
_ID = re.compile("[0-9]{1,19}")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """The newest row of each table that was looked at."""

    events: int = 0
    evaluations: int = 0
    entries: int = 0

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The position that `str` wrote; None for any other text."""
        parts = text.split("-")
        if len(parts) != len(_TABLES) or not all(_is_id(part) for part in parts):
            return None
        return cls(*(int(part) for part in parts))

    def __str__(self) -> str:
        return f"{self.events}-{self.evaluations}-{self.entries}"


@dataclass(frozen=True, slots=True)
class Changes:
    """Events that are new, events that changed otherwise, and where to go on.

    `seen` are the rows that may be looked at again; `more` says that there are more changes.
    """

    new: tuple[int, ...]
    changed: tuple[int, ...]
    position: Position
    seen: frozenset[tuple[str, int]]
    more: bool


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and int(text) <= _LARGEST


def newest_position(engine: Engine) -> Position:
    """The position after everything on record. Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:
        return Position(**{name: newest_id(connection, t) for name, t in _TABLES.items()})


def open_events(engine: Engine) -> int:
    """The number of events that are not resolved. Raises StoreUnavailableError."""
    unresolved = select(func.count()).where(EVENT.c.resolved_at.is_(None))
    with answering(engine), reading(engine) as connection:
        return int(connection.scalar(unresolved) or 0)


def changes_after(
    engine: Engine,
    position: Position,
    seen: frozenset[tuple[str, int]] = frozenset(),
    *,
    again: bool = True,
) -> Changes:
    """What changed after a position, but for the rows already seen.

    With `again`, rows before the position that were not seen count too: they came late.

    Raises StoreUnavailableError.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    with answering(engine), reading(engine) as connection:
        for name in _TABLES:
            after = getattr(position, name)
            found[name] = _rows(connection, name, max(after - _LOOKED_AT_AGAIN, 0))
    unseen = {
        name: [
            (row, event)
            for row, event in mine
            if (name, row) not in seen and (again or row > getattr(position, name))
        ]
        for name, mine in found.items()
    }
    new = {event for _, event in unseen["events"]}
    others = {event for n in ("evaluations", "entries") for _, event in unseen[n]}
    reached = {
        name: max(mine[-1][0], getattr(position, name)) for name, mine in found.items() if mine
    }
    kept = {
        (name, row)
        for name, mine in found.items()
        for row, _ in mine
        if row > reached[name] - _LOOKED_AT_AGAIN
    }
    return Changes(
        tuple(sorted(new)),
        tuple(sorted(others - new)),
        replace(position, **reached),
        frozenset(kept),
        any(len(mine) == MOST_CHANGES for mine in found.values()),
    )


def _rows(connection: Connection, name: str, after: int) -> list[tuple[int, int]]:
    """Rows of a table with the events that they are about."""
    c = _TABLES[name].c
    event = c.id if name == "events" else c.event_id
    wanted = select(c.id, event).where(c.id > after, event.is_not(None))
    found = connection.execute(wanted.order_by(c.id).limit(MOST_CHANGES))
    return [(row, about) for row, about in found]
