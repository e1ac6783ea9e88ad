"""Conditions over numbers and their recent past: what holds, what does not, what is open."""

import math
import statistics
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sentinel_core.decide.conditions import (
    MetricMissingError,
    Samples,
    Verdict,
    aggregated,
    compare,
    evaluate,
)
from sentinel_core.model.condition import Aggregate, Condition, Conditions, Operator

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Conditions)
finite = st.floats(-1e12, 1e12, allow_nan=False)


def samples(*values: float | None, step: float = 60, metric: str = "value") -> Samples:
    """Measurements `step` seconds apart, the first at `step`; None: without this metric."""
    found = Samples()
    for n, value in enumerate(values, 1):
        found.add(n * step, {} if value is None else {metric: value})
    return found


def asked(
    of: Samples, *said: dict[str, Any], at: float | None = None, firing: bool = False
) -> Verdict:
    """What conditions say at the newest measurement, or at another time."""
    rules = CONDITIONS.validate_python([{"op": "gt", "value": 80, **one} for one in said])
    return evaluate(rules, of, of.times[-1] if at is None else at, firing=firing)


# -- operators -----------------------------------------------------------------------------

COMPARED = {
    Operator.GT: (False, False, True),
    Operator.GTE: (False, True, True),
    Operator.LT: (True, False, False),
    Operator.LTE: (True, True, False),
    Operator.EQ: (False, True, False),
    Operator.NE: (True, False, True),
}


@pytest.mark.parametrize("op", Operator)
def test_an_operator_compares_with_a_number_below_the_same_and_above(op: Operator) -> None:
    assert tuple(compare(value, op, 80) for value in (79, 80, 81)) == COMPARED[op]


@pytest.mark.parametrize(
    ("value", "threshold", "tolerance", "same"),
    [
        (0.1 + 0.2, 0.3, 1e-9, True),
        (0.1 + 0.2, 0.3, 0.0, False),
        (101, 100, 0.01, True),
        (102.1, 100, 0.02, False),
        (100, 102, 0.02, True),
        (0.005, 0, 0.01, True),
        (0.02, 0, 0.01, False),
        (-1, 1, 1.0, False),
    ],
)
def test_equal_numbers_may_differ_by_the_tolerance(
    value: float, threshold: float, tolerance: float, same: bool
) -> None:
    assert compare(value, Operator.EQ, threshold, tolerance) is same
    assert compare(value, Operator.NE, threshold, tolerance) is not same


def test_a_condition_brings_its_tolerance() -> None:
    assert asked(samples(101), {"op": "eq", "value": 100, "tolerance": 0.01}).breached
    assert not asked(samples(101), {"op": "eq", "value": 100, "tolerance": 0.001}).breached


def test_order_knows_no_tolerance() -> None:
    assert compare(80 + 1e-12, Operator.GT, 80, 1.0)


# -- one value -----------------------------------------------------------------------------


def test_without_a_window_the_newest_value_counts() -> None:
    assert asked(samples(99, 81), {}) == Verdict(True, "value 81 > 80")
    assert asked(samples(99, 80), {}) == Verdict(False, "value 80 is not > 80")


def test_numbers_are_told_with_six_digits() -> None:
    assert asked(samples(1234.56789), {}).sentence == "value 1234.57 > 80"


def test_at_another_time_the_newest_value_by_then_counts() -> None:
    assert asked(samples(99, 10), {}, at=60).breached
    assert asked(samples(99, 10), {}, at=119.9).breached
    assert not asked(samples(99, 10), {}, at=120).breached


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(MetricMissingError, match=r"metric 'cpu'; measured: value$"):
        asked(samples(1), {"metric": "cpu"})


def test_a_metric_that_was_measured_before_and_is_missing_now_is_an_error() -> None:
    with pytest.raises(MetricMissingError, match="measured: no metric at all"):
        asked(samples(99, None), {})


def test_before_the_first_measurement_there_is_no_metric() -> None:
    with pytest.raises(MetricMissingError, match="no metric at all"):
        asked(samples(99), {}, at=59)


