"""The status line names what is not being checked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.recorded import NOON
from viewer import status
from viewer.status import Coverage

HOUR = timedelta(hours=1)


def a_row(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "is_active": True,
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
    assert "3 rules active" in line
    assert line.endswith("last update 12:00:00")
    assert "overdue" not in line


def test_the_line_says_that_nothing_is_wrong_only_when_nothing_is() -> None:
    calm = status.line({}, Coverage(1, (), (), ()), NOON, UTC)
    assert calm.startswith("Nothing unacknowledged")
    assert ":orange-badge[no rule is active]" in status.line({}, Coverage(0, (), (), ()), NOON, UTC)


def test_overdue_rules_are_named_in_warning_colour_and_escaped() -> None:
    names = ("a", "*b*", "c", "d", "e")
    line = status.line({}, Coverage(9, names, ("new",), ()), NOON, UTC)
    assert r":orange-badge[5 overdue: a, \*b\*, c and 2 more]" in line
    assert "1 never evaluated: new" in line
