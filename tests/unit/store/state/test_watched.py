"""Watched flows on record: their hooks, their rules and what reconcile asks about them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, update

from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.watch import EndedRun, observe
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import Policy, RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import RULE
from sentinel_core.store.record.recording import record
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state import rules, system_rule
from sentinel_core.store.state.watched import (
    WATCHED,
    deployment_of,
    hooks_of,
    identity_of,
    kind_without_deployment,
    latest_breach,
    register,
    rule_of,
    rule_of_row,
    runs_of_ended_events,
    watched_row,
    watched_rows,
    with_settings_of_rule,
)
from tests.support.runs import NOW, T0, a_rule, a_run, at, fired, rows, told

NIGHTLY = UUID(int=7)
FAILURE = Hook(
    kind=HookKind.FAILURE,
    ticker="failure",
    settings=RuleSettings(category="ETL"),
    states=(StateType.FAILED, StateType.CRASHED),
)
SLOW = Hook(kind=HookKind.SLOW, ticker="load: slow", task="load", seconds=30)


def watched(name: str = "etl", deployment: UUID | None = None, hook: Hook = FAILURE) -> Rule:
    return rule_of(name, deployment, "nightly" if deployment else "", hook.settings)


def ended(engine: Engine, rule: Rule, run: Run, hook: Hook = FAILURE) -> list[int]:
    """Record the end of a run as its hook does; returns the events that it opens."""
    observation = observe(hook, EndedRun(f"{rule.name}, run {run.name}", run))
    assert observation is not None
    return record(engine, rule, run, [observation], now=run.state_at).opened


def test_a_flow_has_an_identity_for_its_own_runs_and_one_for_each_deployment() -> None:
    found = [identity_of("etl", None), identity_of("load", None), identity_of("etl", NIGHTLY)]
    assert len(set(found)) == 3
    assert identity_of("renamed", NIGHTLY) == identity_of("etl", NIGHTLY)
    assert str(identity_of("etl", None)) == "938650da-87a7-5238-8840-43b5745968ab"  # on record


@pytest.mark.parametrize(("deployment", "name"), [(None, "etl"), (NIGHTLY, "etl/nightly")])
def test_the_rule_of_a_flow_is_named_after_it_and_its_deployment(
    deployment: UUID | None, name: str
) -> None:
    rule = watched("etl", deployment)
    assert (rule.name, rule.flow_name, rule.trigger) == (name, "etl", WATCHED)
    assert (rule.active, rule.settings) == (False, FAILURE.settings)
    assert deployment_of(rule.parameters) == deployment


def test_the_hooks_of_a_flow_are_kept_side_by_side_and_in_their_newest_form(engine: Engine) -> None:
    for hook in (FAILURE, SLOW, SLOW.model_copy(update={"seconds": 60.0})):
        register(engine, watched(), hook, NOW)
    register(engine, watched(deployment=NIGHTLY), FAILURE, NOW)
    found = watched_rows(engine)
    assert [row["name"] for row in found] == ["etl", "etl/nightly"]
    assert hooks_of(found[0]) == [FAILURE, SLOW.model_copy(update={"seconds": 60.0})]
    assert deployment_of(found[0]["parameters"]) is None
    assert deployment_of(found[1]["parameters"]) == NIGHTLY
    assert watched_row(engine, identity_of("etl", NIGHTLY)) == found[1]


def test_only_rules_of_watched_flows_are_found(engine: Engine) -> None:
    priced = a_rule()
    rules.sync(engine, [priced], NOW)
    assert watched_rows(engine) == []
    assert watched_row(engine, priced.deployment_id) is None
    register(engine, watched(), FAILURE, NOW)
    assert watched_row(engine, identity_of("other", None)) is None
    [row] = watched_rows(engine)
    assert rule_of_row(row, FAILURE) == Rule(
        identity_of("etl", None),
        "etl",
        "etl",
        FAILURE.settings,
        trigger=WATCHED,
        parameters=row["parameters"],
        active=False,
    )


def test_a_hook_of_a_newer_sentinel_is_left_out(engine: Engine) -> None:
    register(engine, watched(), FAILURE, NOW)
    [row] = watched_rows(engine)
    more = {**row["parameters"]["hooks"], "drift": {"kind": "drift", "ticker": "drift"}}
    with writing(engine) as connection:
        changed = update(RULE).values(parameters={**row["parameters"], "hooks": more})
        connection.execute(changed)
    assert hooks_of(watched_rows(engine)[0]) == [FAILURE]


def test_a_flow_of_the_same_name_as_a_rule_is_refused(engine: Engine) -> None:
    taken = Rule(UUID(int=1), "etl", "etl", RuleSettings(), trigger="price-surge")
    rules.sync(engine, [taken], NOW)
    with pytest.raises(SentinelError) as refused:
        register(engine, watched(), FAILURE, NOW)
    assert str(refused.value) == (
        "the flow etl has the same name as a rule on record, so its hooks record nothing: "
        "rename the flow"
    )
    assert watched_rows(engine) == []


def test_rules_without_a_deployment_say_what_they_are(engine: Engine) -> None:
    register(engine, watched(), FAILURE, NOW)
    rules.sync(engine, [a_rule(), system_rule.rule(a_rule().settings.notify)], NOW)
    kinds = {row["name"]: kind_without_deployment(row) for row in rows(engine, "alert_rule")}
    assert kinds == {"etl": "hook", "aapl-price-surge": None, "sentinel-notifications": "built-in"}


def test_the_runs_of_an_ended_event_are_those_that_breached_the_newest_first(
    engine: Engine,
) -> None:
    etl = watched()
    register(engine, etl, FAILURE, NOW)
    failed = [a_run(minute, "FAILED") for minute in (0, 10)]
    [event] = ended(engine, etl, failed[0])
    assert ended(engine, etl, failed[1]) == []
    assert runs_of_ended_events(engine, T0) == []  # it is open
    ended(engine, etl, a_run(20))
    [priced] = record_priced(engine)
    resolve(engine, [priced], by="ana", now=at(21))
    assert runs_of_ended_events(engine, T0) == [[failed[1].id, failed[0].id]]
    [row] = rows(engine, "alert_event", id=event)
    assert runs_of_ended_events(engine, row["resolved_at"]) != []
    assert runs_of_ended_events(engine, row["resolved_at"] + timedelta(seconds=1)) == []


def record_priced(engine: Engine) -> list[int]:
    """An event of a rule that is no watched flow's."""
    return told(engine, a_rule(), a_run(1), [fired()], at(1)).opened


