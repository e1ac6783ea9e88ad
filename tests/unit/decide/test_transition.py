"""When what is seen becomes an event, and when that ends: histories, minute by minute.

How they are written: tests/support/lives.py.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Action, Series, Status
from sentinel_core.decide.transition import (
    STATES_KEPT,
    decide,
    expired,
    meaning_of,
    policy_for,
    resolved_as_removed,
    resolved_by_hand,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import Flapping, Meaning, Policy
from tests.support.lives import HIGH, LOW, MEDIUM, STEADY, lived, outcome, policy, seen
from tests.support.runs import at

PLAIN: dict[str, tuple[str, str]] = {
    "a series that is fine opens nothing": ("000", "---"),
    "a series seen for the first time that fires opens an event": ("1", "O"),
    "a series that was fine and fires opens an event": ("01", "-O"),
    "a series that keeps firing continues its event": ("1111", "O+++"),
    "a series that fires hours later without an ok between continues its event": (
        "1" + "." * 300 + "1",
        "O+",
    ),
    "a firing series that is fine again resolves its event": ("10", "OR"),
    "a series that fires again after an ok opens another event": ("1010", "OROR"),
    "a series that fires and comes to matter more escalates its event": ("MHC", "OEE"),
    "a series that fires and comes to matter less continues its event": ("HL", "O+"),
    "an event escalates only beyond the most it has mattered": ("HLMHC", "O+++E"),
    "a new event begins with its own importance": ("H0LM", "OROE"),
}

COUNTS: dict[str, tuple[Policy, str, str]] = {
    "the last of N breaches in a row opens the event": (policy(breaches=3), "111", "--O"),
    "one breach fewer than N opens nothing": (policy(breaches=3), "110", "---"),
    "an ok between the breaches starts the count anew": (policy(breaches=3), "110111", "-----O"),
    "after its end N breaches are needed again": (policy(breaches=2), "11011", "-OR-O"),
    "two breaches of the last three open an event with an ok between": (
        policy(breaches=2, of_last=3),
        "101",
        "--O",
    ),
    "a breach that left the window counts no longer": (
        policy(breaches=2, of_last=3),
        "1001",
        "----",
    ),
    "three of the last four at the window's edge": (
        policy(breaches=3, of_last=4),
        "10011101",
        "-----O++",
    ),
    "an event of m of the last n goes on while m are in the window": (
        policy(breaches=2, of_last=4),
        "110000",
        "-O++R-",
    ),
    "the last n may be as few as m": (policy(breaches=2, of_last=2), "10110", "---OR"),
    "an event that ended by hand takes its breaches with it": (
        policy(breaches=2, of_last=3),
        "11x11",
        "-O-O",
    ),
    "what was counted in a row starts anew after an end by hand": (
        policy(breaches=2),
        "11x11",
        "-O-O",
    ),
    "the last of k oks in a row resolves the event": (policy(recoveries=3), "1000", "O++R"),
    "a breach between the oks starts their count anew": (policy(recoveries=2), "10100", "O+++R"),
    "k oks after an event do not count for the next": (policy(recoveries=2), "1001000", "O+RO+R-"),
}

TIMES: dict[str, tuple[Policy, str, str]] = {
    "an event lasts on after its last breach": (policy(keep_firing_seconds=120), "1000", "O+R-"),
    "it ends at the very second": (policy(keep_firing_seconds=60), "10", "OR"),
    "and not a second before": (policy(keep_firing_seconds=61), "10", "O+"),
    "each breach keeps it firing anew": (policy(keep_firing_seconds=120), "10100", "O+++R"),
    "oks in a row and the time after the last breach must both be there": (
        policy(keep_firing_seconds=120, recoveries=3),
        "1000",
        "O++R",
    ),
    "no event opens within the cooldown": (policy(cooldown_seconds=180), "10111", "OR--O"),
    "one opens at the very second the cooldown ends": (policy(cooldown_seconds=60), "101", "ORO"),
    "and none a second before": (policy(cooldown_seconds=61), "101", "OR-"),
    "what fires when the cooldown ends opens its event without another ok": (
        policy(cooldown_seconds=120),
        "10111",
        "OR-O+",
    ),
    "a higher importance than that of the last event pierces the cooldown": (
        policy(cooldown_seconds=600),
        "M0MH",
        "OR-O",
    ),
    "the same importance does not": (policy(cooldown_seconds=600), "H0H", "OR-"),
    "the most the event mattered is what counts": (policy(cooldown_seconds=600), "MHM0H", "OE+R-"),
    "the cooldown also holds after an end by hand": (policy(cooldown_seconds=60), "1x11", "O-O"),
    "breaches in the cooldown count towards the next event": (
        policy(cooldown_seconds=180, breaches=2),
        "110111",
        "-OR--O",
    ),
    "and those before it are over": (
        policy(cooldown_seconds=60, breaches=3),
        "1110111",
        "--OR--O",
    ),
}


@pytest.mark.parametrize("case", PLAIN)
def test_without_a_policy(case: str) -> None:
    history, expected = PLAIN[case]
    assert outcome(STEADY, history) == expected


@pytest.mark.parametrize("case", COUNTS)
def test_counting(case: str) -> None:
    rules, history, expected = COUNTS[case]
    assert outcome(rules, history) == expected


@pytest.mark.parametrize("case", TIMES)
def test_time(case: str) -> None:
    rules, history, expected = TIMES[case]
    assert outcome(rules, history) == expected


REASONS: dict[str, tuple[Policy, str, str, str]] = {
    "an ok": (STEADY, "0", "ok", "ok: not triggered"),
    "a first breach": (STEADY, "1", "started", "opened: the series started to fire"),
    "breaches in a row": (policy(breaches=2), "11", "started", "opened: 2 breaches in a row"),
    "more of them, held up by the cooldown": (
        policy(breaches=2, cooldown_seconds=240),
        "110111",
        "cooldown",
        "suppressed: cooldown until 09:06 UTC",
    ),
    "breaches of the last few": (
        policy(breaches=2, of_last=5),
        "1001",
        "started",
        "opened: 2 breaches of the last 5",
    ),
    "not enough in a row": (policy(breaches=3), "11", "pending", "pending: 2 of 3 breaches"),
    "not enough of the last few": (
        policy(breaches=3, of_last=4),
        "101",
        "pending",
        "pending: 2 of 3 breaches in the last 4",
    ),
    "firing on": (STEADY, "11", "still-firing", "continued: still firing"),
    "mattering more": (STEADY, "MC", "importance-raised", "escalated: medium became critical"),
    "too few oks": (policy(recoveries=3), "100", "recovering", "recovering: 2 of 3 oks"),
    "breaches still counted": (
        policy(breaches=2, of_last=4),
        "1100",
        "still-counted",
        "continued: still 2 breaches in the last 4",
    ),
    "kept firing": (
        policy(keep_firing_seconds=90),
        "10",
        "kept-firing",
        "kept firing until 09:01:30 UTC",
    ),
    "kept firing until another day": (
        policy(keep_firing_seconds=15 * 3600),
        "10",
        "kept-firing",
        "kept firing until 2026-11-03 00:00 UTC",
    ),
    "recovered": (STEADY, "10", "recovered", "resolved: 151.2"),
}


@pytest.mark.parametrize("case", REASONS)
def test_every_decision_says_why(case: str) -> None:
    rules, history, code, reason = REASONS[case]
    last = lived(rules, history)[-1]
    assert (last.code, last.reason) == (code, reason)


def test_the_series_tells_what_it_went_through() -> None:
    last = lived(policy(recoveries=2), "01H0")[-1]
    assert last.series == Series(
        status=Status.FIRING,
        last_at=at(3),
        event_importance=HIGH,
        breaches=0,
        oks=1,
        recent="0110",
        breached_at=at(2),
        notified_at=at(2),
        notify_count=2,
    )
    assert last.status is Status.FIRING


def test_a_series_that_ended_remembers_when_and_how_much_it_mattered() -> None:
    series = lived(STEADY, "1H0")[-1].series
    assert (series.status, series.event_importance) == (Status.OK, None)
    assert (series.ended_at, series.ended_importance) == (at(2), HIGH)
    again = lived(STEADY, "1H01")[-1].series
    assert (again.ended_at, again.ended_importance) == (at(2), HIGH)
    assert (again.event_importance, again.notified_at, again.notify_count) == (MEDIUM, at(3), 1)


def test_a_breach_that_is_no_event_is_pending_and_an_ok_takes_that_back() -> None:
    states = [decision.status for decision in lived(policy(breaches=3), "110")]
    assert states == [Status.PENDING, Status.PENDING, Status.OK]


def test_a_breach_in_the_cooldown_is_pending() -> None:
    last = lived(policy(cooldown_seconds=600), "101")[-1]
    assert (last.code, last.status) == ("cooldown", Status.PENDING)


def test_what_was_never_breached_as_far_as_is_known_is_not_kept_firing() -> None:
    firing = Series(Status.FIRING, at(0), 7, LOW)
    rules = policy(keep_firing_seconds=600)
    assert decide(rules, firing, seen("0", 1)).action is Action.RESOLVE


def test_what_an_ok_would_matter_raises_nothing() -> None:
    rules = policy(recoveries=2)
    [*_, fired] = lived(rules, "1")
    fine = decide(rules, fired.series, replace(seen("0", 1), importance=HIGH))
    assert fine.series.event_importance is MEDIUM
    assert decide(rules, fine.series, seen("H", 2)).action is Action.ESCALATE


def test_only_as_many_states_are_kept_as_a_window_may_have() -> None:
    last = lived(STEADY, "01" * 80)[-1]
    assert last.series.recent == "01" * (STATES_KEPT // 2)
    rules = policy(breaches=100, of_last=STATES_KEPT)
    assert outcome(rules, "1" * 100)[-2:] == "-O"


def test_an_event_keeps_its_number_and_a_new_one_has_none_yet() -> None:
    firing = replace(lived(STEADY, "1")[-1].series, event_id=7)
    assert decide(STEADY, firing, seen("1", 1)).series.event_id == 7
    over = decide(STEADY, firing, seen("0", 1)).series
    assert over.event_id is None
    stale = replace(over, event_id=7)  # whatever was left there is not the new event's
    assert decide(STEADY, stale, seen("1", 2)).series.event_id is None


def test_a_firing_series_of_unknown_importance_takes_the_one_it_sees() -> None:
    firing = Series(Status.FIRING, at(0), 7, None)
    decision = decide(STEADY, firing, seen("C", 1))
    assert (decision.action, decision.series.event_importance) == (
        Action.CONTINUE,
        Importance.CRITICAL,
    )


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_lives_the_same_life(kind: Kind) -> None:
    opened = decide(STEADY, None, replace(seen("1", 0), kind=kind))
    assert opened.action is Action.OPEN
    resolved = decide(STEADY, opened.series, replace(seen("0", 1), kind=kind))
    assert resolved.action is Action.RESOLVE


# -- other kinds ---------------------------------------------------------------------------

EVERYTHING = Policy(
    breaches=2,
    of_last=3,
    recoveries=4,
    keep_firing_seconds=5,
    cooldown_seconds=6,
    max_notifications_per_hour=7,
    repeat_seconds=8,
    expire_seconds=9,
    notify_resolved=True,
    sticky_acknowledgement=True,
    errors=10,
    no_data=11,
)


def test_alerts_have_the_policy_as_it_is_written() -> None:
    assert policy_for(Kind.ALERT, EVERYTHING) == EVERYTHING


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Kind.FAILURE, 10), (Kind.ERROR, 10), (Kind.NO_DATA, 11), (Kind.SILENT, 1), (Kind.SKIPPED, 1)],
)
def test_what_a_rule_demands_of_breaches_is_not_asked_of_other_kinds(
    kind: Kind, count: int
) -> None:
    assert policy_for(kind, EVERYTHING) == EVERYTHING.model_copy(
        update={
            "breaches": count,
            "of_last": None,
            "recoveries": 1,
            "keep_firing_seconds": 0,
            "cooldown_seconds": 0,
            "flapping": None,
        }
    )


@pytest.mark.parametrize("meaning", Meaning)
def test_what_a_breach_of_another_kind_means_is_the_policys(meaning: Meaning) -> None:
    of_errors, of_no_data = Policy(on_error=meaning), Policy(on_no_data=meaning)
    assert {meaning_of(kind, of_errors) for kind in (Kind.FAILURE, Kind.ERROR)} == {meaning}
    assert meaning_of(Kind.NO_DATA, of_no_data) is meaning
    event = Meaning.EVENT
    assert meaning_of(Kind.NO_DATA, of_errors) is meaning_of(Kind.ERROR, of_no_data) is event
    other = (Kind.ALERT, Kind.SILENT, Kind.SKIPPED)
    both = Policy(on_error=meaning, on_no_data=meaning, on_missing=meaning)
    assert {meaning_of(kind, both) for kind in other} == {event}


# -- ends that no run brings ---------------------------------------------------------------


def test_an_event_expires_when_no_run_confirms_it_for_so_long() -> None:
    rules = policy(expire_seconds=600, recoveries=9)
    series = lived(rules, "H00")[-1].series
    assert expired(rules, series, at(10) - timedelta(seconds=1)) is None
    over = expired(rules, series, at(10))
    assert over is not None
    assert (over.action, over.code) == (Action.RESOLVE, "expired")
    assert over.reason == "resolved: expired, no breach since 09:00 UTC"
    assert over.notify is None
    assert over.series == Series(
        Status.OK, at(2), breached_at=at(0), ended_at=at(10), ended_importance=HIGH
    )


def test_what_was_never_breached_as_far_as_is_known_expires_after_its_last_run() -> None:
    firing = Series(Status.FIRING, at(5), 7, LOW)
    rules = policy(expire_seconds=60)
    assert expired(rules, firing, at(6) - timedelta(seconds=1)) is None
    assert expired(rules, firing, at(6)) is not None


def test_nothing_expires_that_does_not_fire_or_has_no_time_to() -> None:
    firing = lived(STEADY, "1")[-1].series
    assert expired(STEADY, firing, at(100_000)) is None
    rules = policy(expire_seconds=60, breaches=2)
    for quiet in ("0", "1"):
        assert expired(rules, lived(rules, quiet)[-1].series, at(100_000)) is None


def test_an_end_by_hand_says_whose_and_the_series_begins_anew() -> None:
    series = replace(lived(STEADY, "0H")[-1].series, event_id=7, acknowledged=True)
    over = resolved_by_hand(series, at(5), "ann")
    assert (over.action, over.code, over.reason, over.notify) == (
        Action.RESOLVE,
        "by-hand",
        "resolved: by ann",
        None,
    )
    assert over.series == Series(
        Status.OK, at(1), breached_at=at(1), ended_at=at(5), ended_importance=HIGH
    )


def test_an_end_by_hand_is_never_before_the_newest_run() -> None:
    series = lived(STEADY, "....1")[-1].series
    assert resolved_by_hand(series, at(1), "ann").series.ended_at == at(4)


def test_the_end_of_a_removed_rules_event_says_so_and_is_never_before_the_newest_run() -> None:
    series = replace(lived(STEADY, "...H")[-1].series, event_id=7)
    over = resolved_as_removed(series, at(1))
    assert (over.action, over.code, over.reason) == (
        Action.RESOLVE,
        "rule-removed",
        "resolved: its rule was removed",
    )
    assert over.series == Series(
        Status.OK, at(3), breached_at=at(3), ended_at=at(3), ended_importance=HIGH
    )


def test_flapping_starts_anew_after_an_end_by_hand() -> None:
    rules = Policy(flapping=Flapping())
    assert lived(rules, "1010101")[-1].code == "flapping"
    assert lived(rules, "1010101x1")[-1].code == "started"


def test_an_ok_of_a_series_without_an_event_keeps_its_past() -> None:
    before = Series(
        Status.PENDING,
        at(0),
        breaches=1,
        oks=2,
        recent="01",
        breached_at=at(-1),
        ended_at=at(-9),
        ended_importance=HIGH,
        notified_at=at(-9),
        notify_count=3,
    )
    decision = decide(policy(breaches=2), before, seen("0", 1))
    assert (decision.action, decision.code, decision.reason) == (
        Action.QUIET,
        "ok",
        "ok: not triggered",
    )
    assert decision.series == replace(
        before, status=Status.OK, last_at=at(1), breaches=0, oks=3, recent="010"
    )
    assert decision.series.flapping is False
