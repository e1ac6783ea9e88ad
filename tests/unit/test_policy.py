"""The alert lifecycle, case by case. Times are passed in; each case is a sentence."""

from dataclasses import replace
from typing import Any

import pytest

from sentinel_core.alert import Importance
from sentinel_core.judge import Kind, Observation
from sentinel_core.policy import (
    Action,
    Neighbour,
    Place,
    Series,
    Status,
    decide,
    decide_late,
)
from tests.support.runs import at

LOW, MEDIUM, HIGH, CRITICAL = Importance


def seen(breached: bool, importance: Importance = MEDIUM, minute: float = 10) -> Observation:
    return Observation(Kind.ALERT, "AAPL", at(minute), breached, importance, "151.2")


def series(status: str, importance: Importance | None = None) -> Series:
    event_id = 7 if status == "firing" else None
    return Series(Status(status), at(5), event_id, importance)


NEW, OK = None, series("ok")
FIRING = series("firing", MEDIUM)

CASES: dict[str, tuple[Series | None, Observation, Action, Status, str]] = {
    "a series seen for the first time that is fine opens nothing": (
        (NEW, seen(False), Action.QUIET, Status.OK, "ok")
    ),
    "a series seen for the first time that fires opens an event": (
        (NEW, seen(True), Action.OPEN, Status.FIRING, "started")
    ),
    "a series that was fine and fires opens an event": (
        (OK, seen(True), Action.OPEN, Status.FIRING, "started")
    ),
    "a series that stays fine stays quiet": (OK, seen(False), Action.QUIET, Status.OK, "ok"),
    "a series that keeps firing continues its event": (
        (FIRING, seen(True), Action.CONTINUE, Status.FIRING, "still-firing")
    ),
    "a series that fires a day later without an ok between continues its event": (
        (FIRING, seen(True, minute=1_440), Action.CONTINUE, Status.FIRING, "still-firing")
    ),
    "a series that fires and comes to matter more escalates its event": (
        (FIRING, seen(True, HIGH), Action.ESCALATE, Status.FIRING, "importance-raised")
    ),
    "a series that fires and comes to matter less continues its event": (
        (
            series("firing", CRITICAL),
            seen(True, LOW),
            Action.CONTINUE,
            Status.FIRING,
            "still-firing",
        )
    ),
    "a firing series whose importance is not known continues its event": (
        (series("firing"), seen(True, CRITICAL), Action.CONTINUE, Status.FIRING, "still-firing")
    ),
    "a firing series that is fine again resolves its event": (
        (FIRING, seen(False), Action.RESOLVE, Status.OK, "recovered")
    ),
    "a firing series that is fine resolves its event however much that would matter": (
        (FIRING, seen(False, CRITICAL), Action.RESOLVE, Status.OK, "recovered")
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_decision(case: str) -> None:
    previous, observation, action, status, code = CASES[case]
    decision = decide(previous, observation)
    assert (decision.action, decision.status, decision.code) == (action, status, code)
    assert decision.reason


def test_the_reason_of_an_escalation_names_both_importances() -> None:
    assert decide(FIRING, seen(True, CRITICAL)).reason == "escalated: medium became critical"


@pytest.mark.parametrize("kind", Kind)
def test_failures_and_silence_live_the_same_life(kind: Kind) -> None:
    assert decide(OK, replace(seen(True), kind=kind)).action is Action.OPEN
    assert decide(FIRING, replace(seen(False), kind=kind)).action is Action.RESOLVE


WAS_OK = Neighbour(breached=False, event_id=None)
FIRED_7 = Neighbour(breached=True, event_id=7, event_importance=MEDIUM)
FIRED_8 = Neighbour(breached=True, event_id=8, event_importance=MEDIUM)
RESOLVED_7 = Neighbour(breached=False, event_id=7, event_importance=MEDIUM)

LATE: dict[str, tuple[Observation, Neighbour | None, Neighbour | None, Any]] = {
    "a late ok changes nothing": (seen(False), FIRED_7, FIRED_7, (Place.NOWHERE, None, "late-ok")),
    "a late ok among oks changes nothing": (
        (seen(False), WAS_OK, WAS_OK, (Place.NOWHERE, None, "late-ok"))
    ),
    "a late alert between two oks is an event of the past": (
        (seen(True), WAS_OK, WAS_OK, (Place.PAST, None, "late-past"))
    ),
    "a late alert older than everything known is an event of the past": (
        (seen(True), None, WAS_OK, (Place.PAST, None, "late-past"))
    ),
    "a late alert within an event counts into it": (
        (seen(True), FIRED_7, FIRED_7, (Place.JOIN, 7, "late-joined"))
    ),
    "a late alert just before an event counts into it": (
        (seen(True), WAS_OK, FIRED_8, (Place.JOIN, 8, "late-joined"))
    ),
    "a late alert just after an event, before the ok, counts into it": (
        (seen(True), FIRED_7, RESOLVED_7, (Place.JOIN, 7, "late-joined"))
    ),
    "a late alert between two events counts into the earlier": (
        (seen(True), FIRED_7, FIRED_8, (Place.JOIN, 7, "late-joined"))
    ),
    "a late alert after the ok that resolved an event does not reopen it": (
        (seen(True), RESOLVED_7, WAS_OK, (Place.PAST, None, "late-past"))
    ),
    "a late alert that matters more than its event raises it": (
        (seen(True, HIGH), WAS_OK, FIRED_8, (Place.RAISE, 8, "late-raised"))
    ),
    "a late alert that matters less than its event just counts": (
        (seen(True, LOW), WAS_OK, FIRED_8, (Place.JOIN, 8, "late-joined"))
    ),
}


@pytest.mark.parametrize("case", LATE)
def test_late_decision(case: str) -> None:
    observation, before, after, expected = LATE[case]
    placed = decide_late(observation, before, after)
    assert (placed.place, placed.event_id, placed.code) == expected
    assert placed.reason.startswith("late: ")