def test_the_latest_breach_is_the_newest_one_of_that_series_and_flow(engine: Engine) -> None:
    etl, nightly = watched(), watched(deployment=NIGHTLY)
    for rule in (etl, nightly):
        register(engine, rule, FAILURE, NOW)
    ended(engine, etl, a_run(0, "FAILED"))
    newest = a_run(10, "CRASHED")
    ended(engine, etl, newest)
    ended(engine, etl, a_run(20))
    ended(engine, nightly, a_run(30, "FAILED"))
    [row] = rows(engine, "evaluation", prefect_flow_run_id=newest.id)
    with reading(engine) as connection:
        assert row["metadata"]
        assert latest_breach(connection, etl.deployment_id, "failure") == row["metadata"]
        assert latest_breach(connection, etl.deployment_id, "load: slow") == {}


def named(settings: dict[str, Any], **hook: Any) -> Hook:
    """A hook that takes what it does not say itself from the rule `team`."""
    own = RuleSettings.model_validate(settings)
    given = tuple(settings)
    return Hook(
        kind=HookKind.FAILURE, ticker="failure", rule="team", settings=own, given=given, **hook
    )


def a_team_rule(engine: Engine, **parameters: Any) -> None:
    rule = Rule(
        UUID(int=2), "team", "price-surge", RuleSettings(), trigger="x", parameters=parameters
    )
    rules.sync(engine, [rule], NOW)


def test_a_hook_without_a_rule_keeps_its_own_settings(engine: Engine) -> None:
    assert with_settings_of_rule(engine, FAILURE) is FAILURE


def test_a_hook_takes_routes_and_policy_of_the_rule_it_names_unless_it_has_its_own(
    engine: Engine,
) -> None:
    routes = {"high": ["slack-incoming-webhook/ops"]}
    a_team_rule(
        engine,
        notify=routes,
        policy={"breaches": 2},
        runbook="docs/team.md",
        importance="low",
        category="Ignored",
    )
    taken = with_settings_of_rule(engine, named({"runbook": "docs/own.md"})).settings
    assert taken.notify == Routes.model_validate(routes)
    assert taken.policy == Policy.model_validate({"breaches": 2, "flapping": None})
    assert taken.runbook == "docs/own.md"
    assert (taken.importance, taken.category) == (
        RuleSettings().importance,
        RuleSettings().category,
    )


def test_a_hook_that_names_a_rule_nobody_has_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(SentinelError) as missing:
        with_settings_of_rule(engine, named({}))
    assert str(missing.value) == (
        "there is no rule 'team' on record, so its routes and policy don't apply: correct `rule=` "
        "at the hook, or deploy the rule"
    )
    register(engine, watched("team"), FAILURE, NOW)  # a watched flow is no rule to take from
    with pytest.raises(SentinelError):
        with_settings_of_rule(engine, named({}))


def test_a_hook_that_names_a_rule_whose_settings_can_t_be_read_says_so(engine: Engine) -> None:
    a_team_rule(engine, policy={"breaches": 0})
    with pytest.raises(SentinelError) as unreadable:
        with_settings_of_rule(engine, named({}))
    assert str(unreadable.value) == (
        "the routes and policy of the rule 'team' can't be read, so they don't apply: "
        "policy.breaches: Input should be greater than or equal to 1; "
        "correct the rule and deploy it"
    )
