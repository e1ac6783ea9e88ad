"""Events of the last day against those of the day before."""

from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.store.read.periods import Periods, periods
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.recorded import NOON, a_rule, calm, fire

HOUR = timedelta(hours=1)


def test_each_event_counts_for_the_day_in_which_it_opened(engine: Engine) -> None:
    for hours in (1, 2, 23, 24, 30, 49):
        fire(engine, a_rule(f"rule-{hours}"), NOON - hours * HOUR)
    first = fire(engine, a_rule("known"), NOON - 3 * HOUR)
    acknowledge(engine, [first], by="ana", now=NOON)
    assert periods(engine, now=NOON) == Periods(events=(5, 1), waiting=(4, 1))
    assert periods(engine, now=NOON, cap=2).events == (3, 1)


def test_an_event_that_resolved_waits_for_nobody(engine: Engine) -> None:
    rule = a_rule("over")
    fire(engine, rule, NOON - 3 * HOUR)
    calm(engine, rule, NOON - 2 * HOUR)
    assert periods(engine, now=NOON) == Periods(events=(1, 0), waiting=(0, 0))


def test_an_empty_store_has_none(engine: Engine) -> None:
    assert periods(engine, now=NOON) == Periods((0, 0), (0, 0))
