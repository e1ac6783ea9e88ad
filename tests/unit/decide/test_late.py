"""What arrives after newer evaluations of its series: where it belongs."""

import pytest

from sentinel_core.decide.late import LateAction, Neighbour, decide_late, late_neighbours
from sentinel_core.decide.observe import Observation
from sentinel_core.model.rule import Policy
from tests.support.lives import HIGH, MEDIUM, STEADY, policy, seen

OK = Neighbour(breached=False, event_id=None)
PENDING = Neighbour(breached=True, event_id=None)
FIRED_7 = Neighbour(breached=True, event_id=7, event_importance=MEDIUM)
FIRED_8 = Neighbour(breached=True, event_id=8, event_importance=MEDIUM)
HIGH_8 = Neighbour(breached=True, event_id=8, event_importance=HIGH)
UNKNOWN_7 = Neighbour(breached=True, event_id=7)
RESOLVED_7 = Neighbour(breached=False, event_id=7, event_importance=MEDIUM)

Side = tuple[Neighbour, ...]
CASES: dict[str, tuple[str, Side, Side, tuple[LateAction, int | None, str]]] = {
    "a late ok within an event changes nothing": (
        "0",
        (FIRED_7,),
        (FIRED_7,),
        (LateAction.IGNORE, None, "late-ok"),
    ),
    "a late ok among oks changes nothing": (
        "0",
        (OK,),
        (OK,),
        (LateAction.IGNORE, None, "late-ok"),
    ),
    "a late alert between two oks is an event of the past": (
        "1",
        (OK,),
        (OK,),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "a late alert older than everything known is an event of the past": (
        "1",
        (),
        (OK,),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "a late alert of which nothing else is known is an event of the past": (
        "1",
        (),
        (),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "a late alert within an event counts into it": (
        "1",
        (FIRED_7,),
        (FIRED_7,),
        (LateAction.MERGE, 7, "late-joined"),
    ),
    "a late alert just before an event counts into it": (
        "1",
        (OK,),
        (FIRED_8,),
        (LateAction.MERGE, 8, "late-joined"),
    ),
    "a late alert before everything, then an event, counts into it": (
        "1",
        (),
        (FIRED_8,),
        (LateAction.MERGE, 8, "late-joined"),
    ),
    "a late alert just after an event, before the ok, counts into it": (
        "1",
        (FIRED_7,),
        (RESOLVED_7,),
        (LateAction.MERGE, 7, "late-joined"),
    ),
    "a late alert between two events counts into the earlier": (
        "1",
        (FIRED_7,),
        (FIRED_8,),
        (LateAction.MERGE, 7, "late-joined"),
    ),
    "a late alert after the ok that resolved an event does not reopen it": (
        "1",
        (RESOLVED_7,),
        (OK,),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "only the nearest evaluation is continuous with it": (
        "1",
        (OK, FIRED_7),
        (OK, FIRED_8),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "a late alert next to a breach that was no event is one of the past": (
        "1",
        (PENDING,),
        (OK,),
        (LateAction.BACKFILL, None, "late-past"),
    ),
    "a late alert that matters more than its event raises it": (
        "H",
        (OK,),
        (FIRED_8,),
        (LateAction.ESCALATE, 8, "late-raised"),
    ),
    "one that matters as much just counts": (
        "H",
        (OK,),
        (HIGH_8,),
        (LateAction.MERGE, 8, "late-joined"),
    ),
    "one that matters less just counts": (
        "L",
        (OK,),
        (FIRED_8,),
        (LateAction.MERGE, 8, "late-joined"),
    ),
    "an event of unknown importance is not raised": (
        "C",
        (UNKNOWN_7,),
        (),
        (LateAction.MERGE, 7, "late-joined"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_late(case: str) -> None:
    sign, before, after, expected = CASES[case]
    placed = decide_late(STEADY, seen(sign, 5), before, after)
    assert (placed.action, placed.event_id, placed.code) == expected


REASONS: dict[str, tuple[Observation, Side, Side, str]] = {
    "an ok": (seen("0", 5), (), (), "late: not triggered at that time"),
    "before": (
        seen("1", 5),
        (FIRED_7,),
        (),
        "late: counted into the event of the run before it",
    ),
    "after": (seen("1", 5), (), (FIRED_7,), "late: counted into the event of the run after it"),
    "raised": (
        seen("H", 5),
        (),
        (FIRED_7,),
        "late: counted into the event of the run after it, which was only medium",
    ),
    "past": (seen("1", 5), (), (), "late: fired and recovered before it was recorded"),
}


@pytest.mark.parametrize("case", REASONS)
def test_every_place_says_why(case: str) -> None:
    observation, before, after, reason = REASONS[case]
    assert decide_late(STEADY, observation, before, after).reason == reason


def _sides(states: str) -> tuple[Side, Side]:
    """`110^0`: what was before and after the late breach at `^`, nearest first."""
    before, after = states.split("^")
    known = {"1": PENDING, "0": OK}
    return tuple(known[s] for s in reversed(before)), tuple(known[s] for s in after)


ENOUGH: dict[str, tuple[Policy, str, bool]] = {
    "one breach of one": (policy(), "0^0", True),
    "one breach of two in a row": (policy(breaches=2), "0^0", False),
    "two in a row with the one before": (policy(breaches=2), "1^0", True),
    "two in a row with the one after": (policy(breaches=2), "0^1", True),
    "three in a row around it": (policy(breaches=3), "1^1", True),
    "three in a row before it": (policy(breaches=3), "11^0", True),
    "three in a row after it": (policy(breaches=3), "0^11", True),
    "three, but not in a row": (policy(breaches=3), "101^0", False),
    "three in a row that it is no part of": (policy(breaches=3), "1110^0", False),
    "nothing else is known": (policy(breaches=2), "^", False),
    "two of three with an ok between": (policy(breaches=2, of_last=3), "0^01", True),
    "two of three with two oks between": (policy(breaches=2, of_last=3), "0^001", False),
    "two of three with an ok between, before": (policy(breaches=2, of_last=3), "10^0", True),
    "three of four at the far ends": (policy(breaches=3, of_last=4), "1^01", True),
    "three of four that are five apart": (policy(breaches=3, of_last=4), "10^01", False),
    "breaches elsewhere in the window of another": (policy(breaches=2, of_last=2), "11^", True),
    "others had enough of it after, without it": (policy(breaches=2, of_last=2), "^011", False),
    "others had enough of it before, without it": (policy(breaches=2, of_last=2), "110^0", False),
}


@pytest.mark.parametrize("case", ENOUGH)
def test_a_late_alert_is_an_event_only_when_its_policy_has_enough_breaches(case: str) -> None:
    rules, states, enough = ENOUGH[case]
    placed = decide_late(rules, seen("1", 5), *_sides(states))
    if enough:
        assert placed.code == "late-past"
    else:
        assert (placed.action, placed.code) == (LateAction.IGNORE, "late-pending")
        assert placed.reason == f"late: fewer than {rules.breaches} breaches"


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        (policy(), 1),
        (policy(breaches=2), 1),
        (policy(breaches=3), 2),
        (policy(breaches=2, of_last=2), 1),
        (policy(breaches=2, of_last=5), 4),
    ],
)
def test_as_many_neighbours_are_asked_for_as_a_window_can_hold(rules: Policy, count: int) -> None:
    assert late_neighbours(rules) == count