def test_an_error_names_at_most_twenty_metrics() -> None:
    many = Samples()
    many.add(1, {f"m{n:02}": 1.0 for n in range(30)})
    with pytest.raises(MetricMissingError) as told:
        asked(many, {"metric": "cpu"})
    assert str(told.value).endswith("m18, m19")


# -- windows -------------------------------------------------------------------------------


def over(aggregate: str, seconds: float = 180, **more: Any) -> dict[str, Any]:
    return {"aggregate": aggregate, "over_seconds": seconds, "value": 0, **more}


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [
        ("avg", "5"),
        ("min", "1"),
        ("max", "9"),
        ("sum", "15"),
        ("count", "3"),
        ("delta", "-4"),
        ("rate", "0.0416667"),
        ("percentile", "7.4"),
    ],
)
def test_an_aggregate_is_of_the_window_and_nothing_older(aggregate: str, value: str) -> None:
    more = {"percentile": 80} if aggregate == "percentile" else {}
    verdict = asked(samples(100, 9, 1, 5), over(aggregate, **more))
    shown = "p80" if aggregate == "percentile" else aggregate
    word = "is not >" if value.startswith("-") else ">"
    assert verdict.sentence == f"{shown}(value) over 3 min {value} {word} 0"


def test_a_window_ends_with_the_newest_and_leaves_out_what_is_just_too_old() -> None:
    of = samples(100, 1, 1)
    assert asked(of, over("max", 120)).sentence.startswith("max(value) over 2 min 1 ")
    assert asked(of, over("max", 121)).sentence.startswith("max(value) over 121 s 100 ")


def test_what_is_newer_than_the_moment_is_not_in_its_window() -> None:
    assert asked(samples(1, 2, 100), over("max"), at=120).sentence == "max(value) over 3 min 2 > 0"


def test_a_measurement_without_the_metric_is_a_gap() -> None:
    assert asked(samples(4, None, 8), over("avg")).sentence == "avg(value) over 3 min 6 > 0"
    assert asked(samples(4, None, 8), over("count")).sentence == "count(value) over 3 min 2 > 0"


def test_a_window_without_any_value_of_the_metric_is_an_error() -> None:
    with pytest.raises(MetricMissingError, match="metric 'cpu'; measured: value"):
        asked(samples(1, 2), over("avg", metric="cpu"))
    with pytest.raises(MetricMissingError):
        asked(samples(1, None, None), over("avg", 60))


def test_too_few_values_leave_it_open() -> None:
    verdict = asked(samples(99, 99), over("avg", minimum_points=3))
    assert verdict == Verdict(None, "avg(value) over 3 min: 2 of 3 values in 3 min")
    assert asked(samples(99, 99, 99), over("avg", minimum_points=3)).breached


@pytest.mark.parametrize("aggregate", ["delta", "rate"])
def test_growth_of_one_value_is_open(aggregate: str) -> None:
    assert asked(samples(99), over(aggregate)).breached is None


def test_a_counter_that_fell_was_reset_and_counts_from_nothing() -> None:
    """10 → 40 → 5 → 25 in three minutes: 30 + 5 + 20."""
    assert aggregated([10, 40, 5, 25], Aggregate.RATE, times=[0, 60, 120, 180]) == 55 / 180


def test_values_of_one_moment_have_no_rate() -> None:
    assert aggregated([1, 5], Aggregate.RATE, times=[60, 60]) == 0
    assert aggregated([3, 3], Aggregate.RATE, times=[0, 60]) == 0
    assert aggregated([1, 5], Aggregate.RATE, times=[60, 60.5]) == 8


@given(st.lists(finite, min_size=1, max_size=50), st.floats(0, 100))
def test_a_percentile_is_numpys(values: list[float], percent: float) -> None:
    found = aggregated(values, Aggregate.PERCENTILE, percent)
    assert found == pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-3)


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (25, 1.75), (50, 2.5), (90, 3.7), (100, 4)])
def test_a_percentile_lies_between_the_two_nearest_ranks(percent: float, value: float) -> None:
    assert aggregated([4.0, 1.0, 3.0, 2.0], Aggregate.PERCENTILE, percent) == pytest.approx(value)


