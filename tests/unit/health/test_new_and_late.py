"""What is not wrong yet, and what is no longer right although Prefect says so."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import Worker, WorkerStatus, WorkPool
from sqlalchemy import Engine, update

from sentinel_core.base.settings import get_settings
from sentinel_core.health.finding import State
from sentinel_core.health.housekeeping import look_at_record
from sentinel_core.health.work_pools import _workers
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import IDENTITY

NOW = datetime.now(UTC)


def test_a_new_store_has_time_for_its_first_reconcile(store: Engine) -> None:
    with writing(store) as connection:
        connection.execute(update(IDENTITY).values(created_at=NOW))
    [finding] = look_at_record(get_settings(), NOW + timedelta(minutes=2))
    assert (finding.state, finding.advice) == (State.OK, "")
    [finding] = look_at_record(get_settings(), NOW + timedelta(minutes=4))
    assert (finding.state, finding.advice) == (State.UNKNOWN, "run `sentinel reconcile`")


@pytest.mark.parametrize(
    ("every", "age", "state"),
    [
        (30, 31, State.OK),
        (30, 74, State.OK),
        (30, 76, State.DEGRADED),
        (60, 76, State.OK),
        (60, 151, State.DEGRADED),
        (None, 76, State.DEGRADED),
    ],
)
def test_an_online_worker_whose_heartbeats_are_missing_is_degraded(
    every: int | None, age: int, state: State
) -> None:
    pool = WorkPool(name="team", type="sentinel", default_queue_id=uuid4())
    worker = Worker(
        name="one",
        work_pool_id=pool.id,
        status=WorkerStatus.ONLINE,
        heartbeat_interval_seconds=every,
        last_heartbeat_time=NOW - timedelta(seconds=age),
    )
    finding = _workers(pool, [worker], NOW)
    assert finding.state is state
    assert f"{age} s ago" in finding.sentence
    assert bool(finding.advice) == (state is not State.OK)
