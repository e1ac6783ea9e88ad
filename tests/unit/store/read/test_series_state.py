"""The state of the series of some rules, on both databases."""

from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.store.read.series_state import SeriesState, series_of
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)


def test_the_series_of_these_rules_are_told_by_ticker(engine: Engine) -> None:
    disk, cpu, other = a_rule("disk"), a_rule("cpu"), a_rule("other")
    fire(engine, disk, NOON, ticker="b")
    calm(engine, cpu, NOON, ticker="a")
    observe(engine, disk, a_run(NOON + MINUTE, "FAILED"))
    fire(engine, other, NOON, ticker="c")
    assert series_of(engine, {disk.deployment_id, cpu.deployment_id}) == [
        SeriesState(disk.deployment_id, "failure", "", "firing", NOON + MINUTE),
        SeriesState(cpu.deployment_id, "alert", "a", "ok", NOON),
        SeriesState(disk.deployment_id, "alert", "b", "firing", NOON),
    ]
    assert series_of(engine, []) == []
