"""Messages owed to channels: claimed before sending, settled after.

Several messages of one group are claimed together and leave as one. Whoever claims writes down the
attempt first; whoever dies before the outcome is written leaves a claim that ends by itself, and a
message whose arrival nobody knows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Integer, cast, select, update

from sentinel_core.decide.fanout import dropped_columns, route_of
from sentinel_core.model.reasons import Suppression, is_step
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import NOTIFICATION, Row
from sentinel_core.store.outbox.enqueue import (
    FAILED,
    IS_ABOUT,
    IS_FAILED,
    IS_PENDING,
    PENDING,
    SENT,
    SUPPRESSED,
    hold_messages,
)
from sentinel_core.store.outbox.failing import FailingChannel, failing_channels, sent_since
from sentinel_core.store.outbox.group import (
    companions,
    leading,
    ready,
    still_wanted,
    threads_of,
    too_soon,
)
from sentinel_core.store.outbox.storms import gathered, storm_facts
from sentinel_core.store.state.audit import chunks
from sentinel_core.store.state.events import events_by_id, templates_of

LEASE = timedelta(minutes=2)  # a deliverer that died is taken to be gone after this long

_N = NOTIFICATION.c


@dataclass(frozen=True, slots=True)
class Owed:
    """A claimed message: the notifications that leave with it, and the events they tell of.

    `events` are (columns by name, reason), in the order of `ids`; none for a storm or a report,
    which `about` names and `facts` describes. `attempts` count each with this one, `thread` is the
    provider's name of the first message about the same, `unknown` counts earlier attempts of which
    nobody knows whether they arrived, and `claimed_at` is by what this claim is known.
    """

    ids: tuple[int, ...]
    channel: str
    recipient: str
    reason: str
    attempts: tuple[int, ...]
    claimed_at: datetime
    created_at: datetime
    events: tuple[tuple[dict[str, Any], str], ...] = ()
    about: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    thread: str | None = None
    incident: str = ""
    templates: Mapping[str, Any] = field(default_factory=dict)
    unknown: int = 0

    @property
    def id(self) -> int:
        """The notification that leads the message."""
        return self.ids[0]

    @property
    def attempt(self) -> int:
        """The how manieth attempt of the one that leads this is."""
        return self.attempts[0]


def due(
    engine: Engine, now: datetime, *, without: Collection[str] = (), limit: int = 500
) -> list[int]:
    """Ids of messages that may be attempted now, oldest first, but for some channels."""
    with reading(engine) as connection:
        statement = (
            select(_N.id)
            .where(ready(now), _N.channel.not_in(sorted(without)))
            .order_by(_N.next_attempt_at, _N.id)
            .limit(limit)
        )
        return list(connection.scalars(statement))


def still_due(engine: Engine, ids: Sequence[int], now: datetime) -> list[int]:
    """Those of these messages that may be attempted now, in the order given."""
    left: set[int] = set()
    with reading(engine) as connection:
        for some in chunks(ids):
            left.update(connection.scalars(select(_N.id).where(_N.id.in_(some), ready(now))))
    return [key for key in ids if key in left]


def claim(
    engine: Engine,
    notification_id: int,
    now: datetime,
    *,
    without: Collection[str] = (),
    lease: timedelta = LEASE,
) -> Owed | None:
    """Take a message for sending, with all that leaves together with it.

    None when somebody else has it, it is settled or not due, its channel is one of `without`, or
    looked at now nobody is to be told (which is written down): it is acknowledged, its time has
    not come, a storm tells of it. Where a storm begins with it, the storm's message is what is
    taken. The attempt is on record before anything is sent.
    """
    with writing(engine) as connection:
        lead = leading(connection, notification_id, now, without)
        if lead is not None and not lead["about"]:
            lead = _unless_storm(connection, lead, now)
        if lead is None:
            return None
        if lead["about"]:
            return _claimed(connection, [lead], {}, now, lease)
        if too_soon(connection, lead, route_of(lead), now):
            return None
        together = [lead, *companions(connection, lead, now)]
        events = events_by_id(connection, [row["event_id"] for row in together])
        chosen = still_wanted(connection, together, events, now)
        return _claimed(connection, chosen, events, now, lease) if chosen else None


def _unless_storm(connection: Connection, lead: Row, now: datetime) -> Row | None:
    """The message itself; in a storm that begins just now its message, later nothing."""
    if lead["attempts"] or is_step(lead["reason"]):
        return lead
    storm = gathered(connection, lead, route_of(lead).storm, now)
    if storm is None:
        return lead
    if storm.message_id is None:
        return None
    statement = select(NOTIFICATION).where(_N.id == storm.message_id)
    return dict(connection.execute(statement).mappings().one())


def _claimed(
    connection: Connection,
    rows: Sequence[Row],
    events: Mapping[int, dict[str, Any]],
    now: datetime,
    lease: timedelta,
) -> Owed:
    lead = rows[0]
    ids = tuple(row["id"] for row in rows)
    connection.execute(
        update(NOTIFICATION)
        .where(_N.id.in_(ids))
        .values(
            attempts=_N.attempts + 1,
            # A claim that was never settled: whether that attempt arrived, nobody knows.
            unknown=_N.unknown + cast(_N.claimed_at.is_not(None), Integer),
            claimed_at=now,
            next_attempt_at=now + lease,
            message_id=lead["id"],
        )
    )
    common = {
        "ids": ids,
        "channel": lead["channel"],
        "recipient": lead["recipient"],
        "reason": lead["reason"],
        "attempts": tuple(row["attempts"] + 1 for row in rows),
        "claimed_at": now,
        "created_at": lead["created_at"],
        "unknown": lead["unknown"] + (lead["claimed_at"] is not None),
    }
    if lead["about"]:
        facts = _facts(connection, lead)
        # Stores number their storms alike: two of them may page through the same service.
        began = f"/{facts['started_at'].isoformat()}" if lead["storm_id"] is not None else ""
        return Owed(
            **common,
            about=lead["about"],
            facts=facts,
            thread=_thread_about(connection, lead),
            incident=f"sentinel/{lead['about']}{began}",
        )
    first = events[lead["event_id"]]
    return Owed(
        **common,
        events=tuple((events[row["event_id"]], row["reason"]) for row in rows),
        thread=threads_of(connection, rows).get(lead["event_id"]),
        incident=f"sentinel/{first['deployment_id']}/{lead['event_id']}",
        templates=templates_of(connection, first["rule_id"]),
    )


def _facts(connection: Connection, lead: Row) -> Mapping[str, Any]:
    if lead["storm_id"] is not None:
        return storm_facts(connection, lead["storm_id"])
    return dict(lead["content"])


def _thread_about(connection: Connection, lead: Row) -> str | None:
    """The provider's name of the first message about a storm."""
    statement = select(_N.reference).where(
        _N.about == lead["about"],
        IS_ABOUT,
        _N.channel == lead["channel"],
        _N.recipient == lead["recipient"],
        _N.reference.is_not(None),
    )
    reference: str | None = connection.scalar(statement.order_by(_N.id).limit(1))
    return reference


