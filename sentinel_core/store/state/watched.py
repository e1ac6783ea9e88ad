"""Watched flows: people's own flows with hooks, each a rule without a schedule of its own.

A flow has one rule for its runs without a deployment, and one for each of its deployments. Its
series are named after its hooks: "failure", or "extract: failure" for that of a task.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, RowMapping, select, update

from sentinel_core.base.errors import SentinelError
from sentinel_core.model.alert import describe
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.model.watched import Hook
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVALUATION, EVENT, RULE
from sentinel_core.store.state.rules import lock_rule
from sentinel_core.store.state.system_rule import OWN

WATCHED = "watched-flow"  # in place of a trigger's name
# Runs that are fine are not all on record, so the share of changes is not known.
WITHOUT_FLAPPING: Mapping[str, Any] = {"flapping": None}
_MOST_RUNS = 100  # of one event
_HOOKS, _DEPLOYMENT = "hooks", "deployment_id"
_TAKEN = ("notify", "policy", "suggestions", "escalation", "runbook", "templates", "environment")


def identity_of(flow_name: str, deployment_id: UUID | None) -> UUID:
    """The id, in place of a deployment's, of a watched flow's rule."""
    key = f"deployment/{deployment_id}" if deployment_id else f"flow/{flow_name}"
    return uuid5(NAMESPACE_URL, f"sentinel/watched/{key}")


def rule_of(
    flow_name: str, deployment_id: UUID | None, deployment_name: str, settings: RuleSettings
) -> Rule:
    """The rule of a watched flow, with the settings of one hook. It has no schedule to keep."""
    return Rule(
        deployment_id=identity_of(flow_name, deployment_id),
        name=f"{flow_name}/{deployment_name}" if deployment_id else flow_name,
        flow_name=flow_name,
        settings=settings,
        trigger=WATCHED,
        description="A flow with Sentinel's hooks.",
        parameters={_DEPLOYMENT: str(deployment_id) if deployment_id else None, _HOOKS: {}},
        active=False,
    )


def kind_without_deployment(row: RowMapping | Mapping[str, Any]) -> str | None:
    """`hook` for a watched flow, `built-in` for a rule of Sentinel's own; None for other rules."""
    if row["trigger"] == WATCHED:
        return "hook"
    return "built-in" if row["deployment_id"] in OWN else None


def register(engine: Engine, rule: Rule, hook: Hook, now: datetime) -> None:
    """Put a hook on record, so that reconcile knows what to look for.

    Raises SentinelError where a deployed rule has the flow's name: its record is not to be mixed
    with the flow's.
    """
    known = select(RULE.c.id, RULE.c.trigger, RULE.c.parameters).where(
        RULE.c.flow_name == rule.flow_name, RULE.c.name == rule.name
    )
    dumped = hook.model_dump(mode="json")
    with reading(engine) as connection:
        row = connection.execute(known).mappings().first()
    if row is not None and row["parameters"].get(_HOOKS, {}).get(hook.ticker) == dumped:
        return
    with writing(engine) as connection:
        row = connection.execute(known).mappings().first()
        if row is not None and row["trigger"] != WATCHED:
            raise SentinelError(
                f"the flow {rule.flow_name} has the same name as a rule on record, so its hooks "
                "record nothing: rename the flow"
            )
        key = lock_rule(connection, rule, now)
        parameters = connection.scalar(select(RULE.c.parameters).where(RULE.c.id == key)) or {}
        hooks = {**parameters.get(_HOOKS, {}), hook.ticker: dumped}
        changed = update(RULE).where(RULE.c.id == key)
        connection.execute(changed.values(parameters={**rule.parameters, _HOOKS: hooks}))


def watched_rows(engine: Engine) -> list[RowMapping]:
    """The rules of all watched flows, ordered by name."""
    with reading(engine) as connection:
        mine = select(RULE).where(RULE.c.trigger == WATCHED).order_by(RULE.c.name)
        return list(connection.execute(mine).mappings())


def watched_row(engine: Engine, identity: UUID) -> RowMapping | None:
    """The rule of one watched flow; None if it has no hooks on record."""
    mine = select(RULE).where(RULE.c.deployment_id == identity, RULE.c.trigger == WATCHED)
    with reading(engine) as connection:
        return connection.execute(mine).mappings().first()


