"""Deleting changes no decision: a store that is pruned decides as one that never was."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import SQLModel

from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.retention import cutoffs
from sentinel_core.store.retention.cutoffs import Periods
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import prune
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint, sync
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, told
from tests.support.search import examples
from tests.support.swarm import own_engine

HOURS = timedelta(hours=1)
PERIODS = Periods(evaluations=2 * HOURS, hours=4 * HOURS, events=2 * HOURS, series=3 * HOURS)
_names = (f"rule-{n}" for n in itertools.count())


@dataclass(frozen=True)
class Step:
    """A run, due `late` minutes before its turn. B is not always among the outputs."""

    gap: int
    late: int
    state: str
    a: float | None
    b: float | None


steps = st.lists(
    st.builds(
        Step,
        st.integers(5, 70),
        st.sampled_from([0, 0, 0, 15, 50]),
        st.sampled_from(["COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED"]),
        st.sampled_from([1.0, 2.0, 9.0]),
        st.none() | st.sampled_from([1.0, 9.0]),
    ),
    min_size=5,
    max_size=25,
)
policies = st.fixed_dictionaries(
    {
        "breaches": st.integers(1, 3),
        "recoveries": st.integers(1, 2),
        "cooldown_seconds": st.sampled_from([0, 7200]),
        "on_missing": st.sampled_from(["keep", "event", "ok"]),
        "notify_resolved": st.booleans(),
    },
    optional={"of_last": st.integers(3, 5), "expire_seconds": st.just(5400)},
)
windows = st.sampled_from([None, 3600, 4 * 3600])


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[Engine, Engine]]:
    """Two stores in memory for all examples, emptied for each."""
    with own_engine("sqlite://") as kept, own_engine("sqlite://") as pruned:
        ensure_schema(kept)
        ensure_schema(pruned)
        yield kept, pruned


def empty(engine: Engine) -> None:
    """Delete every row but the store's identity."""
    with writing(engine) as connection:
        for table in SQLModel.metadata.sorted_tables:
            if table.name != "store_identity":
                connection.execute(table.delete())


@pytest.fixture(autouse=True, scope="module")
def _few_runs_stay() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutoffs, "LATEST_RUNS", 1)
        yield


def outputs_of(step: Step, conditions: bool) -> list[AlertOutput] | None:
    """What the check of this run returned."""
    if step.state != "COMPLETED":
        return None
    measured = {"A": step.a, "B": step.b}
    made = []
    for ticker, value in measured.items():
        if value is not None:
            breached = value > 5 and not conditions
            kind = fired if breached else quiet
            made.append(kind(ticker, message=f"{ticker} is {value}", metrics={"value": value}))
    return made


def decided(engine: Engine, run_id: Any) -> list[Any]:
    """The decisions of a run, and what it measured."""
    names = ("kind", "ticker", "triggered", "decision", "decision_code", "decision_reason")
    found = rows(engine, "evaluation", prefect_flow_run_id=run_id)
    return sorted([*(row[name] for name in names), row["message"]] for row in found)


def a_rule_with(policy: dict[str, Any], window: int | None) -> Rule:
    """A rule with this policy, and with a condition over this window."""
    given: dict[str, Any] = {"policy": policy}
    if window is not None:
        condition = {"op": "gte", "value": 5, "aggregate": "avg", "over_seconds": window}
        given["conditions"] = [condition | {"minimum_points": 2}]
    return replace(a_rule(next(_names), **given), parameters=given)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, policies, windows)
def test_a_pruned_store_decides_as_one_that_was_never_pruned(
    stores: tuple[Engine, Engine], history: list[Step], policy: dict[str, Any], window: int | None
) -> None:
    kept, pruned = stores
    for engine in stores:
        empty(engine)
    rule, minute, b_seen = a_rule_with(policy, window), 0, 0
    for step in history:
        minute += step.gap
        ended = minute + 0.1
        run = a_run(max(minute - step.late, 0), step.state, ended=ended)
        b_seen = minute if step.b is not None and step.state == "COMPLETED" else b_seen
        if minute - b_seen > 120:  # a series that went may begin anew
            break
        outputs = outputs_of(step, window is not None)
        for engine in stores:
            sync(engine, [rule], run.state_at)
        recorded = [told(engine, rule, run, outputs, now=run.state_at) for engine in stores]
        assert decided(kept, run.id) == decided(pruned, run.id)
        for what in ("opened", "resolved", "notifications"):
            assert len({len(getattr(each, what)) for each in recorded}) == 1
        set_checkpoint(pruned, RECONCILE, at(ended))
        prune(pruned, PERIODS, at(ended), pace=Pace(sleep=lambda _: None, size=3))
        again = told(pruned, rule, run, outputs, now=run.state_at)
        assert again.evaluations == 0