def test_a_percentile_that_is_not_given_is_the_median() -> None:
    assert aggregated([1, 2, 30], Aggregate.PERCENTILE) == 2


@given(st.lists(finite, min_size=2, max_size=50))
def test_the_other_aggregates_are_what_their_names_say(values: list[float]) -> None:
    times = range(len(values))
    found = {
        a: aggregated(values, a, times=times) for a in Aggregate if a is not Aggregate.PERCENTILE
    }
    assert found[Aggregate.LAST] == values[-1]
    assert (found[Aggregate.MIN], found[Aggregate.MAX]) == (min(values), max(values))
    assert found[Aggregate.COUNT] == len(values)
    assert found[Aggregate.SUM] == math.fsum(values)
    assert found[Aggregate.AVG] == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-9)
    assert found[Aggregate.DELTA] == values[-1] - values[0]
    if values == sorted(values) and values[0] >= 0:
        assert found[Aggregate.RATE] == pytest.approx((values[-1] - values[0]) / (len(values) - 1))


HUGE = 1.7e308
TOO_LARGE: dict[str, tuple[tuple[float, ...], dict[str, Any]]] = {
    "a sum": ((HUGE, HUGE), over("sum")),
    "a mean": ((HUGE, HUGE), over("avg")),
    "a difference": ((-HUGE, HUGE), over("delta")),
    "a rate": ((-HUGE, HUGE), over("rate")),
    "a percentile between two": ((-HUGE, HUGE), over("percentile", percentile=50)),
    "a deviation": (
        (-HUGE, HUGE, 0, 0),
        {**over("avg", 120), "baseline": {"ago_seconds": 120, "measure": "sigma"}},
    ),
    "a mean it is compared with": (
        (HUGE, HUGE, 0, 0),
        {**over("avg", 120), "baseline": {"ago_seconds": 120}},
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_what_no_number_can_hold_is_an_error_and_never_not_triggered(case: str) -> None:
    values, said = TOO_LARGE[case]
    with pytest.raises(MetricMissingError, match=r"over [23] min.* is too large for a number$"):
        asked(samples(*values), said)


# -- baselines -----------------------------------------------------------------------------


def against(measure: str = "percent", ago: float = 120, **more: Any) -> dict[str, Any]:
    return {**over("avg", 120), "baseline": {"ago_seconds": ago, "measure": measure}, **more}


PERCENTS: dict[str, tuple[tuple[float, ...], str]] = {
    "half as much again": ((10, 10, 15, 15), "50 > 0"),
    "half of it": ((10, 10, 5, 5), "-50 is not > 0"),
    "the same": ((10, 10, 10, 10), "0 is not > 0"),
    "more, from below zero": ((-10, -10, -5, -5), "50 > 0"),
    "less, from below zero": ((-10, -10, -15, -15), "-50 is not > 0"),
    "something after nothing": ((0, 0, 1, 1), "inf > 0"),
    "something negative after nothing": ((0, 0, -1, -1), "-inf is not > 0"),
    "nothing after nothing": ((0, 0, 0, 0), "0 is not > 0"),
}


@pytest.mark.parametrize("case", PERCENTS)
def test_percent_of_the_window_before(case: str) -> None:
    values, told = PERCENTS[case]
    subject = "avg(value) over 2 min, % change against 2 min before,"
    assert asked(samples(*values), against()).sentence == f"{subject} {told}"


SIGMAS: dict[str, tuple[tuple[float, ...], str]] = {
    "one deviation above the mean": ((1, 3, 2 + math.sqrt(2), 2 + math.sqrt(2)), "1 > 0"),
    "two below it": ((1, 3, 2 - 2 * math.sqrt(2), 2 - 2 * math.sqrt(2)), "-2 is not > 0"),
    "at the mean of what was all the same": ((5, 5, 5, 5), "0 is not > 0"),
    "above what was all the same": ((5, 5, 5, 6), "inf > 0"),
    "below what was all the same": ((5, 5, 5, 4), "-inf is not > 0"),
}


@pytest.mark.parametrize("case", SIGMAS)
def test_standard_deviations_of_the_window_before(case: str) -> None:
    values, told = SIGMAS[case]
    subject = "avg(value) over 2 min, standard deviations against 2 min before,"
    assert asked(samples(*values), against("sigma")).sentence == f"{subject} {told}"


def test_a_baseline_is_as_long_ago_as_it_says() -> None:
    of = samples(1, 1, 7, 7, 10, 10)
    assert "900 > 0" in asked(of, against(ago=240)).sentence
    assert "42.8571 > 0" in asked(of, against(ago=120)).sentence


def test_a_percentile_is_compared_with_the_same_one_before() -> None:
    said = {**against(), **over("percentile", 120, percentile=100)}
    assert "50 > 0" in asked(samples(1, 8, 3, 12), said).sentence


def test_the_last_value_may_be_compared_with_the_last_of_a_window_before() -> None:
    said = {"value": 0, "over_seconds": 60, "baseline": {"ago_seconds": 60}}
    assert asked(samples(4, 5), said).sentence == "value, % change against 1 min before, 25 > 0"


OPEN: dict[str, tuple[tuple[float | None, ...], dict[str, Any], str]] = {
    "nothing in the window before": ((None, None, 1, 1), {}, "0 of 1 values in 2 min at that time"),
    "one value has no deviation": ((1, None, 1, 1), {"measure": "sigma"}, "1 of 2 values in 2 min"),
    "fewer than asked for before": ((None, 1, 1, 1), {"minimum_points": 2}, "1 of 2 values in 2"),
    "fewer than asked for before, with more before that": (
        (1, 1, 1, None, 1, 1, 1),
        {"minimum_points": 2},
        "1 of 2 values in 2 min at that time",
    ),
    "fewer than asked for before, in deviations": (
        (None, 1, 2, None, 1, 1, 1),
        {"measure": "sigma", "minimum_points": 3, "ago": 180, "over_seconds": 180},
        "2 of 3 values in 3 min at that time",
    ),
    "fewer than asked for now": ((1, 1, None, 1), {"minimum_points": 2}, "1 of 2 values in 2 min"),
}


@pytest.mark.parametrize("case", OPEN)
def test_a_comparison_with_too_little_is_open(case: str) -> None:
    values, more, told = OPEN[case]
    verdict = asked(samples(*values), against(**more))
    assert verdict.breached is None
    assert told in verdict.sentence
    assert ",:" not in verdict.sentence
    assert ("at that time" in verdict.sentence) == ("now" not in case)


# -- hysteresis ----------------------------------------------------------------------------

CLEARS = {"op": "gte", "value": 85, "clear": 80}


@pytest.mark.parametrize(
    ("value", "raises", "goes_on"),
    [(79.9, False, False), (80, False, True), (84.9, False, True), (85, True, True)],
)
def test_what_fires_goes_on_until_the_clearing_threshold(
    value: float, raises: bool, goes_on: bool
) -> None:
    assert asked(samples(value), CLEARS).breached is raises
    assert asked(samples(value), CLEARS, firing=True).breached is goes_on


def test_a_sentence_says_when_it_is_the_clearing_threshold() -> None:
    told = asked(samples(82), CLEARS, firing=True).sentence
    assert told == "value 82 ≥ 80 (clears there)"
    assert asked(samples(82), {"op": "gte", "value": 85}, firing=True).sentence == (
        "value 82 is not ≥ 85"
    )
    assert asked(samples(90), CLEARS).sentence == "value 90 ≥ 85"


def test_a_clearing_threshold_of_zero_is_one() -> None:
    assert asked(samples(1), {"value": 5, "clear": 0}, firing=True).breached


# -- groups --------------------------------------------------------------------------------

TRUTH = {"yes": True, "no": False, "open": None}


def single(name: str) -> dict[str, Any]:
    """A condition on three measurements of 1 that holds, does not, or can't be said."""
    if name == "open":
        return over("avg", minimum_points=9)
    return {"value": 0 if name == "yes" else 5}


def all_of(*truths: bool | None) -> bool | None:
    """Kleene's and: no settles it, then what is open."""
    return False if False in truths else None if None in truths else True


def any_of(*truths: bool | None) -> bool | None:
    """Kleene's or: yes settles it, then what is open."""
    return True if True in truths else None if None in truths else False


@pytest.mark.parametrize(("one", "other"), list(product(TRUTH, TRUTH)))
def test_all_and_any_of_two_where_either_may_be_open(one: str, other: str) -> None:
    of, pair = samples(1, 1, 1), [single(one), single(other)]
    truths = TRUTH[one], TRUTH[other]
    assert asked(of, *pair).breached is all_of(*truths)
    for group, expected in (({"any": pair}, any_of), ({"any": [{"all": pair}]}, all_of)):
        rules = CONDITIONS.validate_python([_with_op(group)])
        assert evaluate(rules, of, 180, firing=False).breached is expected(*truths)


@pytest.mark.parametrize(("a", "b", "c"), list(product(TRUTH, TRUTH, TRUTH)))
def test_a_group_within_a_group(a: str, b: str, c: str) -> None:
    said = {"any": [single(a), {"all": [single(b), single(c)]}]}
    verdict = evaluate(
        CONDITIONS.validate_python([_with_op(said)]), samples(1, 1, 1), 180, firing=False
    )
    assert verdict.breached is any_of(TRUTH[a], all_of(TRUTH[b], TRUTH[c]))


def _with_op(said: dict[str, Any]) -> dict[str, Any]:
    for group in ("any", "all"):
        if group in said:
            return {group: [_with_op(one) for one in said[group]]}
    return {"op": "gt", **said}


def test_what_is_told_of_several_is_what_decides() -> None:
    of = samples(1, 1, 1)
    yes, no, open_one = single("yes"), single("no"), single("open")
    assert asked(of, yes, yes).sentence == "value 1 > 0 and value 1 > 0"
    assert asked(of, yes, no, open_one).sentence == "value 1 is not > 5"
    assert asked(of, yes, open_one).sentence == "avg(value) over 3 min: 3 of 9 values in 3 min"

    def either(*said: dict[str, Any]) -> str:
        rules = CONDITIONS.validate_python([_with_op({"any": said})])
        return evaluate(rules, of, 180, firing=False).sentence

    assert either(no, yes, open_one, yes) == "value 1 > 0 and value 1 > 0"
    assert either(no, no) == "value 1 is not > 5 and value 1 is not > 5"
    assert either(no, open_one).startswith("avg(value)")


def test_a_missing_metric_is_an_error_whatever_the_others_say() -> None:
    with pytest.raises(MetricMissingError):
        asked(samples(1), single("no"), {"metric": "cpu"})


def test_hysteresis_reaches_into_groups() -> None:
    for said in ([CLEARS, CLEARS], [{"any": [CLEARS]}], [{"any": [{"all": [CLEARS, CLEARS]}]}]):
        rules = CONDITIONS.validate_python(said)
        assert evaluate(rules, samples(82), 60, firing=True).breached
        assert not evaluate(rules, samples(82), 60, firing=False).breached


# -- samples -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 50), finite), max_size=80))
def test_measurements_are_in_the_order_of_time_and_of_arrival_within_a_moment(
    arrived: list[tuple[int, float]],
) -> None:
    of = Samples()
    for time, value in arrived:
        of.add(time, {"value": value})
        of.column("value")  # asked for at any time
    column = of.column("value")
    in_order = sorted(arrived, key=lambda item: item[0])
    assert list(zip(column.times, column.values, strict=True)) == in_order


def test_half_of_all_is_not_yet_worth_dropping() -> None:
    of = samples(*range(200), step=1)
    of.forget(100)
    assert len(of.times) == 200
    of.forget(101)
    assert len(of.times) == 99


def test_what_is_too_old_is_dropped_in_piles_and_nothing_else() -> None:
    of = samples(*range(200), step=1)
    of.forget(60)
    assert len(of.times) == 200  # a pile too small to be worth it
    of.forget(99.5)
    assert len(of.times) == 200  # less than half of all
    of.forget(120)
    assert of.times == [float(n) for n in range(121, 201)]
    assert [m["value"] for m in of.metrics] == list(range(120, 200))


def test_a_small_pile_is_kept_whatever_its_share() -> None:
    of = samples(*range(64), step=1)
    of.forget(64)
    assert len(of.times) == 64
    of.add(65, {})
    of.forget(65)
    assert of.times == []


@given(
    st.lists(finite, min_size=1, max_size=30), st.floats(1, 9000), st.sampled_from(["avg", "max"])
)
def test_forgetting_what_is_out_of_the_window_changes_no_answer(
    values: list[float], window: float, aggregate: str
) -> None:
    values = values * (300 // len(values))  # enough for it to be worth dropping
    rule = [Condition.model_validate({"op": "gt", **over(aggregate, window)})]
    kept = Samples()
    everything = samples(*values)
    for time, metrics in zip(everything.times, everything.metrics, strict=True):
        kept.add(time, metrics)
        kept.forget(time - window)
        assert evaluate(rule, kept, time, firing=False) == evaluate(
            rule, everything, time, firing=False
        )


metrics = st.dictionaries(st.sampled_from(["value", "cpu"]), finite)
arrivals = st.lists(st.tuples(st.integers(0, 60), metrics), min_size=1, max_size=60)
windows = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(["value", "cpu"]),
        "aggregate": st.sampled_from([a.value for a in Aggregate if a is not Aggregate.LAST]),
        "over_seconds": st.integers(1, 40),
        "minimum_points": st.integers(1, 3),
        "baseline": st.none()
        | st.fixed_dictionaries(
            {"ago_seconds": st.integers(1, 40), "measure": st.sampled_from(["percent", "sigma"])}
        ),
    }
).map(lambda said: {**said, "percentile": 75} if said["aggregate"] == "percentile" else said)


def answer(condition: Condition, of: Samples, at: float) -> Verdict | str:
    """What the condition says, or what keeps it from saying anything."""
    try:
        return evaluate([condition], of, at, firing=False)
    except MetricMissingError as error:
        return str(error)


@given(arrivals, st.lists(windows, min_size=1, max_size=3))
def test_what_is_kept_up_with_every_sample_answers_as_what_is_read_at_once(
    arrived: list[tuple[int, dict[str, float]]], said: list[dict[str, Any]]
) -> None:
    conditions = [Condition.model_validate({"op": "gt", "value": 0, **one}) for one in said]
    kept, so_far = Samples(), []
    for time, measured in arrived:
        kept.add(time, measured)
        so_far.append((time, measured))
        newest = max(time for time, _ in so_far)
        for condition in conditions:
            for at in (time, newest):
                plain = Samples()
                for moment, values in so_far:
                    plain.add(moment, values)
                assert answer(condition, kept, at) == answer(condition, plain, at)


@given(arrivals, windows, st.integers(0, 60))
def test_a_window_is_what_was_measured_after_its_start_and_by_its_end(
    arrived: list[tuple[int, dict[str, float]]], said: dict[str, Any], at: int
) -> None:
    of, metric, over_seconds = Samples(), said["metric"], said["over_seconds"]
    for time, measured in arrived:
        of.add(time, measured)
    column = of.column(metric)
    found = column.window(at - over_seconds, at)
    wanted = [
        (time, measured[metric])
        for time, measured in sorted(arrived, key=lambda item: item[0])
        if at - over_seconds < time <= at and metric in measured
    ]
    assert list(zip(column.times[found], column.values[found], strict=True)) == wanted
