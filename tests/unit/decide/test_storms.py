"""What a storm is made of, what joins it, and when it begins, grows and ends."""

import json
from datetime import timedelta

import pytest

from sentinel_core.decide.storms import (
    Composition,
    Part,
    next_message_at,
    storm_ends,
    storm_level,
    storm_window,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.routing import StormLimit
from tests.support.runs import NOW

LIMIT = StormLimit(events=3, window_seconds=60)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LOW, MEDIUM, HIGH, CRITICAL = Importance
ALERTS, FAILURES, OTHERS = (1, "alert"), (1, "failure"), (2, "alert")


@pytest.mark.parametrize(
    ("opened", "level"),
    [
        ({}, None),
        ({LOW: 3}, None),
        ({LOW: 4}, LOW),
        ({LOW: 3, MEDIUM: 1}, LOW),
        ({LOW: 60, CRITICAL: 1}, LOW),
        ({LOW: 2, HIGH: 2}, LOW),
        ({LOW: 60, HIGH: 4, CRITICAL: 3}, HIGH),
        ({LOW: 1, MEDIUM: 2, CRITICAL: 2}, MEDIUM),
        ({HIGH: 1, CRITICAL: 3}, HIGH),
        ({CRITICAL: 4}, CRITICAL),
    ],
)
def test_too_many_are_counted_from_the_most_important_down(
    opened: dict[Importance, int], level: Importance | None
) -> None:
    assert storm_level(LIMIT, opened) == level


def test_a_storm_takes_events_of_its_rules_that_are_not_more_important() -> None:
    storm = Composition().grown([(ALERTS, LOW), (ALERTS, MEDIUM), (ALERTS, LOW), (OTHERS, HIGH)])
    assert storm.takes(ALERTS, LOW)
    assert storm.takes(ALERTS, MEDIUM)
    assert not storm.takes(ALERTS, HIGH), "another rule of the storm has high ones, this has none"
    assert storm.takes(OTHERS, HIGH)
    assert not storm.takes(OTHERS, CRITICAL)
    assert not storm.takes((3, "alert"), LOW)
    assert not storm.takes(FAILURES, LOW), "the rule's check failed: that is no alert"


def test_a_storm_of_nothing_takes_nothing() -> None:
    assert not Composition().takes(ALERTS, LOW)
    assert Composition().rank == -1


def test_a_composition_is_kept_as_json() -> None:
    storm = Composition().grown([(ALERTS, LOW), (OTHERS, CRITICAL)])
    kept = json.loads(json.dumps(storm.to_json()))
    assert kept == {"parts": [[1, "alert", "low"], [2, "alert", "critical"]]}
    assert Composition.from_json(kept) == storm
    assert Composition.from_json({}) == Composition()


@pytest.mark.parametrize(
    ("parts", "readable"),
    [
        ([[1, "alert", "low"], [2, "alert", "apocalyptic"]], {ALERTS: LOW}),
        ([[1, "alert", "low", "more"]], {}),
        ([7], {}),
        ([["x", "alert", "low"]], {}),
        (None, {}),
    ],
)
def test_what_another_version_kept_is_read_as_far_as_it_can_be(
    parts: object, readable: dict[Part, Importance]
) -> None:
    assert Composition.from_json({"parts": parts}) == Composition(readable)


@pytest.mark.parametrize(
    ("importance", "window", "at"),
    [
        (CRITICAL, MINUTE, NOW),
        (HIGH, MINUTE, NOW + 40 * SECOND),
        (LOW, 10 * SECOND, NOW),
        (LOW, 60 * MINUTE, NOW + 280 * SECOND),
    ],
)
def test_a_storm_says_at_once_that_it_is_more_important_now(
    importance: Importance, window: timedelta, at: object
) -> None:
    before = Composition().grown([(ALERTS, HIGH)])
    after = before.grown([(OTHERS, importance)])
    assert next_message_at(before, after, NOW - 20 * SECOND, window, NOW) == at


def test_a_storm_counts_the_window_that_ends_now_or_began_with_a_notification_that_waited() -> None:
    assert storm_window(LIMIT, NOW, NOW) == (NOW - MINUTE, NOW)
    waited = NOW - 5 * MINUTE
    assert storm_window(LIMIT, waited, NOW) == (waited, waited + MINUTE)


@pytest.mark.parametrize(("opened", "ends"), [(2, True), (3, False)])
def test_exactly_half_of_the_threshold_is_few_enough(opened: int, ends: bool) -> None:
    assert storm_ends(4, MINUTE, NOW - MINUTE, opened, NOW) is ends


@pytest.mark.parametrize(
    ("lasted", "opened", "ends"),
    [(MINUTE, 1, True), (MINUTE, 2, False), (MINUTE - SECOND, 0, False), (2 * MINUTE, 0, True)],
)
def test_a_storm_ends_when_at_most_half_of_its_threshold_opened_in_a_whole_window(
    lasted: timedelta, opened: int, ends: bool
) -> None:
    assert storm_ends(3, MINUTE, NOW - lasted, opened, NOW) is ends
