"""What people are told of an event, when, and why they are not. Times are minutes after nine."""

from dataclasses import replace

import pytest

from sentinel_core.decide.notifying import lapsed, released, unless_suppressed
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.snooze import TIME_OVER, Limits
from sentinel_core.decide.state import Action, Decision, DecisionContext, Series, Status
from sentinel_core.decide.transition import decide
from sentinel_core.model.reasons import NotifyReason, SuppressionCode
from sentinel_core.model.rule import Flapping, Policy
from tests.support.lives import SILENCED, STEADY, during, held_back, lived, messages, policy, seen
from tests.support.runs import at

OPENED, ESCALATED, REMINDER = NotifyReason.OPENED, NotifyReason.ESCALATED, NotifyReason.REMINDER
RESOLVED, FLAPPING, ENDED = (
    NotifyReason.RESOLVED,
    NotifyReason.FLAPPING,
    NotifyReason.FLAPPING_ENDED,
)
LAPSED = NotifyReason.ACKNOWLEDGEMENT_ENDED
NOTIFY = policy(notify_resolved=True)

TOLD: dict[str, tuple[Policy, str, list[tuple[int, NotifyReason]]]] = {
    "an event is told once however long it fires": (STEADY, "11111", [(0, OPENED)]),
    "its end is told only when the policy says so": (STEADY, "110", [(0, OPENED)]),
    "and then it is": (NOTIFY, "110", [(0, OPENED), (2, RESOLVED)]),
    "what is only pending is told to nobody": (policy(breaches=3), "11011", []),
    "a higher importance is told": (STEADY, "MMHHC", [(0, OPENED), (2, ESCALATED), (4, ESCALATED)]),
    "a lower one is not": (STEADY, "HLM", [(0, OPENED)]),
    "each event is told": (STEADY, "1010", [(0, OPENED), (2, OPENED)]),
    "a reminder comes after the time to repeat": (
        policy(repeat_seconds=120),
        "111111",
        [(0, OPENED), (2, REMINDER), (4, REMINDER)],
    ),
    "and not a second earlier": (
        policy(repeat_seconds=121),
        "111111",
        [(0, OPENED), (3, REMINDER)],
    ),
    "the time to repeat counts from whatever was told last": (
        policy(repeat_seconds=120),
        "MHMM",
        [(0, OPENED), (1, ESCALATED), (3, REMINDER)],
    ),
    "an event that recovers is still worth a reminder": (
        policy(repeat_seconds=60, recoveries=5),
        "100",
        [(0, OPENED), (1, REMINDER), (2, REMINDER)],
    ),
    "an end by hand is told to nobody": (NOTIFY, "1x0", [(0, OPENED)]),
}

ACKNOWLEDGED: dict[str, tuple[Policy, str, float | None, list[tuple[int, NotifyReason]]]] = {
    "nobody is reminded of what is acknowledged": (
        policy(repeat_seconds=60),
        "11a111",
        None,
        [(0, OPENED), (1, REMINDER)],
    ),
    "who takes it back is reminded again": (
        policy(repeat_seconds=60),
        "1a11u1",
        None,
        [(0, OPENED), (3, REMINDER)],
    ),
    "a higher importance reopens attention": (STEADY, "Ma1H", None, [(0, OPENED), (2, ESCALATED)]),
    "and reminders go on from there": (
        policy(repeat_seconds=60),
        "MaHM",
        None,
        [(0, OPENED), (1, ESCALATED), (2, REMINDER)],
    ),
    "a sticky acknowledgement holds whatever it comes to matter": (
        policy(sticky_acknowledgement=True, repeat_seconds=60),
        "MaHCM",
        None,
        [(0, OPENED)],
    ),
    "an acknowledgement until a time ends at that time": (
        STEADY,
        "1a111",
        2,
        [(0, OPENED), (2, LAPSED)],
    ),
    "and holds before": (STEADY, "1a111", 2.5, [(0, OPENED), (3, LAPSED)]),
    "also a sticky one": (
        policy(sticky_acknowledgement=True),
        "1a111",
        2,
        [(0, OPENED), (2, LAPSED)],
    ),
    "a higher importance at that moment is what is told": (
        STEADY,
        "Ma1H",
        2,
        [(0, OPENED), (2, ESCALATED)],
    ),
    "the end of what somebody took on is told as any other": (
        NOTIFY,
        "1a10",
        None,
        [(0, OPENED), (2, RESOLVED)],
    ),
    "an end at the moment the acknowledgement ends is an end": (
        NOTIFY,
        "1a0",
        1,
        [(0, OPENED), (1, RESOLVED)],
    ),
    "the next event is nobody's": (STEADY, "1a01", None, [(0, OPENED), (2, OPENED)]),
}


