"""A rule's settings over what its runs observed: judging with conditions, what follows from it,
and what errors, missing data and missing tickers mean."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.late import LateAction, LateDecision, Neighbour
from sentinel_core.decide.lifecycle import UNSEEN, Lifecycle, is_late
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Action, DecisionContext, Key, Series, Status
from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import MESSAGE_LIMIT
from sentinel_core.model.rule import Meaning, RuleSettings
from sentinel_core.model.run import Skip
from tests.support.lives import SILENCED
from tests.support.runs import T0, at

HIGH = Importance.HIGH
ALERT, ERROR, NO_DATA, FAILURE = Kind.ALERT, Kind.ERROR, Kind.NO_DATA, Kind.FAILURE
HOT = {"op": "gte", "value": 85, "clear": 80}
MEAN = {"op": "gte", "value": 85, "aggregate": "avg", "over_seconds": 300, "minimum_points": 3}


def lifecycle(conditions: Sequence[dict[str, Any]] = (), **policy: Any) -> Lifecycle:
    said = {"importance": "high", "conditions": conditions, "policy": policy}
    return Lifecycle(RuleSettings.model_validate(said))


def seen(kind: Kind = ALERT, ticker: str = "A", breached: bool = False, **more: Any) -> Observation:
    reported = {"reported": breached and kind is ALERT} if kind in (ALERT, ERROR, NO_DATA) else {}
    fields = {"message": "A said", **reported, **more}
    return Observation(kind, ticker, at(10), breached, Importance.MEDIUM, **fields)


def measured(*values: float) -> Samples:
    """A minute apart, the newest at ten past nine."""
    found = Samples()
    for n, value in enumerate(reversed(values)):
        found.add(at(10 - n).timestamp(), {"value": value})
    return found


FIRING = Series(Status.FIRING, at(5), 7, HIGH)
PENDING = Series(Status.PENDING, at(5))
OK = Series(Status.OK, at(5))


# -- judging -------------------------------------------------------------------------------


def test_without_conditions_the_trigger_has_the_say() -> None:
    said = seen(breached=True)
    assert lifecycle().judged(said, None, Samples()) is said


def test_with_conditions_the_numbers_have_the_say_and_the_message_says_why() -> None:
    judged = lifecycle([HOT]).judged(seen(), None, measured(90))
    assert (judged.breached, judged.message) == (True, "A said (value 90 ≥ 85)")
    assert (judged.reported, judged.said, judged.unjudged) == (False, "A said", "")
    fine = lifecycle([HOT]).judged(seen(breached=True), None, measured(10))
    assert (fine.breached, fine.message) == (False, "A said (value 10 is not ≥ 85)")
    assert fine.reported is True


def test_the_longest_message_is_cut_and_keeps_to_the_limit() -> None:
    told = " (value 90 ≥ 85)"
    for length, cut in ((MESSAGE_LIMIT - len(told), False), (MESSAGE_LIMIT, True)):
        judged = lifecycle([HOT]).judged(seen(message="x" * length), None, measured(90))
        assert len(judged.message) == MESSAGE_LIMIT
        assert judged.message.endswith("…" if cut else told)


def test_what_was_measured_stays_what_it_was() -> None:
    said = seen(measured_at=at(9), metrics={"value": 90.0}, metadata={"rows": 3})
    judged = lifecycle([HOT]).judged(said, None, measured(90))
    assert replace(judged, breached=False, message="A said", said=None) == said


def test_a_trigger_that_says_nothing_leaves_the_words_to_the_conditions() -> None:
    judged = lifecycle([HOT]).judged(seen(message=""), None, measured(90))
    assert (judged.message, judged.said) == ("value 90 ≥ 85", "")


@pytest.mark.parametrize(
    ("previous", "breached"), [(None, False), (OK, False), (PENDING, False), (FIRING, True)]
)
def test_only_what_fires_is_held_to_the_clearing_threshold(
    previous: Series | None, breached: bool
) -> None:
    assert lifecycle([HOT]).judged(seen(), previous, measured(82)).breached is breached


def test_a_metric_that_is_missing_is_an_error_of_that_series() -> None:
    rule = lifecycle([{**HOT, "metric": "cpu"}])
    judged = rule.judged(seen(breached=True), None, measured(1))
    assert (judged.kind, judged.breached, judged.ticker) == (ERROR, True, "A")
    assert judged.message == (
        "Not checked: a condition asks for the metric 'cpu'; measured: value."
    )
    assert (judged.said, judged.reported) == ("A said", True)


@pytest.mark.parametrize("kind", [k for k in Kind if k is not ALERT])
def test_what_is_no_measurement_is_asked_nothing(kind: Kind) -> None:
    other = seen(kind, breached=True)
    assert lifecycle([HOT]).judged(other, None, Samples()) is other


def test_what_the_check_itself_did_not_report_is_asked_nothing() -> None:
    """A check that found no series at all has no numbers, and is no error."""
    nothing = seen(reported=None)
    assert lifecycle([HOT]).judged(nothing, None, Samples()) is nothing


@pytest.mark.parametrize("first_at", [None, at(10), at(5) + timedelta(seconds=1)])
def test_a_window_that_cannot_be_full_yet_is_not_judged(first_at: Any) -> None:
    judged = lifecycle([MEAN]).judged(seen(breached=True), None, measured(99), first_at)
    assert (judged.kind, judged.breached) == (ALERT, False)
    assert judged.unjudged == "avg(value) over 5 min: 1 of 3 values in 5 min"
    assert judged.message == f"A said {judged.unjudged}"
    assert judged.said == "A said"


def test_a_window_that_should_be_full_and_is_not_has_no_data() -> None:
    judged = lifecycle([MEAN]).judged(seen(), None, measured(99), at(5))
    assert (judged.kind, judged.breached, judged.unjudged) == (NO_DATA, True, "")
    assert judged.message == "No data: A said avg(value) over 5 min: 1 of 3 values in 5 min"
    assert judged.said == "A said"


def test_a_rule_looks_back_as_far_as_its_conditions() -> None:
    assert lifecycle([HOT, MEAN]).look_back == timedelta(minutes=5)
    assert lifecycle().look_back == timedelta(0)


# -- consequences --------------------------------------------------------------------------


def consequences(
    rule: Lifecycle, run: Sequence[Observation], series: dict[Key, Series]
) -> list[tuple[Kind, str, bool, str]]:
    """What a run says of other series."""
    found = list(rule.consequences(run, series))
    assert {(one.at, one.evaluated) for one in found if not one.breached} <= {(at(10), False)}
    assert {(one.at, one.evaluated) for one in found if one.breached} <= {(at(10), True)}
    return [(one.kind, one.ticker, one.breached, one.message) for one in found]


AGAIN = "Measured again."
Expected = list[tuple[Kind, str, bool, str]]
CONSEQUENCES: dict[str, tuple[dict[str, Any], list[Observation], dict[Key, Series], Expected]] = {
    "nothing follows from what is fine": ({}, [seen()], {(ALERT, "A"): FIRING}, []),
    "a series that was measured is in error no longer": (
        {},
        [seen()],
        {(ERROR, "A"): FIRING, (NO_DATA, "A"): PENDING},
        [(ERROR, "A", False, AGAIN), (NO_DATA, "A", False, AGAIN)],
    ),
    "also when it fires": (
        {},
        [seen(breached=True)],
        {(ERROR, "A"): FIRING},
        [(ERROR, "A", False, AGAIN)],
    ),
    "one that was not in error needs no such news": ({}, [seen()], {(ERROR, "A"): OK}, []),
    "another series' error is its own": ({}, [seen()], {(ERROR, "B"): FIRING}, []),
    "a window that is not full yet measures nothing": (
        {},
        [seen(unjudged="too few")],
        {(ERROR, "A"): FIRING},
        [],
    ),
    "trouble of a check that finds nothing at all is over once it finds a series": (
        {},
        [seen(FAILURE, "", False, evaluated=False), seen(), seen(ticker="B")],
        {(ERROR, ""): OK, (NO_DATA, ""): FIRING},
        [(NO_DATA, "", False, AGAIN)],
    ),
    "both kinds of it": (
        {},
        [seen()],
        {(ERROR, ""): FIRING, (NO_DATA, ""): PENDING},
        [(ERROR, "", False, AGAIN), (NO_DATA, "", False, AGAIN)],
    ),
    "and not when nothing was measured": (
        {},
        [seen(ERROR, breached=True), seen(ticker="B", unjudged="too few")],
        {(ERROR, ""): FIRING},
        [],
    ),
    "nor while it still says something without a ticker": (
        {},
        [seen(), seen(ERROR, "", True)],
        {(NO_DATA, ""): FIRING},
        [],
    ),
    "one kind of trouble does not end the other": (
        {},
        [seen(ERROR, breached=True)],
        {(NO_DATA, "A"): FIRING, (ERROR, "A"): FIRING},
        [],
    ),
    "an error that counts as ok ends what fires": (
        {"on_error": "ok"},
        [seen(ERROR, breached=True)],
        {(ALERT, "A"): FIRING, (ALERT, "B"): FIRING},
        [(ALERT, "A", False, "Counted as ok: A said")],
    ),
    "and what is pending": (
        {"on_no_data": "ok"},
        [seen(NO_DATA, breached=True)],
        {(ALERT, "A"): PENDING},
        [(ALERT, "A", False, "Counted as ok: A said")],
    ),
    "a run that failed and counts as ok ends all that fires": (
        {"on_error": "ok"},
        [seen(FAILURE, "", True)],
        {(ALERT, "B"): FIRING, (ALERT, "A"): PENDING, (ALERT, "C"): OK, (ERROR, "A"): FIRING},
        [
            (ALERT, "A", False, "Counted as ok: A said"),
            (ALERT, "B", False, "Counted as ok: A said"),
        ],
    ),
    "an error that is an event or no news ends nothing": (
        {"on_error": "keep", "on_no_data": "ok"},
        [seen(ERROR, breached=True), seen(FAILURE, "", True)],
        {(ALERT, "A"): FIRING},
        [],
    ),
    "that a run does not fail counts as nothing": (
        {"on_error": "ok"},
        [seen(), seen(FAILURE, "", False, evaluated=False)],
        {(ALERT, "A"): FIRING},
        [],
    ),
    "a ticker that is missing is no news": ({}, [seen()], {(ALERT, "B"): FIRING}, []),
    "unless the policy counts it as ok": (
        {"on_missing": "ok"},
        [seen()],
        {(ALERT, "C"): PENDING, (ALERT, "B"): FIRING, (ALERT, "D"): OK},
        [(ALERT, "B", False, UNSEEN), (ALERT, "C", False, UNSEEN)],
    ),
    "and so are its error and its missing data": (
        {"on_missing": "ok"},
        [seen()],
        {
            (ERROR, "A"): OK,
            (ERROR, "B"): FIRING,
            (NO_DATA, "C"): PENDING,
            (NO_DATA, "D"): OK,
            (FAILURE, ""): FIRING,
        },
        [(ERROR, "B", False, UNSEEN), (NO_DATA, "C", False, UNSEEN)],
    ),
    "but what a check was about that found nothing is over for one reason only": (
        {"on_missing": "ok"},
        [seen()],
        {(ERROR, ""): FIRING, (NO_DATA, ""): FIRING},
        [(ERROR, "", False, "Measured again."), (NO_DATA, "", False, "Measured again.")],
    ),
    "or as no data, whatever its state was": (
        {"on_missing": "event"},
        [seen()],
        {(ALERT, "C"): OK, (ALERT, "B"): FIRING, (ERROR, "E"): FIRING},
        [(NO_DATA, "B", True, UNSEEN), (NO_DATA, "C", True, UNSEEN)],
    ),
    "those that are there are passed over": (
        {"on_missing": "event"},
        [seen()],
        {(ALERT, "A"): OK, (ALERT, "B"): OK},
        [(NO_DATA, "B", True, UNSEEN)],
    ),
    "a ticker that could not be judged is not missing": (
        {"on_missing": "event"},
        [seen(ERROR, breached=True), seen(NO_DATA, "B", True)],
        {(ALERT, "A"): OK, (ALERT, "B"): OK},
        [],
    ),
    "all are missing when there are only problems of others": (
        {"on_missing": "event"},
        [seen(NO_DATA, "B", True)],
        {(ALERT, "A"): OK},
        [(NO_DATA, "A", True, UNSEEN)],
    ),
    "a run that did not check misses nothing": (
        {"on_missing": "event"},
        [seen(FAILURE, "", True)],
        {(ALERT, "A"): OK},
        [],
    ),
    "nor does one that was skipped": (
        {"on_missing": "ok"},
        [seen(Kind.SKIPPED, "")],
        {(ALERT, "A"): FIRING},
        [],
    ),
    "a check that found nothing once is not missed when it finds something": (
        {"on_missing": "event"},
        [seen()],
        {(ALERT, ""): OK},
        [],
    ),
    "what such a check was about is over when the policy counts it as ok": (
        {"on_missing": "ok"},
        [seen()],
        {(ALERT, ""): FIRING},
        [(ALERT, "", False, UNSEEN)],
    ),
    "a late run does not miss what was first seen after it": (
        {"on_missing": "event"},
        [seen()],
        {(ALERT, "B"): replace(OK, last_at=at(11)), (ALERT, "C"): replace(OK, last_at=at(10))},
        [(NO_DATA, "C", True, UNSEEN)],
    ),
}


@pytest.mark.parametrize("case", CONSEQUENCES)
def test_consequence(case: str) -> None:
    policy, run, series, expected = CONSEQUENCES[case]
    assert consequences(lifecycle(**policy), run, series) == expected


def test_news_in_passing_is_of_the_importance_of_what_brought_it() -> None:
    series = {(ERROR, "A"): FIRING, (NO_DATA, ""): FIRING}
    for again in lifecycle().consequences([seen()], series):
        assert again.importance is Importance.MEDIUM


def test_a_missing_ticker_matters_as_much_as_its_rule() -> None:
    [missing] = lifecycle(on_missing="event").consequences([seen()], {(ALERT, "B"): OK})
    assert missing.importance is HIGH


# -- expiry --------------------------------------------------------------------------------


def test_what_no_run_confirms_expires_and_what_the_run_is_about_does_not() -> None:
    rule = lifecycle(expire_seconds=300)
    old = replace(FIRING, breached_at=at(5))
    series = {
        (ALERT, "A"): old,
        (ALERT, "B"): old,
        (ALERT, "C"): replace(old, breached_at=at(5.1)),
        (ALERT, "D"): replace(old, status=Status.PENDING),
        (ERROR, "B"): old,
    }
    [(over, known, decision)] = rule.expiries(at(10), [seen()], series)
    assert (over.kind, over.ticker, over.at, over.breached, over.evaluated) == (
        ALERT,
        "B",
        at(10),
        False,
        False,
    )
    assert over.importance is HIGH
    assert over.message == decision.reason == "resolved: expired, no breach since 09:05 UTC"
    assert known is old
    assert decision.code == "expired"


def test_an_event_that_expires_without_an_importance_has_its_rules() -> None:
    series = {(ALERT, "B"): Series(Status.FIRING, at(0), 7, None)}
    [(over, _, _)] = lifecycle(expire_seconds=60).expiries(at(10), [], series)
    assert over.importance is HIGH


def test_nothing_expires_without_a_time() -> None:
    assert list(lifecycle().expiries(at(9_999), [], {(ALERT, "B"): FIRING})) == []


def test_what_expires_keeps_the_importance_it_had() -> None:
    series = {(ALERT, "B"): Series(Status.FIRING, at(0), 7, Importance.LOW)}
    [(over, _, _)] = lifecycle(expire_seconds=60).expiries(at(10), [], series)
    assert over.importance is Importance.LOW


# -- deciding ------------------------------------------------------------------------------

PROBLEMS = [(FAILURE, "on_error"), (ERROR, "on_error"), (NO_DATA, "on_no_data")]


@pytest.mark.parametrize(("kind", "name"), PROBLEMS)
def test_a_problem_is_an_event_by_default(kind: Kind, name: str) -> None:
    decision = lifecycle().decide(None, seen(kind, breached=True), DecisionContext())
    assert (decision.action, decision.code) == (Action.OPEN, "started")


@pytest.mark.parametrize("meaning", [Meaning.KEEP, Meaning.OK])
@pytest.mark.parametrize(("kind", "name"), PROBLEMS)
def test_a_problem_that_is_none_opens_nothing_and_says_so(
    kind: Kind, name: str, meaning: Meaning
) -> None:
    rule = lifecycle(**{name: meaning})
    decision = rule.decide(None, seen(kind, breached=True), DecisionContext())
    assert (decision.action, decision.status) == (Action.QUIET, Status.OK)
    assert decision.code == f"{kind}-{meaning}"
    said = "no news" if meaning is Meaning.KEEP else "counted as ok"
    assert decision.reason == f"{said}: A said"


def test_a_reason_stays_short_however_long_the_error_is() -> None:
    decision = lifecycle(on_error="keep").decide(
        None, seen(ERROR, breached=True, message="x" * 9_999), DecisionContext()
    )
    assert len(decision.reason) == 500


def test_an_error_event_from_before_ends_when_errors_are_no_events_any_more() -> None:
    decision = lifecycle(on_error="keep").decide(
        FIRING, seen(ERROR, breached=True), DecisionContext()
    )
    assert (decision.action, decision.code) == (Action.RESOLVE, "recovered")


def test_the_end_of_a_problem_is_decided_as_any_other() -> None:
    decision = lifecycle(on_error="keep").decide(FIRING, seen(ERROR), DecisionContext())
    assert (decision.action, decision.reason) == (Action.RESOLVE, "resolved: A said")


@pytest.mark.parametrize("on_no_data", Meaning)
def test_a_missing_ticker_is_an_event_where_the_policy_says_so_of_missing_ones(
    on_no_data: Meaning,
) -> None:
    rule = lifecycle(on_missing="event", on_no_data=on_no_data)
    [missing] = rule.consequences([seen()], {(ALERT, "B"): OK})
    assert rule.decide(None, missing, DecisionContext()).action is Action.OPEN


@pytest.mark.parametrize(
    ("kind", "name"), [(FAILURE, "errors"), (ERROR, "errors"), (NO_DATA, "no_data")]
)
def test_it_may_take_several_problems_in_a_row(kind: Kind, name: str) -> None:
    rule = lifecycle(**{name: 2})
    first = rule.decide(None, seen(kind, breached=True), DecisionContext())
    assert (first.code, first.status) == ("pending", Status.PENDING)
    second = rule.decide(first.series, seen(kind, breached=True), DecisionContext())
    assert second.action is Action.OPEN


def test_the_end_of_a_problem_that_is_none_any_more_is_muted_as_any_other() -> None:
    rule = lifecycle(on_error="keep", notify_resolved=True)
    told = replace(FIRING, notified_at=at(5), notify_count=1)
    decision = rule.decide(told, seen(ERROR, breached=True), DecisionContext(SILENCED))
    assert (decision.action, decision.suppression) == (Action.RESOLVE, SILENCED)


def test_what_breaches_take_is_not_asked_of_problems() -> None:
    rule = lifecycle(breaches=5, of_last=9, recoveries=5)
    opened = rule.decide(None, seen(ERROR, breached=True), DecisionContext())
    assert opened.action is Action.OPEN
    assert rule.decide(opened.series, seen(ERROR), DecisionContext()).action is Action.RESOLVE
    assert rule.decide(None, seen(breached=True), DecisionContext()).action is Action.QUIET


UNCHANGED: dict[str, tuple[Observation, str, str]] = {
    "a skipped run": (
        seen(Kind.SKIPPED, "", message="40 min late."),
        "skipped",
        "skipped: 40 min late.",
    ),
    "a run that overlaps another": (
        seen(Kind.SKIPPED, "", message="Another one was under way.", skip=Skip.UNDER_WAY),
        "skipped-under-way",
        "skipped: Another one was under way.",
    ),
    "a window that is not full": (
        seen(unjudged="1 of 3 values"),
        "warming-up",
        "not judged yet: 1 of 3 values",
    ),
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_what_says_nothing_changes_nothing_but_the_time(case: str) -> None:
    said, code, reason = UNCHANGED[case]
    for previous, action in ((FIRING, Action.CONTINUE), (PENDING, Action.QUIET)):
        decision = lifecycle().decide(previous, said, DecisionContext())
        assert (decision.action, decision.code, decision.reason) == (action, code, reason)
        assert decision.series == replace(previous, last_at=at(10))
        assert decision.notify is None
    new = lifecycle().decide(None, said, DecisionContext())
    assert (new.action, new.code, new.reason) == (Action.QUIET, code, reason)
    assert new.series == Series(Status.OK, at(10))


# -- what is late --------------------------------------------------------------------------


def test_what_is_older_than_its_series_is_late() -> None:
    series = {(ALERT, "A"): replace(OK, last_at=at(10))}
    assert not is_late(seen(), series)
    assert not is_late(seen(), {})
    assert is_late(replace(seen(), at=T0), series)
    assert not is_late(replace(seen(ticker="B"), at=T0), series)


@pytest.mark.parametrize("kind", [ERROR, NO_DATA])
def test_a_problem_is_late_when_its_series_was_measured_since(kind: Kind) -> None:
    series = {(ALERT, "A"): replace(OK, last_at=at(11))}
    assert is_late(seen(kind, breached=True), series)
    assert not is_late(seen(kind, "B", breached=True), series)
    assert not is_late(seen(kind, breached=True), {(ALERT, "A"): replace(OK, last_at=at(10))})
    assert not is_late(seen(kind), series)


def test_an_alert_is_not_late_because_of_a_problem() -> None:
    series = {(ERROR, "A"): replace(FIRING, last_at=at(11))}
    assert not is_late(seen(breached=True), series)


WAS_OK = Neighbour(breached=False, event_id=None)


def test_a_late_breach_is_placed_with_the_policy_of_its_kind() -> None:
    rule = lifecycle(breaches=2)
    assert rule.decide_late(seen(breached=True), [WAS_OK], []).code == "late-pending"
    assert rule.decide_late(seen(ERROR, breached=True), [WAS_OK], []).code == "late-past"


@pytest.mark.parametrize("meaning", [Meaning.KEEP, Meaning.OK])
def test_a_late_problem_that_is_none_changes_nothing(meaning: Meaning) -> None:
    placed = lifecycle(on_error=meaning).decide_late(seen(ERROR, breached=True), [], [])
    assert (placed.action, placed.code) == (LateAction.IGNORE, "late-ok")


def test_a_run_that_was_skipped_is_that_when_it_is_late_as_well() -> None:
    placed = lifecycle().decide_late(seen(Kind.SKIPPED, "", message="40 min late."), [], [])
    assert placed == LateDecision(LateAction.IGNORE, None, "skipped", "skipped: 40 min late.")


def test_what_was_not_judged_changes_nothing_when_it_is_late() -> None:
    unjudged = seen(breached=True, unjudged="too few")
    assert lifecycle().decide_late(unjudged, [], []).action is LateAction.IGNORE


@pytest.mark.parametrize(
    ("policy", "count"),
    [({}, 1), ({"of_last": 6}, 5), ({"errors": 4}, 3), ({"no_data": 3, "breaches": 2}, 2)],
)
def test_as_many_neighbours_are_asked_for_as_any_kind_needs(
    policy: dict[str, Any], count: int
) -> None:
    assert lifecycle(**policy).late_neighbours == count
