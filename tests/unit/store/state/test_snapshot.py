"""What is asked about the series of all rules, on both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.decide.observe import Kind
from sentinel_core.model.rule import RuleSettings
from sentinel_core.store.db.engine import reading
from sentinel_core.store.state.snapshot import firing_rules, unresolved_tickers
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe
from tests.support.runs import fired, rows

MINUTE = timedelta(minutes=1)


def test_tickers_are_unresolved_while_they_are_pending_or_fire(engine: Engine) -> None:
    disk, cpu = a_rule("disk"), a_rule("cpu")
    careful = replace(
        a_rule("careful"), settings=RuleSettings.model_validate({"policy": {"breaches": 2}})
    )
    fire(engine, disk, NOON, ticker="a")
    calm(engine, disk, NOON, ticker="b")
    fire(engine, cpu, NOON, ticker="c")
    assert observe(engine, careful, a_run(NOON), [fired("d")]).opened == []
    with reading(engine) as connection:
        assert unresolved_tickers(connection, disk.deployment_id) == {"a"}
        assert unresolved_tickers(connection, careful.deployment_id) == {"d"}
        assert unresolved_tickers(connection, a_rule("none").deployment_id) == set()


def test_rules_that_fire_are_found_by_the_kind_of_series(engine: Engine) -> None:
    disk, cpu = a_rule("disk"), a_rule("cpu")
    fire(engine, disk, NOON, ticker="a")
    calm(engine, cpu, NOON, ticker="b")
    observe(engine, cpu, a_run(NOON + MINUTE, "FAILED"))
    ids = {row["name"]: row["id"] for row in rows(engine, "alert_rule")}
    with reading(engine) as connection:
        assert firing_rules(connection, Kind.ALERT) == {ids["disk"]}
        assert firing_rules(connection, Kind.FAILURE) == {ids["cpu"]}
        assert firing_rules(connection, Kind.SILENT) == set()