@pytest.mark.parametrize("case", TOLD)
def test_told(case: str) -> None:
    rules, history, expected = TOLD[case]
    assert messages(rules, history) == expected


@pytest.mark.parametrize("case", ACKNOWLEDGED)
def test_acknowledged(case: str) -> None:
    rules, history, until, expected = ACKNOWLEDGED[case]
    assert messages(rules, history, until=until) == expected


def test_an_acknowledgement_holds_until_the_end_and_the_series_says_so() -> None:
    held = lived(STEADY, "1a11", until=9)[-1]
    assert (held.series.acknowledged, held.series.acknowledged_until) == (True, at(9))
    assert not held.reopen
    over = lived(STEADY, "1a0", until=9)[-1]
    assert (over.series.acknowledged, over.series.acknowledged_until) == (False, None)
    assert not over.reopen


@pytest.mark.parametrize(
    ("history", "until"), [("1a1", 1), ("MaH", None)], ids=["time is up", "importance rose"]
)
def test_an_acknowledgement_that_holds_no_longer_is_taken_back(
    history: str, until: float | None
) -> None:
    last = lived(STEADY, history, until=until)[-1]
    assert last.reopen
    assert (last.series.acknowledged, last.series.acknowledged_until) == (False, None)


def test_what_nobody_acknowledged_is_not_reopened() -> None:
    assert not any(decision.reopen for decision in lived(STEADY, "MHC0"))


# -- muted ---------------------------------------------------------------------------------

MUTED: dict[str, tuple[Policy, str, tuple[float, float], list[tuple[int, NotifyReason]]]] = {
    "an event that opened while muted is told at the first run after": (
        STEADY,
        "1111",
        (0, 1),
        [(2, OPENED)],
    ),
    "what recovered while muted is told to nobody": (NOTIFY, "1100", (0, 1), []),
    "an end while muted is not told later": (NOTIFY, "1001", (1, 2), [(0, OPENED), (3, OPENED)]),
    "an end is told of what was told before it was muted": (
        NOTIFY,
        "11110",
        (1, 3),
        [(0, OPENED), (4, RESOLVED)],
    ),
    "that people heard of the event before makes this one no better known": (
        NOTIFY,
        "1010",
        (2, 2),
        [(0, OPENED), (1, RESOLVED)],
    ),
    "an end is told of what was told after it was muted": (
        NOTIFY,
        "1110",
        (0, 1),
        [(2, OPENED), (3, RESOLVED)],
    ),
    "what opened and came to matter more while muted is told as opened": (
        STEADY,
        "MHM",
        (0, 1),
        [(2, OPENED)],
    ),
    "what comes to matter more when it is muted no longer is told as that": (
        STEADY,
        "MMH",
        (0, 1),
        [(2, ESCALATED)],
    ),
    "what came to matter more while muted is told as that": (
        STEADY,
        "MHM",
        (1, 1),
        [(0, OPENED), (2, ESCALATED)],
    ),
    "a reminder that was due while muted comes after": (
        policy(repeat_seconds=120),
        "111111",
        (1, 4),
        [(0, OPENED), (5, REMINDER)],
    ),
    "a higher importance is told before a reminder": (
        policy(repeat_seconds=60),
        "M1H1",
        (1, 2),
        [(0, OPENED), (3, ESCALATED)],
    ),
    "a reminder does not make an event unheard of": (
        policy(repeat_seconds=60, notify_resolved=True),
        "110",
        (1, 1),
        [(0, OPENED), (2, RESOLVED)],
    ),
    "reminders count from what was told and not from what was held back": (
        policy(repeat_seconds=120),
        "11111",
        (0, 1),
        [(2, OPENED), (4, REMINDER)],
    ),
    "what is acknowledged while muted is told to nobody": (STEADY, "1a11", (0, 0), []),
    "unless that is taken back": (STEADY, "1a11u1", (0, 0), [(3, OPENED)]),
    "the end of what only the one who acknowledged knew is not told": (NOTIFY, "1a10", (0, 1), []),
}


