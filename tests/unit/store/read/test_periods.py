"""Events of the last day against those of the day before."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read.periods import Periods, Trends, by_hour, periods, trends
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


@pytest.mark.parametrize(("importance", "waiting"), [("high", 1), ("medium", 0)])
def test_of_what_resolved_only_what_matters_waits_for_somebody(
    engine: Engine, importance: str, waiting: int
) -> None:
    rule = a_rule("over", importance)
    fire(engine, rule, NOON - 3 * HOUR)
    calm(engine, rule, NOON - 2 * HOUR)
    assert periods(engine, now=NOON) == Periods(events=(1, 0), waiting=(waiting, 0))
    assert trends(engine, now=NOON).waiting[-3] == waiting


def test_each_hour_of_the_last_day_has_its_events(engine: Engine) -> None:
    for minutes in (5, 30, 90, 23 * 60 + 59, 24 * 60 + 1):
        fire(engine, a_rule(f"rule-{minutes}"), NOON - timedelta(minutes=minutes))
    rule = a_rule("over", "medium")
    fire(engine, rule, NOON - timedelta(minutes=100))
    calm(engine, rule, NOON - timedelta(minutes=10))
    seen = trends(engine, now=NOON)
    assert seen.events == (1, *[0] * 21, 2, 2)
    assert seen.waiting == (1, *[0] * 21, 1, 2)


def test_times_are_counted_by_the_hour() -> None:
    times = [NOON + HOUR - timedelta(microseconds=1), NOON + HOUR, NOON + 25 * HOUR]
    assert by_hour(times, NOON) == (1, 1, *[0] * 22)


def test_an_empty_store_has_none(engine: Engine) -> None:
    assert periods(engine, now=NOON) == Periods((0, 0), (0, 0))
    assert trends(engine, now=NOON) == Trends((0,) * 24, (0,) * 24)
