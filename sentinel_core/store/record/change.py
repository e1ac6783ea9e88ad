"""A person's change of some events: one transaction, signed, with an audit entry for each event."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select, update

from sentinel_core.model.cleaning import clean_line, clean_text
from sentinel_core.store.db.bulk import chunks, storable_ids
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVENT, RULE, Row
from sentinel_core.store.state.audit import add_audit

COMMENT_LIMIT = 2_000
BY_LIMIT = 200

_E = EVENT.c


@dataclass(frozen=True, slots=True)
class Former:
    """What a change replaced: columns of each event before it, and the same columns after it."""

    before: Mapping[int, Row]
    after: Row


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of a person's change: ids changed, ids unchanged, missing ids."""

    done: tuple[int, ...] = ()
    already: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    former: Former | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        wanted: Sequence[int],
        done: Sequence[int],
        existing: set[int],
        former: Former | None = None,
    ) -> "Changed":
        """The wanted ids by what happened to them."""
        new = set(done)
        return cls(
            tuple(key for key in wanted if key in new),
            tuple(key for key in wanted if key in existing and key not in new),
            tuple(key for key in wanted if key not in existing),
            former,
        )


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


@dataclass(slots=True)
class EventChange:
    """A change of these events that has begun: the transaction, and the ids changed so far."""

    connection: Connection
    wanted: Sequence[int]
    actor: str
    comment: Mapping[str, str]  # a column of the event and a detail of the audit, if there is one
    now: datetime
    done: list[int] = field(default_factory=list)
    before: dict[int, Row] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def chunks(self) -> Iterator[Sequence[int]]:
        """The ids that can exist, in parts, each small enough for one statement."""
        return chunks(storable_ids(self.wanted))

    def update(self, ids: Sequence[int], *where: ColumnElement[bool], **values: Any) -> None:
        """Set these columns of the events that meet the conditions, and add the comment."""
        columns = {**values, **self.comment}
        which = (_E.id.in_(ids), *where)
        former = select(_E.id, *(_E[name] for name in columns)).where(*which)
        for row in self.connection.execute(former).mappings():
            self.before[row["id"]] = {name: row[name] for name in columns}
        self.after = columns
        statement = update(EVENT).where(*which).values(**columns)
        self.done = sorted([*self.done, *self.connection.scalars(statement.returning(_E.id))])

    def former(self) -> Former:
        """What the updates so far replaced."""
        return Former(
            {key: self.before[key] for key in self.done if key in self.before}, self.after
        )

    def lock(self, ids: Sequence[int]) -> None:
        """Lock these events in the order of their ids, so that transactions never deadlock."""
        ordered = select(_E.id).where(_E.id.in_(ids)).order_by(_E.id)
        self.connection.execute(ordered.with_for_update())

    def audit(self, action: str, **detail: Any) -> None:
        """Add an audit entry with the comment for each changed event."""
        entry = {**detail, **self.comment}
        add_audit(self.connection, self.actor, action, self.now, entry, self.done)

    def result(self) -> Changed:
        """The ids by what happened to them."""
        existing: set[int] = set()
        for some in self.chunks():
            existing.update(self.connection.scalars(select(_E.id).where(_E.id.in_(some))))
        return Changed.of(self.wanted, self.done, existing, self.former())


@contextmanager
def changing(
    engine: Engine, ids: Sequence[int], actor: str, comment: str, now: datetime
) -> Iterator[EventChange]:
    """One transaction that changes events, with their rules locked until its end.

    A recording reads a series before it decides: a person's change in between would be lost. Rows
    are locked in the order of their ids, so that transactions with overlapping events never
    deadlock. Raises StoreUnavailableError if nothing was written.
    """
    wanted, text = sorted_ids(ids), comment_of(comment)
    with answering(engine), writing(engine) as connection:
        change = EventChange(connection, wanted, actor, {"comment": text} if text else {}, now)
        rules: set[int] = set()
        for some in change.chunks():
            rules.update(connection.scalars(select(_E.rule_id).where(_E.id.in_(some)).distinct()))
        for some in chunks(sorted(rules)):
            r = RULE.c
            connection.execute(select(r.id).where(r.id.in_(some)).order_by(r.id).with_for_update())
        yield change