@pytest.mark.parametrize("case", MUTED)
def test_muted(case: str) -> None:
    rules, history, (first, last), expected = MUTED[case]
    assert messages(rules, history, muted=during(first, last)) == expected


def test_an_acknowledgement_that_ends_while_muted_is_told_after() -> None:
    found = messages(STEADY, "1a1111", until=2, muted=during(1, 3))
    assert found == [(0, OPENED), (4, LAPSED)]


def test_what_is_held_back_says_why_at_every_run_and_is_noted_once() -> None:
    decisions = lived(STEADY, "111", muted=during(0, 1))
    assert [d.reason for d in decisions] == [
        "opened: the series started to fire; not told: silenced by ann",
        "continued: still firing; not told: silenced by ann",
        "continued: still firing",
    ]
    assert [d.suppression for d in decisions] == [SILENCED, SILENCED, None]
    assert [d.repeated for d in decisions] == [False, True, False]
    assert held_back(STEADY, "111", muted=during(0, 1)) == [(0, OPENED)]
    assert [d.series.notify_count for d in decisions] == [1, 1, 2]
    assert [d.series.withheld for d in decisions] == [OPENED, OPENED, None]
    assert [d.series.notified_at for d in decisions] == [None, None, at(2)]


def test_each_new_thing_that_is_held_back_is_noted() -> None:
    found = held_back(policy(notify_resolved=True), "MMHH0", muted=during(1, 9))
    assert found == [(2, ESCALATED), (4, RESOLVED)]


def test_nothing_is_held_back_when_there_is_nothing_to_tell() -> None:
    decisions = lived(policy(breaches=2), "1010", muted=during(0, 9))
    assert [d.suppression for d in decisions] == [None] * 4
    assert not any("silenced" in d.reason for d in decisions)


def test_what_is_over_is_owed_to_nobody() -> None:
    over = lived(NOTIFY, "10", muted=during(0, 9))[-1]
    assert over.series.withheld is None
    assert lived(NOTIFY, "101", muted=during(0, 1))[-1].notify is OPENED


# -- rate limit ----------------------------------------------------------------------------

LIMIT = policy(max_notifications_per_hour=2)
FULL = [at(-59), at(-10)]


def first(rules: Policy, told: list, minute: float = 0, sign: str = "1") -> Decision:  # type: ignore[type-arg]
    return decide(rules, None, seen(sign, minute), DecisionContext(None, told))


def test_what_is_told_beyond_the_limit_is_held_back_and_says_until_when() -> None:
    decision = first(LIMIT, FULL)
    assert decision.suppression == (
        SuppressionCode.RATE_LIMITED,
        "rate limit: 2 in an hour, the next one from 09:01 UTC",
    )
    assert decision.series.withheld is OPENED


def test_the_limit_is_one_hour_to_the_second() -> None:
    assert first(LIMIT, [at(-60), at(-10)]).suppression is None
    assert first(LIMIT, [at(-59.9), at(-10)]).suppression is not None


def test_fewer_than_the_limit_are_told() -> None:
    assert first(LIMIT, FULL[:1]).suppression is None
    assert first(policy(max_notifications_per_hour=3), FULL).suppression is None


