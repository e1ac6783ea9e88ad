"""What a rule may demand of numbers: what fits together, and how it reads."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sentinel_core.model.condition import (
    YEAR_SECONDS,
    Aggregate,
    AnyOf,
    Condition,
    Conditions,
    Operator,
    each,
    look_back_seconds,
)
from sentinel_core.model.times import duration

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Conditions)
WINDOW = {"aggregate": "avg", "over_seconds": 300}
BASELINE = {"ago_seconds": 86_400}


def condition(**fields: Any) -> Condition:
    return Condition.model_validate({"op": "gt", "value": 80, **fields})


def test_the_least_a_condition_says_is_how_to_compare_with_what() -> None:
    plain = condition()
    assert (plain.metric, plain.aggregate, plain.over_seconds) == ("value", Aggregate.LAST, None)
    assert (plain.clear, plain.percentile, plain.baseline) == (None, None, None)
    assert (plain.minimum_points, plain.tolerance) == (1, 1e-9)


ALLOWED: dict[str, dict[str, Any]] = {
    "a clearing threshold below for what is too high": {"op": "gte", "clear": 70},
    "and above for what is too low": {"op": "lte", "clear": 90},
    "or the same": {"op": "lt", "clear": 80},
    "the same for what is too high": {"op": "gt", "clear": 80},
    "a window for an aggregate": WINDOW,
    "a percentile with its percent": {
        "aggregate": "percentile",
        "over_seconds": 60,
        "percentile": 0,
    },
    "the highest percentile": {"aggregate": "percentile", "over_seconds": 60, "percentile": 100},
    "a year": {"aggregate": "max", "over_seconds": YEAR_SECONDS},
    "a baseline for a window": {**WINDOW, "baseline": BASELINE},
    "a baseline for the last value, in a window": {"over_seconds": 300, "baseline": BASELINE},
    "no tolerance": {"tolerance": 0},
    "all tolerance": {"tolerance": 1},
    "a metric of 200 letters": {"metric": "m" * 200},
    "100,000 points": {"minimum_points": 100_000},
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    said = ALLOWED[case]
    found = condition(**said).model_dump(mode="json", exclude_none=True)
    assert {name: found[name] for name in said if name != "baseline"} == {
        name: value for name, value in said.items() if name != "baseline"
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an operator nobody knows": ({"op": "above"}, "op"),
    "a threshold that is no number": ({"value": "nan"}, "finite"),
    "an endless threshold": ({"value": float("inf")}, "finite"),
    "an endless clearing threshold": ({"clear": float("-inf")}, "finite"),
    "clearing above what is too high": ({"clear": 80.1}, "`clear` 80.1 is above `value` 80"),
    "clearing below what is too low": (
        {"op": "lt", "clear": 79.9},
        "`clear` 79.9 is below `value` 80: it would clear what has just been raised",
    ),
    "clearing above, also for gte": ({"op": "gte", "clear": 81}, "above"),
    "clearing below, also for lte": ({"op": "lte", "clear": 79}, "below"),
    "clearing what must be equal": (
        {"op": "eq", "clear": 80},
        r"Value error, `clear` needs an order: gt, gte, lt or lte \[",
    ),
    "clearing what must differ": ({"op": "ne", "clear": 80}, "`clear` needs an order"),
    "an aggregate without its window": ({"aggregate": "avg"}, "`aggregate: avg` needs"),
    "a window without an aggregate": ({"over_seconds": 300}, "means nothing for `aggregate: last`"),
    "a percentile without percent": (
        {"aggregate": "percentile", "over_seconds": 60},
        "`percentile` belongs to",
    ),
    "a percent without percentile": ({**WINDOW, "percentile": 50}, "`percentile` belongs to"),
    "a percentile over 100": (
        {"aggregate": "percentile", "over_seconds": 60, "percentile": 100.1},
        "percentile",
    ),
    "a negative percentile": (
        {"aggregate": "percentile", "over_seconds": 60, "percentile": -1},
        "percentile",
    ),
    "a baseline without a window": ({"baseline": BASELINE}, "`baseline` needs `over_seconds`"),
    "a baseline of now": ({**WINDOW, "baseline": {"ago_seconds": 0}}, "ago_seconds"),
    "a baseline measured some other way": (
        {**WINDOW, "baseline": {**BASELINE, "measure": "ratio"}},
        "measure",
    ),
    "a window without length": ({**WINDOW, "over_seconds": 0}, "over_seconds"),
    "a window of more than a year": ({**WINDOW, "over_seconds": YEAR_SECONDS + 1}, "over_seconds"),
    "a negative tolerance": ({"tolerance": -0.1}, "tolerance"),
    "a tolerance of more than everything": ({"tolerance": 1.1}, "tolerance"),
    "no points": ({"minimum_points": 0}, "minimum_points"),
    "a nameless metric": ({"metric": ""}, "metric"),
    "a metric of 201 letters": ({"metric": "m" * 201}, "metric"),
    "a setting nobody knows": ({"threshold": 3}, "threshold"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    said, message = REFUSED[case]
    with pytest.raises(ValidationError, match=message):
        condition(**said)


def test_the_metrics_name_is_clean() -> None:
    assert condition(metric="a\0b").metric == "a\ufffdb"


@pytest.mark.parametrize("group", ["any", "all"])
@pytest.mark.parametrize("many", [0, 51])
def test_a_group_has_something_to_choose_from_and_not_everything(group: str, many: int) -> None:
    items = [{"op": "gt", "value": 1}] * many
    said = [{group: items}] if group == "any" else [{"any": [{"all": items}]}]
    with pytest.raises(ValidationError):
        CONDITIONS.validate_python(said)


def test_a_rule_has_at_most_fifty_conditions() -> None:
    assert len(CONDITIONS.validate_python([{"op": "gt", "value": 1}] * 50)) == 50
    with pytest.raises(ValidationError):
        CONDITIONS.validate_python([{"op": "gt", "value": 1}] * 51)


NESTED = CONDITIONS.validate_python(
    [
        {"metric": "a", "op": "gt", "value": 1},
        {
            "any": [
                {"metric": "b", "op": "gt", "value": 1, "aggregate": "avg", "over_seconds": 60},
                {
                    "all": [
                        {"metric": "c", "op": "gt", "value": 1},
                        {
                            "metric": "d",
                            "op": "gt",
                            "value": 1,
                            "aggregate": "max",
                            "over_seconds": 30,
                            "baseline": {"ago_seconds": 40},
                        },
                    ]
                },
            ]
        },
    ]
)


def test_every_condition_is_found_however_grouped() -> None:
    assert [one.metric for one in each(NESTED)] == ["a", "b", "c", "d"]
    assert isinstance(NESTED[1], AnyOf)


def test_a_rule_looks_back_as_far_as_the_condition_that_looks_farthest() -> None:
    assert look_back_seconds(NESTED) == 70
    assert look_back_seconds(NESTED[:1]) == 0
    assert look_back_seconds(()) == 0


@pytest.mark.parametrize(
    ("aggregate", "minimum", "points"),
    [("avg", 1, 1), ("avg", 3, 3), ("delta", 1, 2), ("rate", 1, 2), ("rate", 3, 3)],
)
def test_growth_takes_two_values_and_a_condition_may_ask_for_more(
    aggregate: str, minimum: int, points: int
) -> None:
    asked = condition(aggregate=aggregate, over_seconds=60, minimum_points=minimum)
    assert asked.points == points


@pytest.mark.parametrize(
    ("op", "sign"),
    [("gt", ">"), ("gte", "≥"), ("lt", "<"), ("lte", "≤"), ("eq", "="), ("ne", "≠")],
)
def test_an_operator_is_written_as_people_do(op: str, sign: str) -> None:
    assert Operator(op).sign == sign


SUBJECTS: dict[str, dict[str, Any]] = {
    "cpu": {},
    "avg(cpu) over 5 min": WINDOW,
    "p99.9(cpu) over 1 h": {"aggregate": "percentile", "percentile": 99.9, "over_seconds": 3600},
    "max(cpu) over 5 min, % change against 1 d before,": {
        **WINDOW,
        "aggregate": "max",
        "baseline": BASELINE,
    },
    "cpu, standard deviations against 7 d before,": {
        "over_seconds": 300,
        "baseline": {"ago_seconds": 604_800, "measure": "sigma"},
    },
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_compared_duration(subject: str) -> None:
    assert condition(metric="cpu", **SUBJECTS[subject]).subject == subject


def test_a_result_in_words_names_the_threshold() -> None:
    plain = condition(op="gte", value=85)
    assert plain.outcomes == {(True, False): "≥ 85", (False, False): "is not ≥ 85"}
    assert condition(op="gte", value=85, clear=80).outcomes == {
        **plain.outcomes,
        (True, True): "≥ 80 (clears there)",
        (False, True): "is not ≥ 80 (clears there)",
    }


def test_a_changed_copy_says_nothing_of_the_old_values() -> None:
    before = condition(metric="cpu", **WINDOW, clear=1)
    assert (before.subject, before.points) == ("avg(cpu) over 5 min", 1)
    assert before.outcomes[True, True].endswith(" 1 (clears there)")
    after = before.model_copy(update={"metric": "mem", "aggregate": Aggregate.RATE, "clear": 2})
    assert (after.subject, after.points) == ("rate(mem) over 5 min", 2)
    assert after.outcomes[True, True].endswith(" 2 (clears there)")
    assert before.subject == "avg(cpu) over 5 min"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1.5, "1.5 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "90 s"),
        (300, "5 min"),
        (3_600, "1 h"),
        (5_400, "90 min"),
        (86_400, "1 d"),
        (90_000, "25 h"),
        (172_800, "2 d"),
    ],
)
def test_a_stretch_of_time_in_the_largest_unit_that_comes_out_even(
    seconds: float, words: str
) -> None:
    assert duration(seconds) == words
