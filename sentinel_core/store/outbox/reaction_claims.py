"""Claiming reactions for starting, and writing what became of them.

A claim writes the attempt before Prefect is asked. Whoever dies in between leaves a claim that ends
with its lease; the next one asks Prefect with the same key, and gets the same run.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update

from sentinel_core.decide.delivery import backoff
from sentinel_core.model.reaction import Occasion, ReactionCode, ReactionStatus
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.engine import reading, rows, writing
from sentinel_core.store.db.tables import EVENT, REACTION, Row
from sentinel_core.store.outbox.reactions import IS_OPEN
from sentinel_core.store.state.audit import add_system_audit

LEASE = timedelta(minutes=2)  # after this long, whoever claimed it is taken to have died
_WAITING, _PENDING = ReactionStatus.WAITING.value, ReactionStatus.PENDING.value
_STARTED, _ENDED = ReactionStatus.STARTED.value, ReactionStatus.ENDED.value
_FAILED, _SKIPPED = ReactionStatus.FAILED.value, ReactionStatus.SKIPPED.value

_R = REACTION.c


@dataclass(frozen=True, slots=True)
class ClaimedReaction:
    """A reaction to be started, with columns of its row. `key` is the same at each attempt.

    One with a `code` can't be started, as the `sentence` says.
    """

    id: int
    event_id: int
    identity: str
    action: str
    target: str
    parameters: dict[str, Any]
    attempt: int
    claimed_at: datetime
    key: str
    failed_state_id: UUID | None
    flow_run_id: UUID | None
    code: str | None
    sentence: str


def due(engine: Engine, now: datetime, limit: int = 200) -> list[int]:
    """Ids of reactions that may be started now, oldest first."""
    ready = (IS_OPEN, _R.status == _PENDING, _R.next_attempt_at <= now)
    with reading(engine) as connection:
        return list(connection.scalars(select(_R.id).where(*ready).order_by(_R.id).limit(limit)))


def claim(engine: Engine, reaction_id: int, now: datetime) -> ClaimedReaction | None:
    """Claim a reaction; None if somebody else has it, or if it is not due any longer."""
    with writing(engine) as connection:
        mine = (_R.id == reaction_id, _R.status == _PENDING, _R.next_attempt_at <= now)
        found = connection.execute(select(REACTION).where(*mine).with_for_update()).mappings()
        if (row := found.first()) is None:
            return None
        attempt = row["attempts"] + 1
        taken = {"attempts": attempt, "claimed_at": now, "next_attempt_at": now + LEASE}
        connection.execute(update(REACTION).where(_R.id == reaction_id).values(**taken))
    return ClaimedReaction(
        row["id"],
        row["event_id"],
        row["identity"],
        row["action"],
        row["target"],
        row["parameters"],
        attempt,
        now,
        # Every store numbers its rows from 1, and two stores may use the same Prefect.
        f"sentinel/{row['created_at'].isoformat()}/{row['id']}",
        row["failed_state_id"],
        row["flow_run_id"],
        row["code"],
        row["sentence"],
    )


def note_failed_state(engine: Engine, claimed: ClaimedReaction, run: UUID, state: UUID) -> None:
    """Write which failed state of which run is to be retried, before it is."""
    with writing(engine) as connection:
        known = {"failed_state_id": state, "flow_run_id": run}
        connection.execute(update(REACTION).where(_R.id == claimed.id).values(**known))


def started(
    engine: Engine, claimed: ClaimedReaction, run: UUID | None, name: str | None, now: datetime
) -> None:
    """Write that a reaction was started; one without a run has ended with that."""
    values: Row = {"claimed_at": None, "started_at": now, "sentence": ""}
    if run is None:
        values |= {"status": _ENDED, "ended_at": now}
    else:
        values |= {"status": _STARTED, "flow_run_id": run, "flow_run_name": name}
    detail = {"reaction": claimed.identity, **({"run": str(run)} if run else {})}
    _settle(engine, claimed, values, SystemAction.REACTION_STARTED, detail, now)


def refused(
    engine: Engine, claimed: ClaimedReaction, code: ReactionCode, sentence: str, now: datetime
) -> None:
    """Write that a reaction can't be started, and why."""
    values: Row = {"status": _FAILED, "code": code.value, "sentence": sentence}
    values |= {"ended_at": now, "claimed_at": None}
    detail = {"reaction": claimed.identity, "reason": sentence}
    _settle(engine, claimed, values, SystemAction.REACTION_FAILED, detail, now)


