"""Reactions within the caller's transaction: written with the event's change, read for the next."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, literal_column, or_, select

from sentinel_core.decide.reacting import HOUR, Cause, Planned, runs_in
from sentinel_core.model.reaction import NEVER_BEGUN, Occasion, ReactionStatus
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.bulk import chunks, insert_into
from sentinel_core.store.db.tables import REACTION, Row
from sentinel_core.store.state.audit import add_system_audit

_R = REACTION.c
# Literals instead of parameters: the planner must see that a partial index covers these rows.
_OPEN = ("waiting", "pending", "started")
IS_OPEN = _R.status.in_([literal_column(f"'{status}'") for status in _OPEN])


def lately(connection: Connection, identity: str, now: datetime) -> list[datetime]:
    """When reactions of this identity began within the last hour, oldest first."""
    begun = or_(_R.code.is_(None), _R.code.not_in([code.value for code in NEVER_BEGUN]))
    statement = select(_R.created_at).where(
        _R.identity == identity, _R.created_at > now - HOUR, begun
    )
    return list(connection.scalars(statement.order_by(_R.created_at)))


def cause_of(connection: Connection, own_run: UUID | None, metadata: Row) -> Cause | None:
    """The newest reaction whose run the event is about.

    That is `own_run`, which made the observation, or the first one its evidence names.
    """
    runs = [own_run] if own_run else []
    for text in runs_in(metadata)[:1]:
        try:
            runs.append(UUID(text))
        except ValueError:  # evidence of somebody else's making
            continue
    if not runs:
        return None
    about = select(_R.id, _R.event_id, _R.chain).where(_R.flow_run_id.in_(runs))
    row = connection.execute(about.order_by(_R.id.desc()).limit(1)).first()
    return Cause(row.id, row.event_id, tuple(row.chain)) if row else None


def reaction_row(planned: Planned, rule_id: int, event_id: int, now: datetime) -> Row:
    """The row of a planned reaction, without its parameters."""
    change, reaction = planned.change, planned.reaction
    skipped = planned.status is ReactionStatus.SKIPPED
    # One that can't be started is claimed all the same: that is where a failure becomes an event.
    failed = planned.status is ReactionStatus.FAILED
    escalates = change.occasion is Occasion.ESCALATE
    return {
        "event_id": event_id,
        "rule_id": rule_id,
        "occasion": change.occasion.value,
        "number": planned.number,
        # An event may become more important several times.
        "sequence": change.importance.rank if escalates else 0,
        "identity": planned.identity,
        "action": reaction.action,
        "target": reaction.target,
        "parameters": {},
        "status": (ReactionStatus.PENDING if failed else planned.status).value,
        "code": planned.code.value if planned.code else None,
        "sentence": planned.sentence,
        "chain": list(planned.chain),
        "approval": reaction.approval,
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
        "ended_at": now if skipped else None,
    }


def insert_reactions(
    connection: Connection,
    plans: Sequence[tuple[int, Planned]],
    rule_id: int,
    rule: str,
    category: str,
    now: datetime,
) -> list[int]:
    """Write the plans, each with its event's id; returns the ids of those to be started now."""
    rows = []
    for event_id, planned in plans:
        row = reaction_row(planned, rule_id, event_id, now)
        if planned.code is None:
            row["parameters"] = planned.parameters(rule, category, event_id)
        if planned.reaction.retry is not None:
            # The runs that may be meant, the newest first; the start takes the first of them.
            named = runs_in(planned.change.observation.metadata)
            row["parameters"] = {"runs": named or [run for run in [planned.change.run_id] if run]}
        rows.append(row)
    written: list[int] = []
    for some in chunks(rows):
        statement = insert_into(connection, REACTION).on_conflict_do_nothing()
        done = connection.execute(statement.returning(_R.id, _R.status), some)
        written += [key for key, status in done if status == ReactionStatus.PENDING]
    for row in rows:
        if row["status"] == ReactionStatus.SKIPPED:
            detail = {"reaction": row["identity"], "reason": row["sentence"]}
            action, event = SystemAction.REACTION_NOT_STARTED, row["event_id"]
            add_system_audit(connection, action, now, detail, [event])
    return written
