"""Which rules and hooks name which channels."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.notify.uses import Use, plain_uses, remembered_uses, uses, watched_uses
from sentinel_core.store.state.rules import deactivate_missing, sync
from sentinel_core.store.state.watched import register, rule_of
from tests.support.runs import NOW, a_rule

SLACK, EMAIL = "slack-incoming-webhook/x", "email-server-credentials/y"
TO_ANN = {"channel": EMAIL, "to": "ann@example.org"}


def on_record(name: str, *routes: Any) -> Rule:
    """A rule whose parameters, which the record keeps, name these routes."""
    return replace(a_rule(name), parameters={"notify": {"high": list(routes)}})


def test_a_rule_names_channels_by_importance_and_by_step_the_most_important_first() -> None:
    settings = RuleSettings.model_validate(
        {
            "notify": {"low": [SLACK], "critical": [SLACK, TO_ANN]},
            "escalation": {"high": [{"after_seconds": 60, "channels": [TO_ANN]}]},
        }
    )
    found = list(uses("prices", settings))
    assert Use(SLACK, "prices", "low") in found
    assert Use(EMAIL, "prices", "critical", "ann@example.org") in found
    assert Use(EMAIL, "prices", "high step 1", "ann@example.org") in found
    assert {use.rule for use in found} == {"prices"}
    whens = [use.when for use in found if "step" not in use.when]
    assert whens == sorted(whens, key=["critical", "high", "medium", "low"].index)


def test_a_rule_without_channels_names_none() -> None:
    assert list(uses("prices", RuleSettings())) == []


def test_flows_that_are_no_rules_name_channels_in_either_form() -> None:
    assert list(plain_uses("report", {"notify": [SLACK, TO_ANN]})) == [
        Use(SLACK, "report", "all"),
        Use(EMAIL, "report", "all", "ann@example.org"),
    ]
    [routed] = plain_uses("deliver", {"notify": {"high": [TO_ANN]}})
    assert routed == Use(EMAIL, "deliver", "high", "ann@example.org")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        *({"notify": given} for given in (None, "me", ["me"], {"a": 1}, {"high": [{"to": "ann"}]})),
    ],
)
def test_what_cannot_be_routes_names_no_channel(parameters: dict[str, Any]) -> None:
    assert list(plain_uses("other", parameters)) == []


def test_of_the_rules_on_record_those_that_are_gone_name_no_channel(engine: Engine) -> None:
    stays, goes = on_record("stays", SLACK), on_record("goes", SLACK)
    sync(engine, [stays, goes], NOW)
    assert {use.rule for use in remembered_uses(engine)} == {"stays", "goes"}
    deactivate_missing(engine, [stays.deployment_id])
    found = remembered_uses(engine)
    assert Use(SLACK, "stays", "high") in found
    assert {use.rule for use in found} == {"stays"}


def test_a_hook_names_its_own_channels_or_those_of_the_rule_it_takes_them_from(
    store: Engine,
) -> None:
    sync(store, [on_record("the-rule", TO_ANN)], NOW)
    own = RuleSettings.model_validate({"notify": {"high": [SLACK]}})
    hooks = (
        Hook(kind=HookKind.FAILURE, ticker="nightly", settings=own),
        Hook(kind=HookKind.CRASH, ticker="nightly-crash", rule="the-rule"),
        Hook(kind=HookKind.TIMEOUT, ticker="nightly-timeout", rule="no-such-rule", settings=own),
    )
    for hook in hooks:
        register(store, rule_of("nightly", None, "", own), hook, NOW)
    found = watched_uses(store)
    assert Use(SLACK, "nightly: nightly", "high") in found
    assert Use(EMAIL, "nightly: nightly-crash", "high", "ann@example.org") in found
    assert Use(SLACK, "nightly: nightly-timeout", "high") in found  # its runs say what is wrong
    assert not [use for use in found if use.rule.endswith("crash") and use.channel == SLACK]
