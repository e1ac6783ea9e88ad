"""Claiming pending notifications for sending.

Due notifications of one group are claimed together and leave as one message. A claim writes the
attempt before anything is sent. A deliverer that dies before it writes the outcome leaves a claim
that ends with its lease, and a message that may have arrived.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Integer, cast, select, update

from sentinel_core.decide.fanout import route_of
from sentinel_core.model.reasons import Reason
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import NOTIFICATION, Row
from sentinel_core.store.outbox.enqueue import IS_ABOUT, same_address
from sentinel_core.store.outbox.group import (
    group_members,
    lock_leader,
    ready,
    still_wanted,
    threads_of,
    too_soon,
)
from sentinel_core.store.outbox.storm_messages import storm_facts
from sentinel_core.store.outbox.storms import outside_storms
from sentinel_core.store.state.events import events_by_id, templates_of

LEASE = timedelta(minutes=2)  # after this long, a deliverer is taken to have died

_N = NOTIFICATION.c


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A claimed message: the notifications it sends, and their events.

    `events` are (columns by name, reason), in the order of `ids`; none for a storm or a report,
    which `about` names and `facts` describes. What a storm has grown by is a thread and an incident
    of its own; the storm's end resolves these `other_incidents` as well. `attempts` include this
    one, `thread` is the provider's reference of the thread's first message, `unknown` counts
    earlier attempts that may have arrived, and `claimed_at` identifies the claim.
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
    other_incidents: tuple[str, ...] = ()
    templates: Mapping[str, Any] = field(default_factory=dict)
    unknown: int = 0

    @property
    def id(self) -> int:
        """The leading notification's id; its claim covers all of them."""
        return self.ids[0]

    @property
    def attempt(self) -> int:
        """Attempt number of the leading notification."""
        return self.attempts[0]


def due(
    engine: Engine, now: datetime, *, without: Collection[str] = (), limit: int = 500
) -> list[int]:
    """Ids of notifications that may be attempted now, oldest first, except in some channels."""
    with reading(engine) as connection:
        statement = (
            select(_N.id)
            .where(ready(now), _N.channel.not_in(sorted(without)))
            .order_by(_N.next_attempt_at, _N.id)
            .limit(limit)
        )
        return list(connection.scalars(statement))


def still_due(engine: Engine, ids: Sequence[int], now: datetime) -> list[int]:
    """The given notifications that may be attempted now, in the same order."""
    remaining: set[int] = set()
    with reading(engine) as connection:
        for some in chunks(ids):
            remaining.update(connection.scalars(select(_N.id).where(_N.id.in_(some), ready(now))))
    return [key for key in ids if key in remaining]


def claim(
    engine: Engine,
    notification_id: int,
    now: datetime,
    *,
    without: Collection[str] = (),
    lease: timedelta = LEASE,
) -> ClaimedMessage | None:
    """Claim a notification for sending, with the others of its message.

    None if another deliverer has it, if it is settled or not due, or if its channel is one of
    `without`. Also None, with the reason on record, if it is no longer needed or has to wait: its
    event is acknowledged, its group's last message is recent, or it joins a storm. If it begins a
    storm, the storm's message is claimed. The attempt is on record before anything is sent.
    """
    with writing(engine) as connection:
        lead = lock_leader(connection, notification_id, now, without)
        if lead is not None and not lead["about"]:
            chosen_id = outside_storms(connection, lead, now)
            if chosen_id is None:
                return None
            if chosen_id != lead["id"]:  # the storm's message
                lead = lock_leader(connection, chosen_id, now, without)
        if lead is None:
            return None
        if lead["about"]:
            return _claimed(connection, [lead], {}, now, lease)
        if too_soon(connection, lead, route_of(lead), now):
            return None
        together = [lead, *group_members(connection, lead, now)]
        events = events_by_id(connection, [row["event_id"] for row in together])
        chosen = still_wanted(connection, together, events, now)
        return _claimed(connection, chosen, events, now, lease) if chosen else None


def _claimed(
    connection: Connection,
    rows: Sequence[Row],
    events: Mapping[int, dict[str, Any]],
    now: datetime,
    lease: timedelta,
) -> ClaimedMessage:
    lead = rows[0]
    ids = tuple(row["id"] for row in rows)
    connection.execute(
        update(NOTIFICATION)
        .where(_N.id.in_(ids))
        .values(
            attempts=_N.attempts + 1,
            # The earlier claim was never settled: its message may have arrived.
            unknown=_N.unknown + cast(_N.claimed_at.is_not(None), Integer),
            claimed_at=now,
            next_attempt_at=now + lease,
            message_id=lead["id"],
        )
    )
    common: dict[str, Any] = {
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
        if lead["storm_id"] is not None:
            return _about_storm(connection, lead, common)
        return ClaimedMessage(
            **common,
            about=lead["about"],
            facts=lead["content"],
            thread=_thread_about(connection, lead),
            incident=f"sentinel/{lead['about']}",
        )
    first = events[lead["event_id"]]
    return ClaimedMessage(
        **common,
        events=tuple((events[row["event_id"]], row["reason"]) for row in rows),
        thread=threads_of(connection, rows).get(lead["event_id"]),
        incident=f"sentinel/{first['deployment_id']}/{lead['event_id']}",
        templates=templates_of(connection, first["rule_id"]),
    )


def _about_storm(connection: Connection, lead: Row, common: dict[str, Any]) -> ClaimedMessage:
    facts = storm_facts(connection, lead)
    # Every store numbers its storms from 1, and two stores may use the same paging service.
    incident = f"sentinel/{lead['about']}/{facts['started_at'].isoformat()}"
    common |= {"about": lead["about"], "facts": facts}
    if number := Reason.parse(lead["reason"]).step:
        # A reply in a thread, or one more trigger of an open incident, notifies nobody.
        return ClaimedMessage(**common, incident=f"{incident}/{number}")
    return ClaimedMessage(
        **common,
        thread=_thread_about(connection, lead),
        incident=incident,
        other_incidents=tuple(f"{incident}/{number}" for number in facts["grown"]),
    )


def _thread_about(connection: Connection, lead: Row) -> str | None:
    """The provider's reference of the first message about a storm or report."""
    statement = select(_N.reference).where(
        _N.about == lead["about"],
        IS_ABOUT,
        *same_address(_N, lead),
        _N.reference.is_not(None),
    )
    reference: str | None = connection.scalar(statement.order_by(_N.id).limit(1))
    return reference