def test_the_next_one_is_told_when_the_oldest_that_counts_is_an_hour_old() -> None:
    told = [at(-50), at(-40), at(-30), at(-20)]
    suppressed = first(LIMIT, told).suppression
    assert suppressed is not None
    assert suppressed.sentence == "rate limit: 2 in an hour, the next one from 09:30 UTC"


def test_what_was_told_of_later_runs_counts_for_a_late_one_too() -> None:
    assert first(LIMIT, [at(5), at(6)]).suppression is not None


def test_without_a_limit_all_are_told() -> None:
    assert first(STEADY, [at(-1)] * 5_000).suppression is None


def test_the_held_message_is_told_when_its_turn_comes() -> None:
    told = [at(-58), at(-57)]
    assert messages(LIMIT, "11111", told=told) == [(2, OPENED)]


def test_one_rules_messages_use_up_the_hour() -> None:
    assert messages(LIMIT, "10101010") == [(0, OPENED), (2, OPENED)]
    after_an_hour = "101010" + "." * 54 + "10"
    assert messages(LIMIT, after_an_hour) == [(0, OPENED), (2, OPENED), (60, OPENED)]


def test_an_end_is_told_beyond_the_limit() -> None:
    rules = policy(max_notifications_per_hour=1, notify_resolved=True)
    assert messages(rules, "10") == [(0, OPENED), (1, RESOLVED)]


def test_a_silence_is_the_reason_before_the_limit_is() -> None:
    decision = decide(LIMIT, None, seen("1", 0), DecisionContext(SILENCED, FULL))
    assert decision.suppression == SILENCED


# -- flapping ------------------------------------------------------------------------------

FLAPS = Policy(flapping=Flapping(), notify_resolved=True)
FLAP_TOLD = [(0, OPENED), (1, RESOLVED), (2, OPENED), (3, RESOLVED), (4, OPENED), (5, RESOLVED)]


def test_a_flapping_series_is_one_message_and_its_end_tells_the_state() -> None:
    history = "1010101" + "01" * 10 + "0" * 30
    found = messages(FLAPS, history)
    assert found[:7] == [*FLAP_TOLD, (6, FLAPPING)]
    assert [tell for _, tell in found[7:]] == [ENDED]
    quiet = Policy(flapping=Flapping(), notify_resolved=False)
    assert messages(quiet, history)[-1] == found[-1]  # whatever it is now, people hear it


def test_flapping_that_begins_while_an_event_is_open_is_told() -> None:
    rules = Policy(flapping=Flapping(), recoveries=3)
    assert messages(rules, "1010101") == [(0, OPENED), (6, FLAPPING)]


def test_flapping_that_ends_in_an_event_that_goes_on_is_told() -> None:
    found = messages(Policy(flapping=Flapping()), "1010101" + "1" * 16)
    assert found[-2:] == [(6, FLAPPING), (21, ENDED)]


def test_flapping_that_nobody_heard_of_ends_unheard() -> None:
    found = messages(FLAPS, "1010101" + "0" * 30, muted=during(6, 7))
    assert found == [*FLAP_TOLD, (8, FLAPPING), (22, ENDED)]
    assert messages(FLAPS, "1010101" + "0" * 30, muted=during(6, 22)) == FLAP_TOLD


def test_the_end_of_flapping_is_told_beyond_the_rate_limit() -> None:
    rules = FLAPS.model_copy(update={"max_notifications_per_hour": 7})
    found = messages(rules, "1010101" + "0" * 30)
    assert found == [*FLAP_TOLD, (6, FLAPPING), (22, ENDED)]


# -- released ------------------------------------------------------------------------------

HELD = replace(lived(STEADY, "0M", muted=during(0, 9))[-1].series, event_id=7)


def test_what_was_held_back_is_told_without_a_run_once_nothing_mutes_it() -> None:
    decision = released(STEADY, HELD, DecisionContext(), at(30))
    assert decision is not None
    assert (decision.notify, decision.suppression, decision.code) == (OPENED, None, "released")
    assert decision.action is Action.CONTINUE
    assert decision.reason == "told now: what muted it has ended"
    assert decision.series == replace(HELD, notified_at=at(30), notify_count=2, withheld=None)


