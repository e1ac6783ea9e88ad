"""What the list of rules says about each rule's past days."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import RULE
from sentinel_core.store.read.rule_history import (
    VALUES_SHOWN,
    Point,
    RuleHistory,
    RuleSeries,
    rule_histories,
    rule_series,
)
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)


def ids(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        found = connection.execute(select(RULE.c.name, RULE.c.id)).all()
        return {name: key for name, key in found}  # noqa: C416 (rows are no pairs to mypy)


def test_values_are_shown_even_if_nothing_fired_oldest_first(engine: Engine) -> None:
    rule = a_rule()
    for n in range(VALUES_SHOWN + 3):
        calm(engine, rule, NOON + n * MINUTE, metrics={"value": float(n), "a": 0.0})
    [found] = rule_histories(engine, [ids(engine)["disk"]], now=NOON).values()
    assert found == RuleHistory(0, False, "", tuple(float(n) for n in range(3, VALUES_SHOWN + 3)))


def test_the_series_that_fires_is_shown_and_only_events_of_these_days_count(engine: Engine) -> None:
    rule = a_rule()
    fire(engine, rule, NOON - timedelta(days=8), ticker="a", metrics={"used": 1.0})
    calm(engine, rule, NOON - timedelta(days=7, hours=1), ticker="a", metrics={"used": 2.0})
    fire(engine, rule, NOON - 2 * MINUTE, ticker="b", metrics={"used": 3.0})
    calm(engine, rule, NOON - MINUTE, ticker="a", metrics={"used": 4.0})
    [found] = rule_histories(engine, [ids(engine)["disk"]], now=NOON).values()
    assert found == RuleHistory(1, True, "b", (3.0,))


def test_a_rule_that_was_never_evaluated_has_an_empty_history(engine: Engine) -> None:
    assert rule_histories(engine, [4711], now=NOON) == {4711: RuleHistory()}


def series(engine: Engine, **wanted: Any) -> RuleSeries:
    return rule_series(engine, ids(engine)["disk"], **{"limit": 100, **wanted})


def values(found: RuleSeries) -> list[float]:
    return [point.metrics["used"] for point in found.points]


def test_the_points_of_a_series_come_oldest_first_and_say_what_fired(engine: Engine) -> None:
    rule = a_rule()
    calm(engine, rule, NOON - 2 * MINUTE, ticker="a", metrics={"used": 1.0})
    fire(engine, rule, NOON - MINUTE, ticker="a", metrics={"used": 9.0})
    calm(engine, a_rule("cpu"), NOON, ticker="a", metrics={"used": 5.0})
    found = series(engine, ticker="a")
    assert (found.ticker, found.tickers) == ("a", ("a",))
    assert found.points == (
        Point(NOON - 2 * MINUTE, False, {"used": 1.0}),
        Point(NOON - MINUTE, True, {"used": 9.0}),
    )


def test_the_points_of_a_series_are_the_newest_of_the_range(engine: Engine) -> None:
    rule = a_rule()
    for n in range(6):
        calm(engine, rule, NOON + n * MINUTE, ticker="a", metrics={"used": float(n)})
    assert values(series(engine, ticker="a", limit=2)) == [4, 5]
    assert values(series(engine, ticker="a", since=NOON + 4 * MINUTE)) == [4, 5]
    assert values(series(engine, ticker="a", until=NOON + 2 * MINUTE)) == [0, 1]
    assert values(
        series(engine, ticker="a", since=NOON + MINUTE, until=NOON + 4 * MINUTE, limit=2)
    ) == [2, 3]


def test_without_a_ticker_it_is_the_series_that_fires_and_all_are_named(engine: Engine) -> None:
    rule = a_rule()
    fire(engine, rule, NOON - MINUTE, ticker="b", metrics={"used": 3.0})
    calm(engine, rule, NOON, ticker="a", metrics={"used": 4.0})
    calm(engine, a_rule("cpu"), NOON, ticker="c", metrics={"used": 5.0})
    observe(engine, rule, a_run(NOON + MINUTE, "FAILED"))  # it has a series of another kind
    found = series(engine)
    assert (found.ticker, found.tickers, values(found)) == ("b", ("a", "b"), [3])


def test_a_rule_without_series_has_no_points(engine: Engine) -> None:
    assert rule_series(engine, 4711, limit=5) == RuleSeries("", (), ())
    assert rule_series(engine, 4711, ticker="a", limit=5) == RuleSeries("a", (), ())
