"""Who hears of what, as a rule's author writes it: short forms, long forms, and nonsense."""

import json
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import is_valid_schema, validate
from pydantic import ValidationError

from sentinel_core.flow.rule_flow import rule_flow
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import is_step
from sentinel_core.model.routing import (
    Escalation,
    EscalationStep,
    Route,
    Routes,
    StormLimit,
    Suggestion,
    suggested_action,
)
from sentinel_core.model.rule import RuleSettings
from triggers.system.disk_usage import DiskUsage

HOOK, MAIL = "slack-incoming-webhook/ops", "email-server-credentials/mail"
HIGH = Importance.HIGH


def settings(**written: Any) -> RuleSettings:
    """A rule's settings as a flow gets them: what came through JSON."""
    return RuleSettings.model_validate(json.loads(json.dumps(written)))


# -- forms -----------------------------------------------------------------------------------

SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a slug is a route with the defaults": (
        {"notify": {"high": [HOOK]}},
        {"notify": {"high": [{"channel": HOOK}]}},
    ),
    "a slug and a longer form may stand side by side": (
        {"notify": {"high": [HOOK, {"channel": MAIL, "to": "a@example.org"}]}},
        {"notify": {"high": [{"channel": HOOK}, {"channel": MAIL, "to": ["a@example.org"]}]}},
    ),
    "several addresses may be one text": (
        {"notify": {"high": [{"channel": MAIL, "to": "a@example.org, b@example.org"}]}},
        {"notify": {"high": [{"channel": MAIL, "to": ["a@example.org", "b@example.org"]}]}},
    ),
    "a list of steps counts for every importance": (
        {"escalation": [{"after_seconds": 60, "channels": [HOOK]}]},
        {
            "escalation": {
                importance.value: [{"after_seconds": 60, "channels": [HOOK]}]
                for importance in Importance
            }
        },
    ),
    "suggestions may be pattern and action": (
        {"suggestions": {"timeout": "Raise the timeout."}},
        {"suggestions": [{"pattern": "timeout", "action": "Raise the timeout."}]},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_the_short_form_means_the_long_one(name: str) -> None:
    short, long = SAME[name]
    assert settings(**short) == settings(**long)
    assert settings(**short) != RuleSettings()


@pytest.mark.parametrize("name", SAME)
def test_what_was_read_can_be_written_and_read_again(name: str) -> None:
    read = settings(**SAME[name][0])
    assert RuleSettings.model_validate_json(read.model_dump_json()) == read


def test_a_channel_is_told_once_for_each_recipient_in_the_order_written() -> None:
    mail = {"channel": MAIL, "to": "a@example.org"}
    routes = Routes.model_validate({"high": [mail, HOOK, {**mail, "to": "b@example.org"}, mail]})
    told = [(route.channel, route.recipient) for route in routes.routes(HIGH)]
    assert told == [(MAIL, "a@example.org"), (HOOK, ""), (MAIL, "b@example.org")]
    assert routes.channels(HIGH) == [MAIL, HOOK]


def test_each_address_of_a_route_is_told_by_itself() -> None:
    both = {"channel": MAIL, "to": "a@example.org, b@example.org"}
    routes = Routes.model_validate({"high": [both, {**both, "to": "a@example.org"}, HOOK]})
    told = [(route.channel, route.recipient) for route in routes.routes(HIGH)]
    assert told == [(MAIL, "a@example.org"), (MAIL, "b@example.org"), (HOOK, "")]


# -- nonsense --------------------------------------------------------------------------------

STEP = {"after_seconds": 60, "channels": [HOOK]}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "email without an address": ({"notify": {"high": [MAIL]}}, "needs the email addresses"),
    "and so in the longer form": (
        {"notify": {"high": [{"channel": MAIL, "to": []}]}},
        "needs the email addresses",
    ),
    "a Slack bot without a channel": (
        {"notify": {"high": ["slack-credentials/bot"]}},
        "needs the Slack channel",
    ),
    "a Slack bot with two": (
        {"notify": {"high": [{"channel": "slack-credentials/bot", "to": "#a,#b"}]}},
        "one Slack channel for each route",
    ),
    "an address with a line break": (
        {"notify": {"high": [{"channel": MAIL, "to": ["a@example.org\nBcc: b@example.org"]}]}},
        "String should match pattern",
    ),
    "an empty address": (
        {"notify": {"high": [{"channel": MAIL, "to": "a@example.org,,"}]}},
        "at least 1 character",
    ),
    "a key nobody knows": (
        {"notify": {"high": [{"channel": HOOK, "resolve": True}]}},
        "Extra inputs are not permitted",
    ),
    "an importance nobody knows": ({"notify": {"urgent": [HOOK]}}, "Extra inputs"),
    "a route without a channel": ({"notify": {"high": [{"to": "a"}]}}, "Field required"),
    "a channel that is no slug": ({"notify": {"high": [{"channel": "ops"}]}}, "match pattern"),
    "a number for a channel": ({"notify": {"high": [7]}}, "high.0"),
    "a list for a channel": ({"notify": {"high": [[HOOK]]}}, "high.0"),
    "a wait that never ends": (
        {"notify": {"high": [{"channel": HOOK, "group_wait_seconds": 1e9}]}},
        "less than or equal to 3600",
    ),
    "a wait that is negative": (
        {"notify": {"high": [{"channel": HOOK, "group_interval_seconds": -1}]}},
        "greater than or equal to 0",
    ),
    "a group by something else": (
        {"notify": {"high": [{"channel": HOOK, "group_by": ["colour"]}]}},
        "Input should be 'rule'",
    ),
    "a storm of one event": (
        {"notify": {"high": [{"channel": HOOK, "storm": {"events": 1}}]}},
        "greater than or equal to 2",
    ),
    "steps out of order": (
        {"escalation": [STEP, {**STEP, "after_seconds": 30}]},
        "are not in order",
    ),
    "two steps at once": ({"escalation": [STEP, STEP]}, "are not in order"),
    "a step at once": ({"escalation": [{**STEP, "after_seconds": 0}]}, "greater than 0"),
    "a step for nobody": ({"escalation": [{**STEP, "channels": []}]}, "at least 1 item"),
    "a step by email without an address": (
        {"escalation": [{**STEP, "channels": [MAIL]}]},
        "needs the email addresses",
    ),
    "too many steps": (
        {"escalation": [{**STEP, "after_seconds": n} for n in range(1, 22)]},
        "at most 20 items",
    ),
    "a pattern that is no regular expression": (
        {"suggestions": {"(": "Close it."}},
        "not a regular expression",
    ),
    "a pattern that may take for ever": (
        {"suggestions": {"(a+)+$": "Wait."}},
        "a repetition inside a repetition",
    ),
    "and so with a number of times": (
        {"suggestions": {"(x*){2,}": "Wait."}},
        "a repetition inside a repetition",
    ),
    "a pattern of nothing": ({"suggestions": {"": "Look."}}, "at least 1 character"),
    "a suggestion without an action": ({"suggestions": [{"pattern": "a"}]}, "Field required"),
    "more suggestions than anybody reads": (
        {"suggestions": {f"a{n}": "b" for n in range(101)}},
        "at most 100 items",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_and_says_why(name: str) -> None:
    written, why = REFUSED[name]
    with pytest.raises(ValidationError) as refused:
        settings(**written)
    found = "; ".join(
        f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in refused.value.errors()
    )
    assert why in found


# -- what Prefect makes of it ----------------------------------------------------------------

SCHEMA = rule_flow(DiskUsage).parameters.model_dump_for_openapi()


def errors_of(written: dict[str, Any]) -> list[str]:
    """What Prefect's API says of these parameters when the rule is deployed."""
    found = validate(written, SCHEMA, raise_on_error=False, ignore_required=True)
    return [error.message for error in found]


def test_the_flow_of_a_rule_has_a_form() -> None:
    is_valid_schema(SCHEMA)
    assert {"notify", "escalation", "suggestions", "templates"} <= set(SCHEMA["properties"])


@pytest.mark.parametrize("name", SAME)
def test_prefect_takes_both_forms(name: str) -> None:
    assert [errors_of(form) for form in SAME[name]] == [[], []]


@pytest.mark.parametrize(
    "name",
    [
        "a key nobody knows",
        "an importance nobody knows",
        "a channel that is no slug",
        "a number for a channel",
        "a wait that never ends",
        "a group by something else",
        "a storm of one event",
        "a step at once",
        "a step for nobody",
        "too many steps",
    ],
)
def test_prefect_refuses_what_its_form_can_see(name: str) -> None:
    assert errors_of(REFUSED[name][0])


# -- what is alike ---------------------------------------------------------------------------

EVENT = {"rule_id": 7, "ticker": "AAPL", "category": "Market", "importance": "high", "id": 3}


def key(**how: Any) -> str:
    return Route.model_validate({"channel": HOOK, **how}).group_key(EVENT)


def test_a_group_is_named_by_what_its_events_have_in_common() -> None:
    assert key() == key(group_by=["rule"]) == '{"rule": 7}'
    assert json.loads(key(group_by=["category", "importance"])) == {
        "category": "Market",
        "importance": "high",
    }
    assert key(group_by=["ticker", "rule"]) == key(group_by=["rule", "ticker"])
    assert key(group_by=["channel"]) != ""


def test_where_nothing_is_alike_there_is_no_group() -> None:
    assert key(group_by=[]) == ""
    assert key(channel="pager-duty-webhook/duty", group_by=["rule"]) == "", "each is an incident"


def test_a_ticker_cannot_pass_for_another_group() -> None:
    route = Route(channel=HOOK, group_by=("ticker", "category"))
    odd = {**EVENT, "ticker": 'AAPL", "category": "Market'}
    assert route.group_key(odd) != route.group_key(EVENT)


# -- what a rule wants told ------------------------------------------------------------------

WANTS_END: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "nobody asked": ({}, False, False),
    "the policy asks": ({}, True, True),
    "the route asks": ({"resolved": True}, False, True),
    "the route asks not to": ({"resolved": False}, True, False),
    "an incident": ({"channel": "pager-duty-webhook/duty"}, False, True),
    "an incident that does without": (
        {"channel": "pager-duty-webhook/duty", "resolved": False},
        True,
        False,
    ),
    "a thread": ({"channel": "slack-credentials/bot", "to": "#a"}, False, True),
}


@pytest.mark.parametrize("name", WANTS_END)
def test_the_end_is_told_where_somebody_asked_for_it(name: str) -> None:
    how, policy, expected = WANTS_END[name]
    route = {"channel": HOOK, **how}
    rule = settings(notify={"high": [route]}, policy={"notify_resolved": policy})
    [route_] = rule.notify.routes(HIGH)
    assert rule.wants_end(route_) is expected
    assert rule.effective_policy.notify_resolved is (expected or policy)


def test_a_step_that_pages_asks_for_the_end() -> None:
    paged = {**STEP, "channels": ["pager-duty-webhook/duty"]}
    assert settings(notify={"high": [HOOK]}, escalation=[paged]).effective_policy.notify_resolved
    assert not settings(notify={"high": [HOOK]}, escalation=[STEP]).effective_policy.notify_resolved


PACES: dict[str, tuple[list[dict[str, Any]], float | None, float | None]] = {
    "nobody asked": ([{}], None, None),
    "the policy's": ([{}], 600, 600),
    "the route's": ([{"repeat_seconds": 300}], None, 300),
    "the quickest": ([{"repeat_seconds": 900}, {"repeat_seconds": 300}], 600, 300),
    "a slower route leaves the policy as it is": ([{"repeat_seconds": 900}], 600, 600),
    "a route without reminders asks for none": (
        [{"repeat_seconds": 300, "reminders": False}],
        None,
        None,
    ),
}


@pytest.mark.parametrize("name", PACES)
def test_reminders_are_decided_on_at_the_pace_of_who_wants_them_most(name: str) -> None:
    routes, policy, expected = PACES[name]
    high = [{"channel": f"slack-webhook/n{n}", **how} for n, how in enumerate(routes)]
    rule = settings(notify={"high": high}, policy={"repeat_seconds": policy})
    assert rule.effective_policy.repeat_seconds == expected


def test_the_defaults_group_by_rule_and_storm_at_fifty_in_a_minute() -> None:
    route = Route(channel=HOOK)
    assert (route.group_by, route.storm) == (("rule",), StormLimit(events=50, window_seconds=60))
    assert (route.reminders, route.resolved, route.acknowledged) == (True, None, None)
    assert Escalation().steps(HIGH) == ()
    assert EscalationStep(after_seconds=1, channels=[route]).channels == [route]


# -- suggestions -----------------------------------------------------------------------------


def test_the_first_pattern_that_is_found_says_what_to_do() -> None:
    written = settings(
        suggestions={"401|403": "Check the credentials.", "time ?out": "Raise the timeout."}
    ).suggestions
    assert suggested_action(written, "HTTP 403 after a timeout") == "Check the credentials."
    assert suggested_action(written, "Timeout after 5 s") == "Raise the timeout."
    assert suggested_action(written, "connection refused") is None
    assert suggested_action((), "timeout") is None


def test_an_action_is_clean_text() -> None:
    [suggestion] = (Suggestion(pattern="a", action="look\x00 here\x1b[31m"),)
    action = suggested_action((suggestion,), "a")
    assert action is not None
    assert not {"\x00", "\x1b"} & set(action)


@pytest.mark.parametrize(
    ("reason", "step"), [("step-1", True), ("step-20", True), ("opened", False), ("", False)]
)
def test_the_reason_of_an_escalation_step_is_recognised(reason: str, step: bool) -> None:
    assert is_step(reason) is step
