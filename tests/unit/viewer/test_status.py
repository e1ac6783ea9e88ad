"""The status line names what is not being checked."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sentinel_core.store.outbox.channels import FailingChannel
from sentinel_core.store.read.deliveries import Deliveries, OpenStorm
from sentinel_core.store.state import system_rule
from tests.support.recorded import NOON
from viewer import status
from viewer.status import Coverage

HOUR = timedelta(hours=1)
WELL = Deliveries((), (), 0)
GONE = FailingChannel(
    "slack-incoming-webhook/ops", 3, NOON - HOUR, "404 no_service", recovered=False
)
STORM = OpenStorm(7, "slack-incoming-webhook/ops", "", NOON - HOUR, 950, "sent")


def said(found: Deliveries) -> list[str]:
    """The lines about messages, as they are read."""
    lines = status.deliveries(found, NOON, UTC)
    return [line.replace("\\", "").replace("\N{WORD JOINER}", "") for line in lines]


def a_row(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "deployment_id": UUID(int=1),
        "is_active": True,
        "parameters": {},
        "schedules": [{"cron": "*/5 * * * *"}],
        "first_seen_at": NOON - 9 * HOUR,
        "changed_at": NOON - 9 * HOUR,
        "last_evaluated_at": NOON,
        **changes,
    }


def test_a_rule_whose_evaluations_stopped_is_named() -> None:
    found = status.coverage(
        [a_row("fine"), a_row("stuck", last_evaluated_at=NOON - HOUR)],
        NOON + timedelta(minutes=1),
        NOON,
    )
    assert (found.active, found.overdue, found.never) == (2, ("stuck",), ())
    assert found.sentences[0].startswith("stuck: not checked since")


def test_a_rule_that_never_ran_though_due_is_overdue_and_a_new_one_is_not() -> None:
    old = a_row("old", last_evaluated_at=None)
    new = a_row("new", last_evaluated_at=None, changed_at=NOON)
    found = status.coverage([old, new], NOON, NOON)
    assert (found.overdue, found.never) == (("old",), ("new",))


def test_a_rule_with_a_patience_of_its_own_is_overdue_after_it() -> None:
    patient = a_row(
        "patient",
        last_evaluated_at=NOON - HOUR,
        parameters={"policy": {"grace_seconds": 7200}},
    )
    assert status.coverage([patient], NOON, NOON).overdue == ()
    assert status.coverage([patient], NOON + 2 * HOUR, NOON).overdue == ("patient",)


def test_a_paused_rule_is_nobody_s_worry() -> None:
    paused = a_row("paused", is_active=False, last_evaluated_at=NOON - HOUR)
    assert status.coverage([paused], NOON, None) == Coverage(0, (), (), ())


@pytest.mark.parametrize(
    ("reconciled_at", "first_seen_at", "old"),
    [
        (NOON - timedelta(minutes=1), NOON - 9 * HOUR, False),
        (NOON - timedelta(minutes=11), NOON - 9 * HOUR, True),
        (None, NOON - 9 * HOUR, True),
        (None, NOON - timedelta(minutes=1), False),
    ],
)
def test_a_reconcile_that_stopped_is_said_and_a_store_filled_this_minute_is_given_time(
    reconciled_at: datetime | None, first_seen_at: datetime, old: bool
) -> None:
    found = status.coverage([a_row("rule", first_seen_at=first_seen_at)], NOON, reconciled_at)
    line = status.line({}, found, NOON, UTC)
    assert ("reconcile is not running" in line) is old


def test_the_line_counts_by_importance_most_important_first() -> None:
    line = status.line(
        {"low": 1, "critical": 2, "medium": 0, "high": 10_001}, Coverage(3, (), (), ()), NOON, UTC
    )
    assert line.startswith(
        ":red-badge[2 critical] :orange-badge[10,000+ high] :gray-badge[1 low] unacknowledged"
    )
    assert "rules active" not in line  # a card says it
    assert line.endswith("last update 12:00:00")
    assert "overdue" not in line


def test_the_line_says_that_nothing_is_wrong_only_when_nothing_is() -> None:
    calm = status.line({}, Coverage(1, (), (), ()), NOON, UTC)
    assert calm.startswith("Nothing needs attention")
    assert ":orange-badge[no rule is active]" in status.line({}, Coverage(0, (), (), ()), NOON, UTC)


def test_overdue_rules_are_named_in_warning_colour_and_escaped() -> None:
    names = ("a", "*b*", "c", "d", "e")
    line = status.line({}, Coverage(9, names, ("new",), ()), NOON, UTC)
    assert r":orange-badge[5 overdue: a, \*b\*, c and 2 more]" in line
    assert "1 never evaluated: new" in line


def test_sentinels_own_rule_is_checked_by_nobody_and_missed_by_nobody() -> None:
    row = a_row(
        system_rule.NAME,
        deployment_id=system_rule.DEPLOYMENT_ID,
        last_evaluated_at=None,
        schedules=[],
    )
    assert status.coverage([row], NOON, None) == Coverage(0, (), (), ())


def test_nothing_is_said_of_messages_while_all_is_well() -> None:
    assert said(WELL) == []


def test_a_channel_that_fails_is_named_with_its_error_and_what_to_do() -> None:
    [line] = said(Deliveries((GONE,), (), 0))
    assert line.startswith(":red-badge[3 messages not delivered] by slack-incoming-webhook/ops")
    assert "404 no_service" in line
    assert line.endswith(
        "Once it is repaired: `sentinel channels retry slack-incoming-webhook/ops`"
    )


def test_a_channel_that_works_again_is_said_to_and_still_has_messages_to_send_again() -> None:
    works = FailingChannel(GONE.channel, 1, NOON, "404", recovered=True)
    [line] = said(Deliveries((works,), (), 0))
    assert line.startswith(":red-badge[1 message not delivered]")
    assert "It accepts messages again: `sentinel channels retry" in line


def test_many_channels_that_fail_take_four_lines() -> None:
    lines = said(Deliveries(tuple([GONE] * 9), (), 0))
    assert len(lines) == 4
    assert "as well by 6 channels" in lines[3]


def test_what_a_provider_says_is_text_and_nothing_else() -> None:
    hostile = "<b>x</b> [a](http://b) :red[c]"
    found = FailingChannel("`ops`", 1, NOON, hostile, recovered=False)
    [line] = status.deliveries(Deliveries((found,), (), 0), NOON, UTC)
    assert "<b>" not in line
    assert "[a](" not in line
    assert ":red[" not in line
    assert line.endswith("`sentinel channels retry 'ops'`")


@pytest.mark.parametrize(
    ("storm", "expected"),
    [
        (STORM, "[950 events](./?view=all&range=any&storm=7), in one message"),
        (
            OpenStorm(7, STORM.channel, "#desk", NOON - 48 * HOUR, 10_001, "failed"),
            "to #desk since 11‑18\N{NO-BREAK SPACE}12:00:00: [10,000+ events]"
            "(./?view=all&range=any&storm=7), their one message failed for good",
        ),
        (
            OpenStorm(7, STORM.channel, "", NOON, 1, "pending"),
            "[1 event](./?view=all&range=any&storm=7), their one message is not sent yet",
        ),
        (
            OpenStorm(7, STORM.channel, "", NOON, 60, "sent", 1),
            "[60 events](./?view=all&range=any&storm=7), in one message; "
            "1 of them waits for the next message",
        ),
        (
            OpenStorm(7, STORM.channel, "", NOON, 60, "sent", 9),
            "[60 events](./?view=all&range=any&storm=7), in one message; "
            "9 of them wait for the next message",
        ),
    ],
)
def test_an_open_storm_links_to_its_events_and_says_whether_it_was_told(
    storm: OpenStorm, expected: str
) -> None:
    [line] = said(Deliveries((), (storm,), 0))
    assert line.startswith(":orange-badge[storm] on slack-incoming-webhook/ops")
    assert line.endswith(expected)


def test_messages_that_nobody_sends_ask_whether_the_delivery_runs() -> None:
    [line] = said(Deliveries((), (), 12))
    assert line.startswith(":red-badge[not sent] 12 messages have been due for 5 minutes")
    assert "`deliver`" in line
    [capped] = said(Deliveries((), (), 10_001))
    assert "10,000+ messages" in capped
    [one] = said(Deliveries((), (), 1))
    assert "1 message has been due" in one


def test_many_storms_take_four_lines() -> None:
    lines = said(Deliveries((), (STORM,) * 5, 0))
    assert lines[3:] == [":orange-badge[storm] on 2 more channels"]
