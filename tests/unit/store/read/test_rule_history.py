"""What the list of rules says about each rule's past days."""

from datetime import timedelta

from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import RULE
from sentinel_core.store.read.rule_history import VALUES_SHOWN, RuleHistory, rule_histories
from tests.support.recorded import NOON, a_rule, calm, fire

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
