"""Silences: made, ended, listed; and what one would mute, before it does. Each act is audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, and_, insert, select, update

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.silence import Matchers, Silence, Subject
from sentinel_core.store.db.engine import answering, reading, writing
from sentinel_core.store.db.tables import AUDIT, EVENT, RULE, SERIES, SILENCE
from sentinel_core.store.record.acknowledge import Changed, changed
from sentinel_core.store.state.audit import chosen, chunks, comment_of, note, person, possible
from sentinel_core.store.state.mutes import readable

EXPIRED = "silence-expired"  # the audit's word for one that somebody ended
SHOWN = 100  # events a preview names; the others it counts
LONGEST_DAYS = 366  # a preview looks back
_INSTANT = timedelta(microseconds=1)


class State(StrEnum):
    """Where a silence stands. A recurring one is active from its start to its end."""

    ACTIVE = "active"
    UPCOMING = "upcoming"
    EXPIRED = "expired"


def state_of(silence: Silence, now: datetime) -> State:
    """Where a silence stands at a moment."""
    if silence.ends_at <= now:
        return State.EXPIRED
    return State.UPCOMING if silence.starts_at > now else State.ACTIVE


# -- made and ended ------------------------------------------------------------------------


def create(engine: Engine, silence: Silence, *, now: datetime) -> Silence:
    """Keep a silence; it comes back with its id. What it mutes goes on being recorded.

    Raises ValueError for one that nobody signs or that would be over already,
    StoreUnavailableError when nothing was written.
    """
    author, comment = person(silence.author, "silences"), comment_of(silence.comment)
    if not comment:
        raise ValueError("say why: whoever misses a message will ask")
    if silence.ends_at <= now:
        raise ValueError(f"a silence until {silence.ends_at:%F %R} would be over already")
    row = {
        "matchers": silence.matchers.model_dump(mode="json", exclude_defaults=True),
        "recurrence": silence.recurrence.model_dump(mode="json") if silence.recurrence else None,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "author": author,
        "comment": comment,
        "created_at": now,
    }
    with answering(engine), writing(engine) as connection:
        key = int(connection.scalars(insert(SILENCE).returning(SILENCE.c.id), [row]).one())
        detail = {
            "silence": key,
            "mutes": silence.matchers.words(),
            "from": silence.starts_at.isoformat(),
            "until": silence.ends_at.isoformat(),
            "comment": comment,
        }
        if silence.recurrence:
            detail["window"] = silence.recurrence.words()
        note(connection, author, "silence-created", now, (None,), detail)
    return silence.model_copy(update={"id": key, "author": author, "comment": comment})


def expire(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """End these silences now; what they held back is told by the next run or reconcile.

    One that has not begun will never mute anybody. Raises ValueError without a name,
    StoreUnavailableError when nothing was written.
    """
    who, said = person(by, "ends the silence"), comment_of(comment)
    wanted = chosen(ids, "silence")
    found: set[int] = set()
    done: list[int] = []
    with answering(engine), writing(engine) as connection:
        for some in chunks(possible(wanted)):
            for row in _locked(connection, some):
                found.add(row["id"])
                if row["ends_at"] > now:
                    _end(connection, row, now)
                    done.append(row["id"])
                    detail = {"silence": row["id"], "was_until": row["ends_at"].isoformat()}
                    detail |= {"comment": said} if said else {}
                    note(connection, who, EXPIRED, now, (None,), detail)
    return changed(wanted, done, found)


def _locked(connection: Connection, ids: Sequence[int]) -> list[RowMapping]:
    c = SILENCE.c
    statement = select(c.id, c.starts_at, c.ends_at).where(c.id.in_(ids)).order_by(c.id)
    return list(connection.execute(statement.with_for_update()).mappings())


def _end(connection: Connection, row: RowMapping, now: datetime) -> None:
    # A silence ends after it starts, also one that never came to mute anything.
    starts_at = min(row["starts_at"], now - _INSTANT)
    connection.execute(
        update(SILENCE).where(SILENCE.c.id == row["id"]).values(starts_at=starts_at, ends_at=now)
    )


# -- read ----------------------------------------------------------------------------------


def get(engine: Engine, silence_id: int) -> Silence | None:
    """One silence; None when there is none of that id."""
    if not possible([silence_id]):
        return None
    found = _read(engine, SILENCE.c.id == silence_id)
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended a silence before its time, and why if they said so."""

    by: str
    at: datetime
    comment: str


