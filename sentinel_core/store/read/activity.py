"""What happened, newest first: evaluations that changed something, actions, deliveries.

Three tables are read side by side, each by its ids, which are given in the order of time; the audit
is read twice, for what people did and for what Sentinel did. One page looks at no more than SCANNED
rows for each source, however rarely something changes.
"""

from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge

from sqlalchemy import Connection, Engine, func, select

from sentinel_core.model.cleaning import clean_text
from sentinel_core.store.db.bulk import newest_id
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import Row
from sentinel_core.store.read.activity_sources import SOURCES, ActivityFilter, Source, statement

SCANNED = 200_000
_LATE = 2_000  # rows that may have been recorded later than others of the same time


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the id for each source from which on everything was listed."""

    ids: tuple[tuple[Source, int], ...]


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Some entries, newest first. `following` is None on the last page.

    Each entry has `source`, `id`, `at`, `level`, `type`, `message`, `user`, `rule_name`, `ticker`,
    `importance` and `event_id`.
    """

    entries: list[Row]
    following: Place | None


def activity(
    engine: Engine, wanted: ActivityFilter, *, size: int, after: Place | None = None
) -> ActivityPage:
    """`size` entries after a place, or fewer where much was looked at in vain.

    Raises StoreUnavailableError.
    """
    before = dict(after.ids) if after else {}
    with answering(engine), reading(engine) as connection:
        read = [
            _read(connection, source, wanted, size, before.get(source))
            for source in SOURCES
            if not wanted.sources or source in wanted.sources
        ]
    # Beyond the last row that was looked at in one table, others are not listed before it is.
    horizon = max((part.horizon for part in read if part.horizon), default=None)
    merged = merge(*(part.entries for part in read), key=_newest_first)
    shown = [entry for entry in merged if horizon is None or entry["at"] >= horizon][:size]
    ends = {part.source: part.upper for part in read}
    for entry in shown:
        ends[entry["source"]] = min(ends[entry["source"]], entry["id"])
    listed = {(entry["source"], entry["id"]) for entry in shown}
    rest = False
    for part in read:
        waiting = any((part.source, entry["id"]) not in listed for entry in part.entries)
        if not waiting and part.more:
            ends[part.source] = part.lower
        rest = rest or waiting or part.more
    return ActivityPage(shown, Place(tuple(ends.items())) if rest else None)


def _newest_first(entry: Row) -> float:
    return -float(entry["at"].timestamp())


@dataclass(slots=True)
class _Part:
    """What was read of one table: entries with ids from `lower` up to but not including `upper`.

    `more`: there are older rows within the filter's time that were not looked at. `horizon` is then
    the time of the oldest row that was.
    """

    source: Source
    upper: int
    lower: int
    more: bool
    entries: list[Row] = field(default_factory=list)
    horizon: datetime | None = None


def _read(
    connection: Connection, source: Source, wanted: ActivityFilter, size: int, before: int | None
) -> _Part:
    table = SOURCES[source].table
    newest = newest_id(connection, table) + 1
    upper, first = newest, 0
    if wanted.until is not None:
        upper = min(upper, _id_at(connection, source, wanted.until, newest) + _LATE)
    if wanted.since is not None:
        first = max(0, _id_at(connection, source, wanted.since, newest) - _LATE)
    upper = upper if before is None else min(upper, before)
    lower = max(first, upper - SCANNED)
    found = rows(connection, statement(source, wanted, lower, upper).limit(size + 1))
    part = _Part(source, upper, lower, more=lower > first)
    part.entries = [_cleaned(row, source) for row in found]
    if part.more:
        oldest = select(func.min(table.c.id)).where(table.c.id >= lower)
        at = select(SOURCES[source].at).where(table.c.id == oldest.scalar_subquery())
        part.horizon = connection.scalar(at)
    return part


def _cleaned(row: Row, source: Source) -> Row:
    row["source"] = source
    row["message"] = clean_text(row["message"] or "")
    return row


def _id_at(connection: Connection, source: Source, moment: datetime, newest: int) -> int:
    """About the id of the first row from a moment on: time has no index, ids follow it."""
    table, at = SOURCES[source].table, SOURCES[source].at
    low, high = 0, newest
    while low < high:
        middle = (low + high) // 2
        after = select(at).where(table.c.id >= middle).order_by(table.c.id).limit(1)
        time = connection.scalar(after)
        if time is None or time >= moment:
            high = middle
        else:
            low = middle + 1
    return low
