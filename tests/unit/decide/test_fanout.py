"""Who is notified: a row for each recipient of a route, for each step, and for those who follow."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.decide.fanout import Fanout, Row, about_row, follow_ups, kept_route, route_of
from sentinel_core.decide.ledger import Notify
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.routing import Route
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from tests.support.runs import at

HOOK, OTHER, PAGER = "custom-webhook/a", "custom-webhook/b", "pager-duty-webhook/desk"
MAIL = {"channel": "email-server-credentials/ops", "to": ["ann@x.org", "bob@x.org"]}
HIGH, LOW = Importance.HIGH, Importance.LOW
SILENCED = Suppression(SuppressionCode.SILENCED, "silenced by ann: moving")


def planned(
    reason: NotifyReason = NotifyReason.OPENED, settings: Any = None, **notify: Any
) -> list[Row]:
    chosen = RuleSettings.model_validate(settings or {"notify": {"high": [HOOK]}})
    rule = Rule(uuid.UUID(int=1), "disk", "flow", chosen)
    return Fanout(rule, 7, at(0)).plan(3, "AAPL", Notify(at(0), HIGH, reason, **notify))


def brief(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [(row["channel"], row["recipient"], row["reason"], row["sequence"]) for row in rows]


def test_a_row_has_every_column_of_a_notification() -> None:
    route = {"channel": HOOK, "group_by": ["rule", "ticker"], "group_wait_seconds": 30}
    settings = {"notify": {"high": [route]}, "category": "Ops"}
    [row] = planned(settings=settings, sequence=2)
    assert row == {
        "about": "",
        "content": {},
        "attempts": 0,
        "unknown": 0,
        "claimed_at": None,
        "event_id": 3,
        "channel": HOOK,
        "recipient": "",
        "reason": "opened",
        "sequence": 2,
        "route": {"group_by": ["rule", "ticker"], "group_wait_seconds": 30.0},
        "group_key": Route.model_validate(route).group_key(
            {"rule_id": 7, "ticker": "AAPL", "category": "Ops", "importance": "high"}
        ),
        "status": "pending",
        "created_at": at(0),
        "next_attempt_at": at(0) + timedelta(seconds=30),
        "last_error": None,
        "dropped_code": None,
    }


@pytest.mark.parametrize("by", ["rule", "ticker", "category", "importance"])
def test_rows_are_grouped_by_what_their_route_says(by: str) -> None:
    settings = {"notify": {"high": [{"channel": HOOK, "group_by": [by]}]}, "category": "Ops"}
    [row] = planned(settings=settings)
    values = {"rule": "7", "ticker": "AAPL", "category": "Ops", "importance": "high"}
    assert values[by] in row["group_key"]


def test_each_address_of_a_route_is_a_recipient_of_its_own() -> None:
    rows = planned(settings={"notify": {"high": [HOOK, MAIL], "low": [OTHER]}})
    assert brief(rows) == [
        (HOOK, "", "opened", 0),
        (MAIL["channel"], "ann@x.org", "opened", 0),
        (MAIL["channel"], "bob@x.org", "opened", 0),
    ]
    assert {row["status"] for row in rows} == {"pending"}
    assert {row["event_id"] for row in rows} == {3}


def test_an_importance_without_a_route_notifies_nobody() -> None:
    assert planned(settings={"notify": {"low": [OTHER]}}) == []


def test_a_suppressed_notification_keeps_the_code_and_the_sentence() -> None:
    [row] = planned(suppression=SILENCED)
    assert (row["status"], row["dropped_code"]) == ("suppressed", "silenced")
    assert row["last_error"] == "silenced by ann: moving"


def test_an_escalated_importance_is_part_of_the_reason() -> None:
    assert brief(planned(NotifyReason.ESCALATED)) == [(HOOK, "", "escalated-high", 0)]


def test_a_route_that_gathers_waits_before_its_first_message() -> None:
    waits = {"channel": HOOK, "group_wait_seconds": 30}
    [row] = planned(settings={"notify": {"high": [waits]}})
    assert row["next_attempt_at"] == at(0) + timedelta(seconds=30)


STEPS = [{"after_seconds": 300, "channels": [PAGER]}, {"after_seconds": 900, "channels": [MAIL]}]
ESCALATING = {"notify": {"high": [HOOK]}, "escalation": STEPS}


def test_the_steps_of_an_escalation_are_due_later_and_keep_what_they_are_for() -> None:
    rows = planned(settings=ESCALATING)[1:]
    assert brief(rows) == [
        (PAGER, "", "step-1", HIGH.rank),
        (MAIL["channel"], "ann@x.org", "step-2", HIGH.rank),
        (MAIL["channel"], "bob@x.org", "step-2", HIGH.rank),
    ]
    assert [row["next_attempt_at"] for row in rows] == [at(5), at(15), at(15)]
    assert rows[0]["route"]["importance"] == "high"
    assert rows[0]["route"]["after_seconds"] == 300


def test_steps_that_restart_are_numbered_by_their_notification() -> None:
    steps = [planned(settings=ESCALATING, restarts=True, sequence=n)[1] for n in (0, 1, 2)]
    assert [row["sequence"] for row in steps] == [10, 11, 12]


def test_steps_that_restart_are_other_steps_than_those_before() -> None:
    first, again = planned(settings=ESCALATING), planned(settings=ESCALATING, restarts=True)
    assert {row["sequence"] for row in first[1:]}.isdisjoint(row["sequence"] for row in again[1:])


@pytest.mark.parametrize(
    ("reason", "notify"),
    [
        (NotifyReason.OPENED, {"suppression": SILENCED}),
        (NotifyReason.OPENED, {"escalates": False}),
        (NotifyReason.REMINDER, {}),
    ],
)
def test_no_step_follows_what_is_suppressed_has_ended_or_only_reminds(
    reason: NotifyReason, notify: dict[str, Any]
) -> None:
    rows = planned(reason, {**ESCALATING, "policy": {"repeat_seconds": 600}}, **notify)
    assert [row["reason"] for row in rows] == [reason.value]


def test_a_reminder_goes_to_the_routes_that_want_one() -> None:
    never = {"channel": OTHER, "reminders": False}
    rows = planned(
        NotifyReason.REMINDER,
        {"notify": {"high": [HOOK, never]}, "policy": {"repeat_seconds": 600}},
    )
    assert brief(rows) == [(HOOK, "", "reminder", 0)]


def test_a_row_keeps_a_pace_of_reminders_that_is_slower_than_the_rules() -> None:
    slow, fast = {"channel": HOOK, "repeat_seconds": 7200}, {"channel": OTHER, "repeat_seconds": 60}
    rows = planned(settings={"notify": {"high": [slow, fast]}})
    assert [row["route"].get("repeat_seconds") for row in rows] == [7200, None]


def test_a_route_that_is_notified_of_the_end_against_its_kind_keeps_that() -> None:
    settings = {"notify": {"high": [HOOK, PAGER]}, "policy": {"notify_resolved": True}}
    assert [row["route"].get("resolved") for row in planned(settings=settings)] == [True, None]


# -- follow-ups ------------------------------------------------------------------------------


def sent(channel: str, reason: str = "opened", **changed: Any) -> Row:
    row = {"channel": channel, "recipient": "", "reason": reason, "status": "sent"}
    return {**row, "unknown": 0, "claimed_at": None, "route": {}, "group_key": "", **changed}


def followed(*before: Row, reason: str = "resolved", mute: Suppression | None = None) -> list[Any]:
    rows = follow_ups(before, 3, reason, at(9), mute)
    return [(row["channel"], row["status"], row["sequence"]) for row in rows]


def test_a_follow_up_has_every_column_of_a_notification() -> None:
    before = sent(PAGER, recipient="desk", route={"resolved": True}, group_key="7")
    assert follow_ups([before], 3, "resolved", at(9)) == [
        {
            "about": "",
            "content": {},
            "attempts": 0,
            "unknown": 0,
            "claimed_at": None,
            "event_id": 3,
            "channel": PAGER,
            "recipient": "desk",
            "reason": "resolved",
            "sequence": 0,
            "route": {"resolved": True},
            "group_key": "7",
            "status": "pending",
            "created_at": at(9),
            "next_attempt_at": at(9),
            "last_error": None,
            "dropped_code": None,
        }
    ]


def test_a_follow_up_that_is_suppressed_says_why() -> None:
    [row] = follow_ups([sent(HOOK, route={"resolved": True})], 3, "resolved", at(9), SILENCED)
    assert (row["last_error"], row["dropped_code"]) == (SILENCED.sentence, "silenced")


def test_a_channel_that_was_never_reached_stands_in_nobodys_way() -> None:
    unreached = sent(HOOK, status="failed", route={"resolved": True})
    assert followed(unreached, sent(PAGER)) == [(PAGER, "pending", 0)]


def test_an_end_reaches_incidents_and_whoever_asked_for_it() -> None:
    asked = sent(OTHER, route={"resolved": True})
    assert followed(sent(HOOK), asked, sent(PAGER)) == [
        (OTHER, "pending", 0),
        (PAGER, "pending", 0),
    ]


@pytest.mark.parametrize("reason", ["acknowledged", "unacknowledged"])
def test_an_acknowledgement_reaches_incidents_and_whoever_asked_for_it(reason: str) -> None:
    asked = sent(OTHER, route={"acknowledged": True})
    found = followed(sent(HOOK), asked, sent(PAGER), reason=reason)
    assert found == [(OTHER, "pending", 0), (PAGER, "pending", 0)]


def test_the_end_of_flapping_reaches_everybody_who_was_notified() -> None:
    assert followed(sent(HOOK), reason="flapping-ended") == [(HOOK, "pending", 0)]


def test_a_muted_end_still_reaches_the_incident() -> None:
    asked = sent(OTHER, route={"resolved": True})
    found = followed(asked, sent(PAGER), mute=SILENCED)
    assert found == [(OTHER, "suppressed", 0), (PAGER, "pending", 0)]


@pytest.mark.parametrize(
    ("changed", "follows"),
    [
        ({"status": "pending"}, True),
        ({"status": "pending", "reason": "step-1"}, False),
        ({"status": "failed"}, False),
        ({"status": "suppressed"}, False),
        ({"status": "failed", "unknown": 1}, True),
        ({"status": "suppressed", "claimed_at": at(1)}, True),
    ],
)
def test_only_those_hear_of_the_end_who_may_have_been_notified(
    changed: dict[str, Any], follows: bool
) -> None:
    assert bool(followed(sent(PAGER, **changed))) is follows


def test_a_second_end_of_one_event_has_a_number_of_its_own() -> None:
    assert followed(sent(PAGER), sent(PAGER, "resolved")) == [(PAGER, "pending", 1)]


def test_a_route_that_cannot_be_read_is_its_channel_with_the_defaults() -> None:
    row = {"channel": "not a slug", "recipient": "a,b", "route": {"group_by": "?", "new": 1}}
    route = route_of(row)
    assert (route.channel, route.to, route.reminders) == ("not a slug", ("a", "b"), True)


def test_a_notification_about_a_storm_is_about_no_event() -> None:
    assert about_row("storm:2", HOOK, "x", "storm", at(0), content={"n": 3}, storm_id=2) == {
        "about": "storm:2",
        "content": {"n": 3},
        "attempts": 0,
        "unknown": 0,
        "claimed_at": None,
        "storm_id": 2,
        "event_id": None,
        "channel": HOOK,
        "recipient": "x",
        "reason": "storm",
        "sequence": 0,
        "route": {},
        "group_key": "",
        "status": "pending",
        "created_at": at(0),
        "next_attempt_at": at(0),
        "last_error": None,
        "dropped_code": None,
    }


@pytest.mark.parametrize(
    ("route", "kept"),
    [
        ({"channel": MAIL["channel"], "to": ["ann@x.org"], "repeat_seconds": 60}, {}),
        (
            {"channel": HOOK, "group_by": ["ticker"], "reminders": False},
            {"group_by": ["ticker"], "reminders": False},
        ),
        ({"channel": HOOK, "storm": {"events": 5}}, {"storm": {"events": 5}}),
    ],
)
def test_what_is_kept_of_a_route_is_what_differs_from_the_defaults(
    route: dict[str, Any], kept: dict[str, Any]
) -> None:
    found = kept_route(Route.model_validate(route))
    assert found == kept
    assert json.loads(json.dumps(found)) == found


def test_one_fanout_plans_for_many_events() -> None:
    rule = Rule(uuid.UUID(int=1), "disk", "flow", RuleSettings.model_validate(ESCALATING))
    fanout = Fanout(rule, 7, at(0))
    notify = Notify(at(0), HIGH, NotifyReason.OPENED)
    first, second = fanout.plan(3, "AAPL", notify), fanout.plan(4, "IBM", notify)
    assert brief(first) == brief(second)
    assert {row["event_id"] for row in second} == {4}