def ending(engine: Engine, silence_id: int) -> Ending | None:
    """How a silence was ended; None when it was not, or ended in its own time."""
    c = AUDIT.c
    mine = c.detail["silence"].as_integer() == silence_id
    statement = select(AUDIT).where(c.action == EXPIRED, mine).order_by(c.id.desc()).limit(1)
    with answering(engine), reading(engine) as connection:
        row = connection.execute(statement).mappings().first()
    return Ending(row["actor"], row["at"], row["detail"].get("comment", "")) if row else None


def all_silences(engine: Engine, *, now: datetime, state: State | None = None) -> list[Silence]:
    """Silences, the newest first; all of them, or those that stand like this."""
    c = SILENCE.c
    which = {
        None: (),
        State.ACTIVE: (c.starts_at <= now, c.ends_at > now),
        State.UPCOMING: (c.starts_at > now, c.ends_at > now),
        State.EXPIRED: (c.ends_at <= now,),
    }
    return _read(engine, *which[state])


def _read(engine: Engine, *which: ColumnElement[bool]) -> list[Silence]:
    statement = select(SILENCE).where(*which).order_by(SILENCE.c.id.desc())
    with answering(engine), reading(engine) as connection:
        return list(readable(connection.execute(statement).mappings()))


# -- before it is made ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence is about: everything it matches, whenever it starts.

    `open_events` and `past_events` are the newest of `open_count` and `past_count`; the past ones
    opened in the last days, at a time of day at which the silence would have muted them.
    """

    rules: tuple[str, ...]
    series: tuple[tuple[str, str], ...]
    open_events: tuple[dict[str, Any], ...]
    open_count: int
    past_events: tuple[dict[str, Any], ...]
    past_count: int


def preview(engine: Engine, silence: Silence, *, now: datetime, days: float = 7) -> Preview:
    """What a silence would mute now, and what it would have muted in the last days.

    Raises ValueError for a look back of no days or of more than a year, StoreUnavailableError when
    the store does not answer.
    """
    if not 0 < days <= LONGEST_DAYS:
        raise ValueError(f"look back more than 0 and at most {LONGEST_DAYS} days, not {days:g}")
    since = now - timedelta(days=days)
    recurrence = silence.recurrence
    with answering(engine), reading(engine) as connection:
        rules, series = _matched(connection, silence.matchers)
        still = _events(connection, silence.matchers, EVENT.c.resolved_at.is_(None))
        past = [
            event
            for event in _events(connection, silence.matchers, EVENT.c.timestamp >= since)
            if recurrence is None or recurrence.covers(event["timestamp"])
        ]
    return Preview(rules, series, tuple(still[:SHOWN]), len(still), tuple(past[:SHOWN]), len(past))


def _matched(
    connection: Connection, matchers: Matchers
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Names of active rules, and their (rule, ticker). A rule without any series has one."""
    r, s = RULE.c, SERIES.c
    statement = (
        select(r.name, r.category, r.tags, r.importance, s.kind, s.ticker, s.event_importance)
        .join(SERIES, and_(s.rule_id == r.id, s.kind != Kind.SKIPPED.value), isouter=True)
        .where(r.is_active)
        .order_by(r.name, s.ticker)
    )
    found: list[tuple[str, str]] = []
    for row in connection.execute(statement):
        subject = Subject(
            row.name,
            row.ticker or "",
            row.category,
            Importance(row.event_importance or row.importance),
            tuple(row.tags),
            row.kind or Kind.ALERT.value,
        )
        if matchers.matches(subject):
            found.append((row.name, subject.ticker))
    series = tuple(key for key, _ in groupby(found))
    return tuple(name for name, _ in groupby(rule for rule, _ in series)), series


_NAMED = (
    "id",
    "timestamp",
    "rule_name",
    "ticker",
    "kind",
    "importance",
    "category",
    "resolved_at",
)


def _events(
    connection: Connection, matchers: Matchers, which: ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Matching events, newest first."""
    e = EVENT.c
    statement = (
        select(*(e[name] for name in _NAMED), RULE.c.tags)
        .join(RULE, RULE.c.id == e.rule_id, isouter=True)
        .where(which)
        .order_by(e.timestamp.desc(), e.id.desc())
    )
    if matchers.importance:
        statement = statement.where(
            e.importance.in_([level.value for level in matchers.importance])
        )
    found = []
    for row in connection.execute(statement).mappings():
        subject = Subject(
            row["rule_name"],
            row["ticker"],
            row["category"],
            Importance(row["importance"]),
            tuple(row["tags"] or ()),
            row["kind"],
        )
        if matchers.matches(subject):
            found.append({name: row[name] for name in _NAMED})
    return found
