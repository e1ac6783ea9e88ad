"""Which rules use which channels: by Prefect's deployments, or by the store's memory of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from pydantic import ValidationError
from sqlalchemy import Engine

from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.routing import Route, Routes
from sentinel_core.model.rule import RuleSettings
from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.prefect_io.facts import is_rule, rule_facts, rule_settings
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.watched import effective, hooks_of, watched_rows


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a rule (or another deployment) names a channel."""

    channel: str
    rule: str
    when: str
    to: str = ""


def deployed_uses(client: SyncPrefectClient) -> list[Use]:
    """The channels that the deployments in Prefect name."""
    found: list[Use] = []
    for deployment, flow_name in all_deployments(client):
        if is_rule(deployment):
            rule = rule_facts(deployment, flow_name)
            found += uses(rule.name, rule.settings)
        else:
            found += plain_uses(clean_text(deployment.name), deployment.parameters)
    return found


def remembered_uses(engine: Engine) -> list[Use]:
    """The channels that active rules named when the event store last recorded them."""
    return [
        use
        for row in all_rules(engine)
        if row["is_active"]
        for use in uses(row["name"], rule_settings(row["parameters"] or {}, {}))
    ]


def watched_uses(engine: Engine) -> list[Use]:
    """The channels that the hooks of watched flows name, or the rules that these hooks name."""
    return [
        use
        for row in watched_rows(engine)
        for hook in hooks_of(row)
        for use in uses(f"{row['name']}: {hook.ticker}", effective(engine, hook).settings)
    ]


def uses(name: str, settings: RuleSettings) -> Iterator[Use]:
    """Every channel of a rule, with the importance or step that uses it."""
    yield from _routed(name, settings.notify)
    for importance in reversed(Importance):
        for number, step in enumerate(settings.escalation.steps(importance), start=1):
            for route in step.channels:
                yield _use(name, route, f"{importance.value} step {number}")


def plain_uses(name: str, parameters: Mapping[str, Any]) -> Iterator[Use]:
    """The channels of a flow that is no rule: its parameter `notify`, by importance or a list."""
    given = parameters.get("notify") or {}
    try:
        if not isinstance(given, list):
            yield from _routed(name, Routes.model_validate(given))
            return
        # A list is notified of everything, at any importance.
        for route in Routes.model_validate({"low": given}).routes(Importance.LOW):
            yield _use(name, route, "all")
    except ValidationError:
        return


def _routed(name: str, routes: Routes) -> Iterator[Use]:
    for importance in reversed(Importance):
        for route in routes.routes(importance):
            yield _use(name, route, importance.value)


def _use(name: str, route: Route, when: str) -> Use:
    return Use(route.channel, name, when, route.recipient)
