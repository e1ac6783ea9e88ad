"""What a rule may say besides what it measures."""

from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from sentinel_core.model.attempts import Attempts
from sentinel_core.model.condition import YEAR_SECONDS
from sentinel_core.model.reaction import Occasion
from sentinel_core.model.routing import Route, Routes
from sentinel_core.model.rule import Flapping, Inhibition, Meaning, Policy, RuleSettings, Stale
from sentinel_core.prefect_io.facts import rule_settings


def test_a_channel_named_twice_hears_once_and_the_order_is_kept() -> None:
    routes = Routes(high=["slack-webhook/b", "slack-webhook/a", "slack-webhook/b"])
    assert routes.channels(Importance.HIGH) == ["slack-webhook/b", "slack-webhook/a"]


@pytest.mark.parametrize("importance", Importance)
def test_what_no_route_names_is_told_to_nobody(importance: Importance) -> None:
    assert Routes().channels(importance) == []


@pytest.mark.parametrize(
    "slug",
    ["", "alerts", "slack-webhook/", "/alerts", "slack webhook/a", "Slack/a", "a/b/c", "a/b\n"],
)
def test_a_channel_is_named_by_block_type_and_block_name(slug: str) -> None:
    with pytest.raises(ValidationError, match="high"):
        Routes(high=[slug])


def test_an_importance_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="urgent"):
        Routes.model_validate({"urgent": []})


def test_the_settings_are_found_among_all_parameters() -> None:
    parameters = {"check": {"ticker": "AAPL"}, "importance": "high", "notify": {"high": ["a/b"]}}
    found = RuleSettings.model_validate(parameters)
    assert (found.importance, found.notify.high) == (Importance.HIGH, [Route(channel="a/b")])
    assert (found.category, found.display_duration_minutes) == ("General", 1440)


def test_a_setting_left_out_is_the_flows_default() -> None:
    schema = {"properties": {"importance": {"default": "critical"}, "runbook": {"default": None}}}
    assert rule_settings({}, schema).importance is Importance.CRITICAL
    assert rule_settings({"importance": "low"}, schema).importance is Importance.LOW
    assert rule_settings({"importance": None}, schema).importance is Importance.CRITICAL


def test_a_setting_that_is_wrong_does_not_keep_a_run_from_being_recorded() -> None:
    wrong = {"importance": "urgent", "category": "Market", "notify": {"high": ["nowhere"]}}
    found = rule_settings(wrong, {})
    assert (found.importance, found.category) == (Importance.MEDIUM, "Market")
    assert found.notify == Routes()


def test_text_from_the_rule_file_is_clean() -> None:
    found = RuleSettings.model_validate({"category": "a\0b", "runbook": "\ud800"})
    assert (found.category, found.runbook) == ("a\ufffdb", "\ufffd")


# -- policy --------------------------------------------------------------------------------

DEFAULTS: dict[str, Any] = {
    "breaches": 1,
    "of_last": None,
    "recoveries": 1,
    "keep_firing_seconds": 0,
    "cooldown_seconds": 0,
    "max_notifications_per_hour": None,
    "repeat_seconds": None,
    "expire_seconds": None,
    "notify_resolved": False,
    "sticky_acknowledgement": False,
    "on_error": "event",
    "errors": 1,
    "on_no_data": "event",
    "no_data": 1,
    "on_missing": "keep",
    "flapping": {"start_percent": 30, "stop_percent": 25},
    "grace_seconds": None,
    "stale_seconds": 120,
    "on_stale": "once",
}


def test_a_policy_nobody_wrote_is_this() -> None:
    assert Policy().model_dump(mode="json") == DEFAULTS
    assert RuleSettings().policy == Policy()


EDGES: dict[str, tuple[list[Any], list[Any]]] = {
    "breaches": ([1, 1000], [0, 1001, 1.5]),
    "of_last": ([2, 100, None], [1, 101]),
    "recoveries": ([1, 1000], [0, 1001]),
    "keep_firing_seconds": ([0, 0.5, YEAR_SECONDS], [-1, YEAR_SECONDS + 1, "inf", "nan"]),
    "cooldown_seconds": ([0, 0.5, YEAR_SECONDS], [-1, YEAR_SECONDS + 1, "inf", "nan"]),
    "max_notifications_per_hour": ([1, 1000, None], [0, 1001]),
    "repeat_seconds": ([0.5, YEAR_SECONDS, None], [0, YEAR_SECONDS + 1, "nan"]),
    "expire_seconds": ([0.5, YEAR_SECONDS, None], [0, YEAR_SECONDS + 1]),
    "notify_resolved": ([True, False], ["perhaps"]),
    "sticky_acknowledgement": ([True, False], ["perhaps"]),
    "on_error": (list(Meaning), ["ignore", None]),
    "errors": ([1, 1000], [0, 1001]),
    "on_no_data": (list(Meaning), ["ignore", None]),
    "no_data": ([1, 1000], [0, 1001]),
    "on_missing": (list(Meaning), ["ignore", None]),
    "flapping": (
        [None, {}, {"start_percent": 100, "stop_percent": 0}, {"start_percent": 25}],
        [
            {"start_percent": 0},
            {"start_percent": 101},
            {"stop_percent": -1},
            {"start_percent": 24.9},
            {"start": 30},
        ],
    ),
    "grace_seconds": ([0.5, YEAR_SECONDS, None], [0, YEAR_SECONDS + 1]),
    "stale_seconds": ([0.5, YEAR_SECONDS, None], [0, YEAR_SECONDS + 1]),
    "on_stale": (list(Stale), ["never", None]),
}


