"""The share of runs without a result, and when there are too few runs for one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from sentinel_core import NoHistory
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.hosts import Endings
from sentinel_core.flow.history import history_of
from tests.support.recorded import a_rule, a_run, calm, observe
from triggers.service.run_errors import RunErrors

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("runs", "failed", "outcome"),
    [
        (0, 0, "no_data"),
        (9, 9, "no_data"),
        (10, 0, "ok"),
        (10, 1, "ok"),
        (10, 2, "over"),
        (1000, 101, "over"),
        (10, 10, "over"),
    ],
)
def test_more_than_the_limit_of_enough_runs_triggers(runs: int, failed: int, outcome: str) -> None:
    output = RunErrors().evaluate(Endings(runs, failed, 60))
    assert (output.problem or ("over" if output.triggered else "ok")) == outcome
    assert (output.metrics["runs"], output.metrics["failed"]) == (runs, failed)
    assert ("value" in output.metrics) is (outcome != "no_data")


def test_an_output_says_how_many_of_how_many() -> None:
    output = RunErrors(max_percent=5).evaluate(Endings(60, 12, 60))
    said = "12 of 60 runs in 1 h ended without a result (20 %); more than 5 %"
    assert output.message == said
    assert output.metrics == {"value": 20, "threshold": 5, "runs": 60, "failed": 12}


def test_without_an_event_store_it_has_not_looked() -> None:
    with pytest.raises(HistoryUnavailableError, match="once it is deployed"):
        RunErrors().check(NoHistory())


@pytest.fixture
def registered(store: Engine) -> Iterator[Engine]:
    get_settings.cache_clear()
    yield store
    get_settings.cache_clear()


def test_it_reads_how_the_runs_of_all_rules_ended(registered: Engine) -> None:
    history, rule = history_of(uuid4()), RunErrors(minimum_runs=4)
    assert rule.check(history).problem == "no_data"
    now = datetime.now(UTC)
    for n in range(3):
        calm(registered, a_rule(f"r{n}"), now - (n + 2) * MINUTE)
    observe(registered, a_rule("broken"), a_run(now - 2 * MINUTE, "FAILED"))
    calm(registered, a_rule("before"), now - 90 * MINUTE)
    output = rule.check(history)
    assert (output.triggered, output.metrics["value"]) == (True, 25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_percent": -1},
        {"max_percent": 100},
        {"max_percent": float("nan")},
        {"window_minutes": 0},
        {"minimum_runs": 0},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunErrors(**wrong)
