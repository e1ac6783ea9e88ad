"""Events for reactions that fail: one series for each reaction of a rule.

Whoever is notified of the rule's events is notified of them, too.
"""

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, exists, select

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Status
from sentinel_core.model.alert import Importance
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import Policy, RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVENT, REACTION, RULE, SERIES
from sentinel_core.store.record.recording import Recorded, record
from sentinel_core.store.state import system_rule

_LONGEST = 200  # characters of a ticker


def record_outcome(engine: Engine, reaction_id: int, sentence: str, now: datetime) -> Recorded:
    """Open or continue the event of a reaction that failed, as `sentence` says.

    An empty sentence stands for one that went well, which ends that event.
    """
    with reading(engine) as connection:
        columns = (REACTION, RULE.c.name, RULE.c.parameters.label("of_rule"), EVENT.c.importance)
        joined = select(*columns).join(RULE, RULE.c.id == REACTION.c.rule_id)
        joined = joined.join(EVENT, EVENT.c.id == REACTION.c.event_id)
        row = connection.execute(joined.where(REACTION.c.id == reaction_id)).mappings().first()
        ticker = row["identity"][:_LONGEST] if row else ""
        if row is None or not (sentence or connection.scalar(_is_firing(ticker))):
            return Recorded()
    message = (
        f"{row['identity']}, started about event {row['event_id']}: {sentence}"
        if sentence
        else f"{row['identity']} works again."
    )
    evidence: dict[str, Any] = {"event": row["event_id"], "reaction": reaction_id}
    if row["flow_run_id"]:
        evidence["run_id"] = str(row["flow_run_id"])
    observation = Observation(
        Kind.FAILURE,
        ticker,
        now,
        bool(sentence),
        Importance(row["importance"]),
        message,
        evaluated=False,
        metadata=evidence if sentence else {},
    )
    return record(engine, _rule(row["of_rule"]), None, [observation], now=now)


def _is_firing(ticker: str) -> Any:
    mine = RULE.c.deployment_id == system_rule.REACTIONS_ID
    joined = select(SERIES.c.id).join(RULE, RULE.c.id == SERIES.c.rule_id).where(mine)
    firing = joined.where(SERIES.c.ticker == ticker, SERIES.c.status == Status.FIRING.value)
    return select(exists(firing))


def _rule(parameters: dict[str, Any]) -> Rule:
    """The rule of these events, with the routes of the rule that reacted."""
    try:
        notify = Routes.model_validate(parameters.get("notify") or {})
    except ValidationError:  # written by another version of Sentinel
        notify = Routes()
    return Rule(
        deployment_id=system_rule.REACTIONS_ID,
        name=system_rule.REACTIONS,
        flow_name=system_rule.FLOW,
        settings=RuleSettings(
            category="System", notify=notify, policy=Policy(notify_resolved=True)
        ),
        description="Reactions that could not be started, or whose run failed.",
        tags=("sentinel",),
    )
