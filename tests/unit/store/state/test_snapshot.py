"""What is asked about the series of all rules, on both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.decide.late import Neighbour
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading
from sentinel_core.store.state.snapshot import RuleSnapshot, firing_rules, unresolved_tickers
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


def neighbours(
    engine: Engine, rule: Rule, observation: Observation, count: int
) -> tuple[list[Neighbour], list[Neighbour]]:
    """The evaluations of a rule just before an observation that comes late, and just after it."""
    [row] = rows(engine, "alert_rule", deployment_id=rule.deployment_id)
    with reading(engine) as connection:
        return RuleSnapshot(connection, row["id"], None).neighbours(observation, count)


def test_the_neighbours_of_a_late_failure_are_failures_and_checks_of_the_rule_alone(
    engine: Engine,
) -> None:
    disk, other = a_rule("disk"), a_rule("other")
    [first] = observe(engine, disk, a_run(NOON, "FAILED")).opened
    calm(engine, disk, NOON + MINUTE, ticker="a")  # ends it
    fire(engine, disk, NOON + MINUTE * 2, ticker="b")  # a check that fired is one, too
    for n in range(4):
        calm(engine, other, NOON + MINUTE * 2.2 + n * MINUTE * 0.2, ticker="a")
    calm(engine, disk, NOON + MINUTE * 4, ticker="a")
    [second] = observe(engine, disk, a_run(NOON + MINUTE * 5, "CRASHED")).opened
    late = Observation(Kind.FAILURE, "", NOON + MINUTE * 3, True, Importance.HIGH, "failed")
    checked = Neighbour(False, None)

    def failed(event: int) -> Neighbour:
        return Neighbour(True, event, Importance.HIGH, False)

    assert neighbours(engine, disk, late, 2) == ([checked, checked], [checked, failed(second)])
    assert neighbours(engine, disk, late, 3) == (
        [checked, checked, failed(first)],
        [checked, failed(second)],
    )


def test_the_neighbours_of_a_late_alert_are_those_of_its_ticker(engine: Engine) -> None:
    disk, other = a_rule("disk"), a_rule("other")
    event = fire(engine, disk, NOON, ticker="a")
    calm(engine, disk, NOON + MINUTE, ticker="b")
    fire(engine, other, NOON + MINUTE, ticker="a")
    observe(engine, disk, a_run(NOON + MINUTE, "FAILED"))
    calm(engine, disk, NOON + MINUTE * 3, ticker="a")
    late = Observation(Kind.ALERT, "a", NOON + MINUTE * 2, True, Importance.HIGH, "fired")
    assert neighbours(engine, disk, late, 5) == (
        [Neighbour(True, event, Importance.HIGH, False)],
        [Neighbour(False, event, Importance.HIGH, False)],  # it ended the event
    )