@pytest.mark.parametrize(
    ("series", "world"),
    [
        (HELD, DecisionContext(SILENCED)),
        (replace(HELD, withheld=None), DecisionContext()),
        (replace(HELD, acknowledged=True), DecisionContext()),
        (replace(HELD, status=Status.OK), DecisionContext()),
    ],
    ids=["still muted", "nothing to tell", "somebody has it", "over"],
)
def test_what_is_not_to_be_told_is_not_released(series: Series, world: DecisionContext) -> None:
    assert released(STEADY, series, world, at(30)) is None


def test_an_acknowledgement_that_is_over_holds_nothing_back() -> None:
    series = replace(HELD, acknowledged=True, acknowledged_until=at(30))
    assert released(STEADY, series, DecisionContext(), at(29.9)) is None
    decision = released(STEADY, series, DecisionContext(), at(30))
    assert decision is not None
    assert decision.reopen
    assert decision.snooze_end is TIME_OVER
    assert (decision.series.acknowledged, decision.series.acknowledged_until) == (False, None)


def test_what_is_released_keeps_to_the_rate_limit() -> None:
    told = DecisionContext(None, [at(10), at(20)])
    assert released(LIMIT, HELD, told, at(69)) is None
    assert released(LIMIT, HELD, told, at(70)) is not None


# -- an acknowledgement that ends by itself --------------------------------------------------

CROSSED = NotifyReason.VALUE_CROSSED


def took_on(limits: Limits, *, until: float | None = None) -> Series:
    """An event that somebody acknowledged up to these limits."""
    series = lived(STEADY, "1")[-1].series
    end = at(until) if until is not None else None
    return replace(
        series,
        event_id=7,
        acknowledged=True,
        acknowledged_until=end,
        acknowledged_limits=limits,
    )


def measured(sign: str, minute: float, value: float | None) -> Observation:
    """What was seen at that minute, with the value."""
    return replace(seen(sign, minute), metrics={} if value is None else {"value": value})


def test_an_acknowledgement_ends_once_when_the_value_crosses_its_limit() -> None:
    series = took_on(Limits(above=95))
    for minute, value in ((1, 90), (2, None), (3, 95)):
        decision = decide(STEADY, series, measured("1", minute, value))
        assert (decision.notify, decision.reopen, decision.code) == (None, False, "still-firing")
        series = decision.series
        assert series.acknowledged_limits == Limits(above=95)
    decision = decide(STEADY, series, measured("1", 4, 97))
    assert (decision.notify, decision.reopen, decision.code) == (CROSSED, True, "value-crossed")
    assert decision.reason == (
        "continued: still firing; no longer acknowledged: the value 97 is above 95"
    )
    assert decision.snooze_end == (CROSSED, "the value 97 is above 95")
    series = decision.series
    assert (series.acknowledged, series.acknowledged_limits) == (False, None)
    for minute, value in ((5, 98), (6, 90), (7, 99)):
        decision = decide(STEADY, series, measured("1", minute, value))
        assert (decision.notify, decision.reopen) == (None, False)
        series = decision.series


def test_a_time_that_is_over_ends_an_acknowledgement_whose_limit_was_not_crossed() -> None:
    decision = decide(STEADY, took_on(Limits(below=10), until=5), measured("1", 5, 90))
    assert (decision.notify, decision.snooze_end) == (LAPSED, TIME_OVER)
    assert (decision.code, decision.reason) == ("still-firing", "continued: still firing")


def test_a_crossing_while_muted_is_withheld_and_told_later() -> None:
    muted = DecisionContext(SILENCED)
    decision = decide(STEADY, took_on(Limits(above=95)), measured("1", 1, 97), muted)
    assert (decision.notify, decision.suppression) == (CROSSED, SILENCED)
    assert (decision.series.withheld, decision.series.acknowledged) == (CROSSED, False)
    later = released(STEADY, decision.series, DecisionContext(), at(9))
    assert later is not None
    assert (later.notify, later.reopen, later.snooze_end) == (CROSSED, False, None)


