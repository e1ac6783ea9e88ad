"""Several prunings at once, and one that is killed, on both databases."""

import multiprocessing
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from sentinel_core.store.db.engine import open_engine, reading
from sentinel_core.store.db.schema import require_schema
from sentinel_core.store.db.tables import EVALUATION, HOUR
from sentinel_core.store.retention.cutoffs import LATEST_RUNS, Periods
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import prune
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint
from tests.support.runs import a_rule, a_run, at, quiet, told
from tests.support.swarm import at_once

RULE = a_rule()
LATER = at(60 * 24 * 60)
PERIODS = Periods(timedelta(days=1), None, timedelta(days=1), timedelta(days=1))
GO, TICKERS = 12, 10  # runs that go, and the series of each


def filled(engine: Engine) -> None:
    """A rule with old runs; the first evaluation and the latest runs stay."""
    for minute in range(GO + LATEST_RUNS):
        outputs = [quiet(f"T{n}", metrics={"value": float(minute)}) for n in range(TICKERS)]
        told(engine, RULE, a_run(minute), outputs if minute < GO else outputs[:1], now=at(minute))
    set_checkpoint(engine, RECONCILE, LATER)


def prune_store(url: str) -> int:
    """Prune in parts of a few rows; returns the number of evaluations that went."""
    engine = open_engine(url)
    require_schema(engine)
    done = prune(engine, PERIODS, LATER, pace=Pace(size=3, sleep=lambda _: None))
    engine.dispose()
    return done.rows["evaluation"]


def summed(engine: Engine) -> tuple[int, int, int]:
    """Evaluations that are left, those counted in hours, and values counted in hours."""
    with reading(engine) as connection:
        left = connection.scalar(select(func.count()).select_from(EVALUATION))
        counted: dict[str, Any] = dict(
            connection.execute(
                select(HOUR.c.metric, func.sum(HOUR.c.count)).group_by(HOUR.c.metric)
            )
            .tuples()
            .all()
        )
    return int(left or 0), int(counted.get("", 0)), int(counted.get("value", 0))


def test_two_prunings_at_once_count_each_evaluation_once(engine: Engine, database_url: str) -> None:
    filled(engine)
    gone = at_once(prune_store, [(database_url,), (database_url,)])
    expected = GO * TICKERS - 1
    assert sum(gone) == expected
    assert summed(engine) == (LATEST_RUNS + 1, expected, expected)


def _prune_and_stop(url: str, transactions: int) -> None:
    engine = open_engine(url)
    require_schema(engine)
    left = [transactions]

    def killed(_: float) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    prune(engine, PERIODS, LATER, pace=Pace(size=10, sleep=killed))


@pytest.mark.parametrize("transactions", [1, 4])
def test_a_pruning_that_is_killed_leaves_nothing_half_done(
    engine: Engine, database_url: str, transactions: int
) -> None:
    filled(engine)
    process = multiprocessing.get_context("spawn").Process(
        target=_prune_and_stop, args=(database_url, transactions)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    left, counted, values = summed(engine)
    total = GO * TICKERS + LATEST_RUNS
    assert counted == values > 0
    assert left + counted == total
    prune_store(database_url)
    assert summed(engine) == (LATEST_RUNS + 1, GO * TICKERS - 1, GO * TICKERS - 1)
