"""Reactions to what people do: the end of an event by hand, and the approval of a reaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, RowMapping, select, update

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.reacting import Change, Reactor
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import Occasion, ReactionStatus
from sentinel_core.model.rule import RuleSettings
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.tables import EVENT, REACTION, RULE
from sentinel_core.store.outbox.reactions import IS_OPEN, insert_reactions, lately
from sentinel_core.store.record.acknowledge import acknowledge_within
from sentinel_core.store.record.change import Changed, EventChange, changing, require_name
from sentinel_core.store.state.audit import add_audit
from sentinel_core.store.state.events import subject_of
from sentinel_core.store.state.mutes import Mutes

_ON_RESOLVE = f"on_{Occasion.RESOLVE}"
_R = REACTION.c


@dataclass(frozen=True, slots=True)
class Approved:
    """The result of an approval: event ids by what happened, and the reactions approved."""

    events: Changed
    reactions: tuple[str, ...] = ()


def react_to_ends(connection: Connection, event_ids: Sequence[int], now: datetime) -> None:
    """Plan the reactions to the end of events that a person resolved."""
    mutes = Mutes(connection, now)
    of_rule = (RULE.c.parameters, RULE.c.tags)
    for some in chunks(sorted(event_ids)):
        joined = select(EVENT, *of_rule).join(RULE, RULE.c.id == EVENT.c.rule_id)
        statement = joined.where(EVENT.c.id.in_(some)).order_by(EVENT.c.id)
        for row in connection.execute(statement).mappings().all():
            if row["parameters"].get(_ON_RESOLVE):
                _react_to_end(connection, row, mutes, now)


def _react_to_end(connection: Connection, row: RowMapping, mutes: Mutes, now: datetime) -> None:
    settings = _settings(row["parameters"], row["category"])
    importance = Importance(row["importance"])
    seen = Observation(
        Kind(row["kind"]),
        row["ticker"],
        now,
        False,
        importance,
        row["message"],
        metrics=row["metrics"],
        metadata=row["metadata"],
    )
    run = str(row["prefect_flow_run_id"]) if row["prefect_flow_run_id"] else None
    muted = mutes.reason_for(subject_of(dict(row)))
    change = Change(Occasion.RESOLVE, seen, importance, run_id=run, suppression=muted)
    name = row["rule_name"]
    reactor = Reactor(name, settings, now, lambda identity: lately(connection, identity, now))
    plans = [(row["id"], planned) for planned in reactor.plan(change)]
    insert_reactions(connection, plans, row["rule_id"], name, row["category"], now)


def _settings(parameters: Mapping[str, Any], category: str) -> RuleSettings:
    """The settings that reactions depend on; none where they can't be read."""
    given = {_ON_RESOLVE: parameters.get(_ON_RESOLVE) or (), "category": category}
    try:
        return RuleSettings.model_validate(given)
    except ValidationError:  # written by another version; `rules check` says so
        return RuleSettings(category=category)


def approve(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Approved:
    """Approve the reactions of these events that wait for it; acknowledges the events as well.

    They are started afterwards, as others are. Events of which nothing waits stay as they are.
    Raises ValueError without a name, StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "approves")
    with changing(engine, ids, who, comment, now) as change:
        approved: list[tuple[int, str]] = []
        for some in change.chunks():
            change.lock(some)
            waiting = (_R.event_id.in_(some), IS_OPEN, _R.status == ReactionStatus.WAITING.value)
            values = {"status": ReactionStatus.PENDING.value, "next_attempt_at": now}
            values |= {"approved_by": who, "approved_at": now}
            statement = update(REACTION).where(*waiting).values(**values)
            done = change.connection.execute(statement.returning(_R.event_id, _R.identity))
            approved += [(event_id, identity) for event_id, identity in done]
        for event_id, identity in sorted(approved):
            detail = {"reaction": identity, **change.comment}
            add_audit(change.connection, who, "approved", now, detail, [event_id])
        change.done = sorted({event_id for event_id, _ in approved})
        acknowledge_within(EventChange(change.connection, change.done, who, change.comment, now))
        return Approved(change.result(), tuple(identity for _, identity in sorted(approved)))