def runs_of_ended_events(engine: Engine, since: datetime) -> list[list[UUID]]:
    """The runs of each event of a watched flow that was resolved since then, the newest ones."""
    ended = (
        select(EVENT.c.id)
        .join(RULE, RULE.c.id == EVENT.c.rule_id)
        .where(RULE.c.trigger == WATCHED, EVENT.c.resolved_at >= since)
    )
    found = []
    with reading(engine) as connection:
        for event_id in connection.scalars(ended).all():
            c = EVALUATION.c
            runs = select(c.prefect_flow_run_id).where(c.event_id == event_id, c.triggered)
            found.append(list(connection.scalars(runs.order_by(c.id.desc()).limit(_MOST_RUNS))))
    return [runs for runs in found if runs]


def latest_breach(connection: Connection, deployment_id: UUID, ticker: str) -> Mapping[str, Any]:
    """The metadata of the latest breach of a hook's series; empty if there is none."""
    newest = (
        select(EVALUATION.c.metadata)
        .join(RULE, RULE.c.id == EVALUATION.c.rule_id)
        .where(RULE.c.deployment_id == deployment_id, EVALUATION.c.ticker == ticker)
        .where(EVALUATION.c.triggered)
        .order_by(EVALUATION.c.at.desc(), EVALUATION.c.id.desc())
    )
    return connection.scalar(newest.limit(1)) or {}


def deployment_of(parameters: Mapping[str, Any]) -> UUID | None:
    """The deployment whose runs a watched flow's rule is about; None for runs without one."""
    text = parameters.get(_DEPLOYMENT)
    return UUID(text) if text else None


def hooks_of(row: RowMapping) -> list[Hook]:
    """The hooks of a watched flow's rule; not those that a newer Sentinel wrote."""
    hooks = []
    for dumped in (row["parameters"].get(_HOOKS) or {}).values():
        try:
            hooks.append(Hook.model_validate(dumped))
        except ValidationError:
            continue
    return hooks


def rule_of_row(row: RowMapping, hook: Hook) -> Rule:
    """The rule of a row of `watched_rows`, with the settings of one of its hooks."""
    return Rule(
        deployment_id=row["deployment_id"],
        name=row["name"],
        flow_name=row["flow_name"],
        settings=hook.settings,
        trigger=WATCHED,
        parameters=row["parameters"],
        active=False,
    )


def with_settings_of_rule(engine: Engine, hook: Hook) -> Hook:
    """The hook with the routes, policy and suggestions of the rule it names.

    What is written at the hook itself goes first. Raises SentinelError if there is no such rule,
    or if its parameters can't be read.
    """
    if not hook.rule:
        return hook
    with reading(engine) as connection:
        named = select(RULE.c.parameters).where(RULE.c.name == hook.rule)
        parameters = connection.scalar(named.where(RULE.c.trigger != WATCHED))
    if parameters is None:
        raise SentinelError(
            f"there is no rule {hook.rule!r} on record, so its routes and policy don't apply: "
            "correct `rule=` at the hook, or deploy the rule"
        )
    taken = {k: parameters[k] for k in _TAKEN if parameters.get(k) is not None}
    if isinstance(policy := taken.get("policy"), dict):
        taken["policy"] = {**WITHOUT_FLAPPING, **policy}
    own = hook.settings.model_dump(mode="json")
    kept = {name: own[name] for name in own if name not in taken or name in hook.given}
    try:
        settings = RuleSettings.model_validate({**taken, **kept})
    except ValidationError as error:
        raise SentinelError(
            f"the routes and policy of the rule {hook.rule!r} can't be read, so they don't apply: "
            f"{describe(error)}; correct the rule and deploy it"
        ) from error
    return hook.model_copy(update={"settings": settings})


def effective(engine: Engine, hook: Hook) -> Hook:
    """The hook with the settings of the rule it names; as it is where they can't be had.

    The hook itself says so at each of its runs.
    """
    try:
        return with_settings_of_rule(engine, hook)
    except SentinelError:
        return hook
