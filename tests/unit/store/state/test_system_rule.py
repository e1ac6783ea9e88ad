"""Sentinel's own rules on record: what is known of channels that fail."""

from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.model.alert import Importance
from sentinel_core.model.routing import Routes
from sentinel_core.store.state import system_rule
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)
OPS = {"high": ["slack-incoming-webhook/ops"]}


def test_the_rule_of_channels_tells_of_their_recovery_too() -> None:
    routes = Routes.model_validate(OPS)
    rule = system_rule.rule(routes)
    assert (rule.deployment_id, rule.name, rule.flow_name) == (
        system_rule.DEPLOYMENT_ID,
        "sentinel-notifications",
        "deliver",
    )
    settings = rule.settings
    assert (settings.importance, settings.category) == (Importance.HIGH, "System")
    assert (settings.notify, settings.policy.notify_resolved) == (routes, True)
    assert (rule.tags, rule.description) == (
        ("sentinel",),
        "Notification channels that do not take messages.",
    )


def test_channels_are_known_by_their_failures_and_whether_they_still_fail(engine: Engine) -> None:
    rule = system_rule.rule(Routes())
    assert system_rule.known_channels(engine) == {}
    fire(engine, rule, NOON - MINUTE, ticker="an alert is no failure")
    observe(engine, rule, a_run(NOON, "FAILED"))
    observe(engine, a_rule("other"), a_run(NOON + MINUTE, "FAILED"))
    assert system_rule.known_channels(engine) == {"": (True, NOON)}
    calm(engine, rule, NOON + 2 * MINUTE)
    assert system_rule.known_channels(engine) == {"": (False, NOON + 2 * MINUTE)}