# -- settling --------------------------------------------------------------------------------


def settle(
    engine: Engine,
    ids: int | Collection[int],
    *,
    status: str,
    error: Suppression | str | None,
    now: datetime,
    next_attempt_at: datetime | None = None,
    reference: str | None = None,
    unknown: bool = False,
    claimed_at: datetime | None = None,
) -> None:
    """Write the outcome of an attempt: sent, pending (tried again at `next_attempt_at`), failed.

    A message that was sent stays sent, and one that nobody needs any more (its event was ended by
    hand meanwhile) is not tried again. `unknown`: whether it arrived nobody can say. `claimed_at`
    names the claim: when its lease was over and somebody else tries by now, only that it was sent
    is still news.
    """
    keys = [ids] if isinstance(ids, int) else sorted(ids)
    values: dict[str, Any] = {"status": status, "claimed_at": None, **_error_columns(error)}
    if status != PENDING:
        values["settled_at"] = now
    if status == SENT:
        values["sent_at"] = now
    if reference is not None:
        values["reference"] = reference
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    if unknown:
        values["unknown"] = _N.unknown + 1
    which = [_N.id.in_(keys), _N.status != SENT if status == SENT else IS_PENDING]
    if status != SENT and claimed_at is not None:
        which.append(_N.claimed_at == claimed_at)
    with writing(engine) as connection:
        hold_messages(connection, *which)
        connection.execute(update(NOTIFICATION).where(*which).values(**values))


def _error_columns(error: Suppression | str | None) -> Row:
    if isinstance(error, Suppression):
        return dropped_columns(error)
    return {"last_error": error, "dropped_code": None}


def hold_channel(engine: Engine, channel: str, until: datetime) -> None:
    """A channel asked for patience: nothing else is tried there before that."""
    which = (
        IS_PENDING,
        _N.channel == channel,
        _N.claimed_at.is_(None),
        _N.next_attempt_at < until,
    )
    with writing(engine) as connection:
        hold_messages(connection, *which)
        connection.execute(update(NOTIFICATION).where(*which).values(next_attempt_at=until))


def owe_again(engine: Engine, channel: str, since: datetime, now: datetime) -> int:
    """Try once more what a channel failed to take since then; how many messages that are."""
    which = (IS_FAILED, _N.channel == channel, _N.settled_at >= since)
    again = {"status": PENDING, "attempts": 0, "next_attempt_at": now}
    again |= {"settled_at": None, "dropped_code": None}
    with writing(engine) as connection:
        hold_messages(connection, *which)
        return connection.execute(update(NOTIFICATION).where(*which).values(**again)).rowcount


def of_events(engine: Engine, event_ids: Sequence[int]) -> list[dict[str, Any]]:
    """All messages of some events, oldest first."""
    with reading(engine) as connection:
        statement = select(NOTIFICATION).where(_N.event_id.in_(event_ids)).order_by(_N.id)
        return [dict(row) for row in connection.execute(statement).mappings()]


__all__ = [
    "FAILED",
    "LEASE",
    "PENDING",
    "SENT",
    "SUPPRESSED",
    "FailingChannel",
    "Owed",
    "claim",
    "due",
    "failing_channels",
    "hold_channel",
    "of_events",
    "owe_again",
    "sent_since",
    "settle",
    "still_due",
]
