"""What keeps the runs of a work pool from starting, as a table."""

from datetime import UTC, datetime

import pytest

from triggers.pipelines.late_cause import Limit, Pool, Queue
from triggers.pipelines.work_pool_health import WorkPoolHealth

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pool", "queues", "codes"),
    [
        (None, [], ["work_pool_missing"]),
        (Pool("k8s", workers_online=1), [], []),
        (Pool("k8s", workers_online=1), [Queue("default")], []),
        (Pool("k8s"), [], ["no_worker_online"]),
        (Pool("k8s", needs_worker=False), [], []),
        (Pool("k8s", paused=True), [], ["work_pool_paused", "no_worker_online"]),
        (Pool("k8s", workers_online=1, limit=Limit(0, 0)), [], ["work_pool_limit"]),
        (Pool("k8s", workers_online=1, limit=Limit(2, 2)), [], []),  # busy is not unhealthy
        (Pool("k8s", workers_online=1), [Queue("a", paused=True)], ["work_queue_paused"]),
        (Pool("k8s", workers_online=1), [Queue("a", limit=Limit(0, 0))], ["work_queue_limit"]),
    ],
)
def test_a_pool_in_which_nothing_can_start_is_an_alert(pool, queues, codes):
    output = WorkPoolHealth().evaluate("k8s", pool, queues)
    assert output.metadata["codes"] == codes
    assert output.triggered is bool(codes)


@pytest.mark.parametrize(("online", "triggered"), [(0, True), (1, True), (2, False), (3, False)])
def test_the_number_of_workers_that_must_be_online(online, triggered):
    output = WorkPoolHealth(workers=2).evaluate("k8s", Pool("k8s", workers_online=online))
    assert output.triggered is triggered
    assert (output.metrics["value"], output.metrics["threshold"]) == (online, 2)


def test_the_event_says_since_when_there_is_no_worker():
    output = WorkPoolHealth().evaluate("k8s", Pool("k8s", last_heartbeat=NOON))
    assert output.message == (
        "k8s: 0 of 1 worker online, the last heartbeat was at 2026-03-02 12:00:00 UTC"
    )


def test_a_hostile_name_is_one_series_on_one_line():
    output = WorkPoolHealth().evaluate("a\n'\"" * 5_000, None)
    assert len(output.ticker) <= 200
    assert "\n" not in output.message