def test_a_higher_importance_that_crosses_the_limit_is_told_as_such() -> None:
    sticky = policy(sticky_acknowledgement=True)
    decision = decide(sticky, took_on(Limits(above=95)), measured("H", 1, 97))
    assert (decision.action, decision.code) == (Action.ESCALATE, "importance-raised")
    assert (decision.notify, decision.reopen) == (ESCALATED, True)
    assert decision.reason.endswith("; no longer acknowledged: the value 97 is above 95")


def test_an_event_that_ends_beyond_the_limit_has_ended() -> None:
    decision = decide(NOTIFY, took_on(Limits(below=10)), measured("0", 1, 3))
    assert (decision.action, decision.notify, decision.reopen) == (Action.RESOLVE, RESOLVED, False)


# -- lapsed ----------------------------------------------------------------------------------

SNOOZED = replace(
    lived(STEADY, "1")[-1].series, event_id=7, acknowledged=True, acknowledged_until=at(30)
)


def test_an_acknowledgement_ends_at_its_time_without_a_run() -> None:
    decision = lapsed(STEADY, SNOOZED, DecisionContext(), at(30))
    assert decision is not None
    assert (decision.action, decision.code) == (Action.CONTINUE, "acknowledgement-ended")
    assert (decision.notify, decision.suppression, decision.reopen) == (LAPSED, None, True)
    assert decision.snooze_end is TIME_OVER
    assert decision.series == replace(
        SNOOZED,
        acknowledged=False,
        acknowledged_until=None,
        notified_at=at(30),
        notify_count=SNOOZED.notify_count + 1,
    )
    run = decide(STEADY, SNOOZED, seen("1", 30))
    assert (run.notify, run.reopen, run.snooze_end) == (LAPSED, True, TIME_OVER)
    assert decide(STEADY, decision.series, seen("1", 31)).notify is None


@pytest.mark.parametrize(
    "series",
    [
        replace(SNOOZED, acknowledged_until=at(30.1)),
        replace(SNOOZED, acknowledged_until=None),
        replace(SNOOZED, acknowledged=False, acknowledged_until=None),
        replace(SNOOZED, status=Status.OK),
    ],
    ids=["not yet", "until it ends", "nobody has it", "over"],
)
def test_an_acknowledgement_that_holds_does_not_lapse(series: Series) -> None:
    assert lapsed(STEADY, series, DecisionContext(), at(30)) is None


@pytest.mark.parametrize("withheld", [None, OPENED, LAPSED])
def test_the_end_of_an_acknowledgement_while_muted_is_told_later(
    withheld: NotifyReason | None,
) -> None:
    series = replace(SNOOZED, withheld=withheld)
    decision = lapsed(STEADY, series, DecisionContext(SILENCED), at(30))
    assert decision is not None
    assert (decision.reopen, decision.suppression) == (True, SILENCED)
    assert decision.reason.endswith(f"not told: {SILENCED.sentence}")
    assert decision.repeated is (withheld is not None)
    count = series.notify_count + (0 if withheld else 1)
    assert (decision.series.notify_count, decision.series.withheld) == (count, withheld or LAPSED)
    assert decision.series.notified_at == series.notified_at


# -- unless suppressed ---------------------------------------------------------------------

ENDS = Decision(Action.RESOLVE, HELD, "expired", "resolved: expired", RESOLVED)


def test_a_decision_keeps_its_notification_while_nothing_suppresses_it() -> None:
    assert unless_suppressed(ENDS, DecisionContext()) is ENDS


def test_a_decision_without_a_notification_has_nothing_to_suppress() -> None:
    calm = replace(ENDS, notify=None)
    assert unless_suppressed(calm, DecisionContext(SILENCED)) is calm


def test_a_suppressed_decision_says_why() -> None:
    assert unless_suppressed(ENDS, DecisionContext(SILENCED)) == replace(
        ENDS, suppression=SILENCED, reason=f"resolved: expired; not told: {SILENCED.sentence}"
    )