def postponed(engine: Engine, claimed: ClaimedReaction, sentence: str, now: datetime) -> None:
    """Write that an attempt failed, and when the next one is due."""
    again = now + backoff(claimed.id, claimed.attempt)
    values: Row = {"claimed_at": None, "next_attempt_at": again, "sentence": sentence}
    mine = (_R.id == claimed.id, _R.status == _PENDING, _R.claimed_at == claimed.claimed_at)
    with writing(engine) as connection:
        connection.execute(update(REACTION).where(*mine).values(**values))


def _settle(
    engine: Engine,
    claimed: ClaimedReaction,
    values: Row,
    action: SystemAction,
    detail: Row,
    now: datetime,
) -> None:
    with writing(engine) as connection:
        mine = (_R.id == claimed.id, _R.status == _PENDING)
        if connection.execute(update(REACTION).where(*mine).values(**values)).rowcount:
            add_system_audit(connection, action, now, detail, [claimed.event_id])


def running(engine: Engine) -> list[Row]:
    """The reactions whose runs had not ended when they were last looked at, oldest first."""
    under_way = select(REACTION).where(IS_OPEN, _R.status == _STARTED)
    with reading(engine) as connection:
        return rows(connection, under_way.order_by(_R.id))


def ended(
    engine: Engine,
    row: Row,
    state: tuple[str, str],
    code: ReactionCode | None,
    at: datetime,
    now: datetime,
) -> None:
    """Write how the run of a reaction ended: the type and the name of its state."""
    values: Row = {"status": _ENDED, "run_state": state[0], "run_state_name": state[1]}
    values |= {"ended_at": at, "code": code.value if code else None}
    with writing(engine) as connection:
        mine = (_R.id == row["id"], _R.status == _STARTED)
        if connection.execute(update(REACTION).where(*mine).values(**values)).rowcount:
            detail = {"reaction": row["identity"], "run": str(row["flow_run_id"])}
            detail["state"] = state[1]
            action = SystemAction.REACTION_ENDED
            add_system_audit(connection, action, now, detail, [row["event_id"]])


def lapse_approvals(engine: Engine, now: datetime) -> int:
    """Skip what still waits for an approval although its event is over; returns how many."""
    over = select(EVENT.c.id).where(EVENT.c.id == _R.event_id, EVENT.c.resolved_at.is_not(None))
    wanted = (IS_OPEN, _R.status == _WAITING, _R.occasion != Occasion.RESOLVE.value)
    with reading(engine) as connection:
        found = rows(connection, select(REACTION).where(*wanted, over.exists()).order_by(_R.id))
    for row in found:
        with writing(engine) as connection:
            _lapse(connection, row, now)
    return len(found)


def _lapse(connection: Connection, row: Row, now: datetime) -> None:
    sentence = "not approved before the event ended"
    values = {"status": _SKIPPED, "code": ReactionCode.EVENT_ENDED.value, "sentence": sentence}
    mine = (_R.id == row["id"], _R.status == _WAITING)
    done = update(REACTION).where(*mine).values(**values, ended_at=now)
    if connection.execute(done).rowcount:
        detail = {"reaction": row["identity"], "reason": sentence}
        action = SystemAction.REACTION_NOT_STARTED
        add_system_audit(connection, action, now, detail, [row["event_id"]])