def test_every_field_of_a_policy_has_its_edges_tested() -> None:
    assert set(EDGES) == set(Policy.model_fields) == set(DEFAULTS)


@pytest.mark.parametrize("name", EDGES)
def test_a_policy_takes_what_makes_sense_and_nothing_else(name: str) -> None:
    allowed, refused = EDGES[name]
    for value in allowed:
        Policy.model_validate({name: value})
    for value in refused:
        with pytest.raises(ValidationError, match=name):
            Policy.model_validate({name: value})


def test_more_breaches_than_the_window_holds_are_refused() -> None:
    assert Policy(breaches=3, of_last=3).of_last == 3
    with pytest.raises(ValidationError, match=r"4 breaches of the last 3 can't be"):
        Policy(breaches=4, of_last=3)


def test_flapping_that_would_stop_before_it_starts_is_refused() -> None:
    assert Flapping(start_percent=20, stop_percent=20).stop_percent == 20
    with pytest.raises(ValidationError, match="flapping would stop before it starts"):
        Flapping(start_percent=20, stop_percent=20.1)


def test_a_setting_of_a_policy_that_is_misspelt_is_refused() -> None:
    with pytest.raises(ValidationError, match="cooldown"):
        Policy.model_validate({"cooldown": 60})


# -- inhibition ----------------------------------------------------------------------------


def test_a_plain_name_inhibits_for_the_same_ticker() -> None:
    found = RuleSettings.model_validate(
        {"inhibits": ["price-*", {"rule": "disk", "same_ticker": False}]}
    )
    assert found.inhibitions == (
        Inhibition(rule="price-*", same_ticker=True),
        Inhibition(rule="disk", same_ticker=False),
    )
    assert RuleSettings().inhibitions == ()


@pytest.mark.parametrize("wrong", [{"rule": ""}, {"rule": "a" * 201}, {"rule": "a", "for": 1}, {}])
def test_an_inhibition_names_a_rule(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Inhibition.model_validate(wrong)


def test_a_rule_inhibits_at_most_a_hundred_others() -> None:
    assert len(RuleSettings.model_validate({"inhibits": ["a"] * 100}).inhibitions) == 100
    with pytest.raises(ValidationError):
        RuleSettings.model_validate({"inhibits": ["a"] * 101})


def test_a_rules_conditions_come_as_they_are_written() -> None:
    found = RuleSettings.model_validate({"conditions": [{"op": "gt", "value": 3}]})
    assert [condition.model_dump()["value"] for condition in found.conditions] == [3]


@pytest.mark.parametrize("minutes", [0, 525_601])
def test_a_display_of_no_time_or_more_than_a_year_is_refused(minutes: int) -> None:
    with pytest.raises(ValidationError):
        RuleSettings(display_duration_minutes=minutes)


# -- what each route is notified of --------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "policy", "wanted"),
    [
        ({}, None, None),
        ({}, 600, 600),
        ({"repeat_seconds": 300}, None, 300),
        ({"repeat_seconds": 300}, 600, 300),
        ({"reminders": False}, 600, None),
        ({"reminders": False, "repeat_seconds": 300}, None, None),
    ],
)
def test_a_route_gets_reminders_at_its_own_pace_or_at_the_policys(
    route: dict[str, Any], policy: float | None, wanted: float | None
) -> None:
    settings = RuleSettings(policy=Policy(repeat_seconds=policy))
    found = Route(channel="slack-webhook/a", **route)
    assert settings.wants_reminder(found) is (wanted is not None)
    if wanted is not None:
        assert settings.repeat_of(found) == wanted


@pytest.mark.parametrize(
    ("channel", "said", "wanted"),
    [
        ("slack-webhook/a", None, False),
        ("slack-webhook/a", True, True),
        ("pager-duty-webhook/a", None, True),
        ("pager-duty-webhook/a", False, False),
    ],
)
def test_incidents_hear_of_an_acknowledgement_unless_their_route_says_otherwise(
    channel: str, said: bool | None, wanted: bool
) -> None:
    assert RuleSettings.wants_acknowledgement(Route(channel=channel, acknowledged=said)) is wanted


@pytest.mark.parametrize("occasion", Occasion)
def test_a_rule_reacts_to_the_change_that_its_reactions_name(occasion: Occasion) -> None:
    rule = RuleSettings.model_validate({f"on_{occasion}": [{"run": "retrain/churn"}]})
    assert [r.run for r in rule.reactions(occasion)] == ["retrain/churn"]
    others = [rule.reactions(other) for other in Occasion if other is not occasion]
    assert others == [()] * len(others)


def test_a_rules_own_attempts_are_those_of_its_settings() -> None:
    rule = RuleSettings(timeout_seconds=90, retries=2, retry_delay_seconds=5)
    assert rule.attempts == Attempts(timeout_seconds=90, retries=2, retry_delay_seconds=5)
    assert RuleSettings().attempts == Attempts()
