"""What a rule may say besides what it measures."""

import pytest
from pydantic import ValidationError

from sentinel_core.alert import Importance
from sentinel_core.prefect_runs import rule_settings
from sentinel_core.rule import Routes, RuleSettings


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
    assert (found.importance, found.notify.high) == (Importance.HIGH, ["a/b"])
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
