"""What reconcile does for the hooks of watched flows without asking Prefect."""

from uuid import UUID

from sqlalchemy import Engine

from sentinel_core.decide.watch import EndedRun, observe
from sentinel_core.flow.watched import keep_up_hooks
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, StateType
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.recording import record
from sentinel_core.store.state import rules
from sentinel_core.store.state.watched import register, rule_of
from tests.support.runs import NOW, a_run, at, rows

ROUTES = Routes.model_validate({"medium": ["slack-incoming-webhook/ops"]})


def test_an_acknowledgement_ends_in_time_though_the_hook_names_a_rule_that_can_t_be_read(
    store: Engine,
) -> None:
    broken = Rule(
        UUID(int=2),
        "team",
        "x",
        RuleSettings(),
        trigger="x",
        parameters={"policy": {"breaches": 0}},
    )
    rules.sync(store, [broken], NOW)
    hook = Hook(
        kind=HookKind.FAILURE,
        ticker="failure",
        rule="team",
        settings=RuleSettings(notify=ROUTES),
        given=("notify",),
        states=(StateType.FAILED,),
    )
    etl, run = rule_of("etl", None, "", hook.settings), a_run(0, "FAILED")
    register(store, etl, hook, NOW)
    seen = observe(hook, EndedRun("etl, run x", run))
    assert seen is not None
    [event] = record(store, etl, run, [seen], now=at(0)).opened
    acknowledge(store, [event], by="ana", now=at(1), until=at(10))
    keep_up_hooks(store, at(9))
    assert [row["acknowledged_by"] for row in rows(store, "alert_event")] == ["ana"]
    keep_up_hooks(store, at(11))
    assert [row["acknowledged_by"] for row in rows(store, "alert_event")] == [None]
