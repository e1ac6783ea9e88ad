"""Whose runs starve, and what they wait for, as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.events import Event

from sentinel_core import AlertOutput
from triggers.pipelines.due_runs import LateRun
from triggers.pipelines.global_limits import FullLimit, evaluate_limit, holders
from triggers.pipelines.late_cause import Late, Limit, Pool, Queue
from triggers.pipelines.queue_starvation import QueueStarvation
from triggers.pipelines.slots import upstream
from triggers.pipelines.starved import (
    Holder,
    Scarce,
    Shared,
    Starvation,
    Waiting,
    ahead_of,
    scarce_in_pool,
    starved,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINE, HOG = "etl/nightly", "batch/hourly"


def holder(owner: str, name: str = "slow-snail") -> Holder:
    return Holder(uuid4(), name, owner)


def waiting(owner: str, minutes: float = 20, priority: int = 1) -> Waiting:
    since = NOON - timedelta(minutes=minutes)
    return Waiting(uuid4(), "brave-otter", owner, since, priority)


def held(*owners: str) -> list[tuple[str, Holder]]:
    """Runs under way in the queue that bears their owner's name."""
    return [(owner, holder(owner)) for owner in owners]


ONLINE = {"workers_online": 1}


@pytest.mark.parametrize(
    ("pool", "queue", "holders", "ahead", "code"),
    [
        (Pool("k8s", limit=Limit(2, 2), **ONLINE), Queue(MINE), held(HOG, HOG), 0, Shared.POOL),
        (Pool("k8s", limit=Limit(2, 0), **ONLINE), Queue(MINE), held(HOG, HOG), 0, Shared.POOL),
        (Pool("k8s", limit=Limit(3, 2), **ONLINE), Queue(MINE), held(HOG, HOG), 0, Shared.WORKERS),
        (Pool("k8s", **ONLINE), Queue(HOG, limit=Limit(1, 1)), held(HOG), 0, Shared.QUEUE),
        (Pool("k8s", **ONLINE), Queue(MINE), held(HOG), 0, Shared.WORKERS),
        (Pool("k8s", needs_worker=False), Queue(MINE), held(HOG), 0, None),
        (Pool("k8s", **ONLINE), Queue(MINE), [], 199, None),
        (Pool("k8s", **ONLINE), Queue(MINE), [], 200, Shared.CROWDED_OUT),
        (Pool("k8s", **ONLINE), Queue(MINE), held(HOG), 300, Shared.CROWDED_OUT),
        (Pool("k8s"), Queue(MINE), held(HOG), 300, None),  # no worker: nobody holds anything
        (Pool("k8s", paused=True, **ONLINE), Queue(MINE), held(HOG), 300, None),
        (Pool("k8s", **ONLINE), Queue(MINE, paused=True), held(HOG), 300, None),
        (Pool("k8s", limit=Limit(0, 0), **ONLINE), Queue(MINE), [], 0, None),
        (None, None, held(HOG), 300, None),
    ],
)
def test_what_the_runs_of_a_queue_wait_for(pool, queue, holders, ahead, code):
    found = scarce_in_pool(Late("k8s", pool, queue), holders, ahead)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("owners", "own_percent", "ahead", "victims"),
    [
        ([HOG, HOG], 0, 0, {MINE}),
        ([HOG, MINE], 0, 0, set()),  # busy, not starved
        ([HOG] * 9 + [MINE], 10, 0, {MINE}),
        ([HOG] * 8 + [MINE], 10, 0, set()),
        ([MINE, MINE], 0, 0, set()),
        ([], 0, 0, set()),
        ([], 0, 199, set()),
        ([], 0, 200, {MINE}),
    ],
)
def test_who_holds_next_to_nothing_is_starved(owners, own_percent, ahead, victims):
    scarce = Scarce(Shared.POOL, "the work pool k8s", [holder(owner) for owner in owners])
    waits = {MINE: [waiting(MINE)], HOG: [waiting(HOG)]}
    found = starved(waits, scarce, own_percent, {MINE: ahead})
    names = {run.owner for run in found.waiting} if found else set()
    assert names & {MINE} == victims


@pytest.mark.parametrize(
    ("due", "ahead"),
    [
        ([], 0),
        ([waiting(HOG)], 0),  # nothing of mine is due
        ([waiting(MINE, 20), waiting(HOG, 30), waiting(HOG, 10)], 1),
        ([waiting(MINE, 20, 2), waiting(HOG, 1, 1), waiting(HOG, 30, 3)], 1),
        ([waiting(MINE, 20), waiting(MINE, 5), waiting(HOG, 10)], 0),
    ],
)
def test_how_many_runs_of_others_come_before(due: Sequence[Waiting], ahead: int) -> None:
    assert ahead_of(MINE, due) == ahead


@pytest.mark.parametrize(
    ("state", "minutes", "waits"),
    [("Late", 10, False), ("Late", 11, True), ("AwaitingConcurrencySlot", 60, False)],
)
def test_a_run_that_waits_for_its_own_deployment_is_not_starved(state, minutes, waits):
    run = LateRun(uuid4(), "run", NOON - timedelta(minutes=minutes), state, "k8s", "default")
    assert QueueStarvation()._waits(run, NOON) is waits


def test_a_task_run_may_wait_for_others_and_not_for_a_slot():
    other = uuid4()
    inputs = {
        "rows": [{"input_type": "task_run", "id": str(other)}],
        "day": [{"input_type": "parameter", "name": "day"}],
    }
    run = TaskRun(task_key="load-1", dynamic_key="0", flow_run_id=uuid4(), task_inputs=inputs)
    assert upstream(run) == {other}


def test_the_event_names_who_waits_and_who_holds_the_slots():
    holders = [holder(HOG), holder(HOG), holder("report/daily")]
    scarce = Scarce(Shared.POOL, "the work pool k8s", holders, 3)
    found = Starvation([waiting(MINE), waiting(MINE, 12)], scarce, ahead=4)
    output = QueueStarvation().evaluate("k8s/default", found, NOON)
    assert output.triggered
    assert output.message == (
        "k8s/default: 2 runs of etl/nightly wait, brave-otter since 2026-03-02 11:40:00 UTC, for "
        "20 min: batch/hourly (2), report/daily (1) hold the 3 slots of the work pool k8s; 4 runs "
        "of others come before"
    )
    assert output.metrics == {"value": 2, "oldest_seconds": 1_200, "holders": 3, "ahead": 4}
    assert output.metadata["starved"] == [{"deployment": MINE, "runs": 2}]


def test_a_long_queue_is_named_with_what_prefect_gives_a_worker():
    scarce = Scarce(Shared.CROWDED_OUT, "the work pool k8s", [])
    assert Starvation([waiting(MINE)], scarce, ahead=300).why == (
        "300 runs of others come before, and Prefect gives a worker the first 200 due runs of the "
        "work pool k8s"
    )


def test_many_hostile_names_fit_into_one_event():
    hostile = "\N{SNOWMAN}\n\x00'\"" * 3_000
    scarce = Scarce(Shared.TAG, "the tag a", [Holder(uuid4(), hostile, hostile)] * 300, 300)
    runs = [Waiting(UUID(int=n), hostile, hostile + str(n % 50), NOON) for n in range(500)]
    output = QueueStarvation().evaluate(f"tag:{hostile}", Starvation(runs, scarce), NOON)
    assert output.metadata["not_listed"] == 480
    assert len(output.ticker) <= 200
    assert "\n" not in output.message


def event(name: str, follows: UUID | None = None, *related: tuple[str, str]) -> Event:
    return Event(
        event=f"prefect.concurrency-limit.{name}",
        resource={"prefect.resource.id": "prefect.concurrency-limit.1"},
        follows=follows,
        related=[
            {
                "prefect.resource.id": f"prefect.{role}.{UUID(int=7)}",
                "prefect.resource.role": role,
                "prefect.resource.name": called,
            }
            for role, called in related
        ],
    )


def test_who_holds_a_global_limit_is_read_from_prefects_events():
    held = event("acquired", None, ("flow-run", "slow-snail"), ("flow", "batch"))
    deployed = event("acquired", None, ("flow-run", "owl"), ("flow", "batch"), ("deployment", "h"))
    freed = event("acquired", None, ("flow-run", "gone"))
    found = holders([held, deployed, freed, event("released", freed.id), event("acquired")])
    assert [(item.name, item.owner) for item in found] == [
        ("slow-snail", "batch"),
        ("owl", "h"),
        ("a program", "outside of any run"),
    ]
    assert found[0].id == UUID(int=7)


def test_a_full_limit_is_an_alert_once_its_slots_no_longer_change_hands():
    def judged(minutes: float) -> AlertOutput | None:
        full = FullLimit("db", 2, NOON - timedelta(minutes=minutes), [holder(HOG)])
        return evaluate_limit(full, 600, NOON)

    assert judged(10) is None
    output = judged(11)
    assert output is not None
    assert (output.triggered, output.ticker) == (True, "limit:db")
    assert output.message == (
        "the global concurrency limit db is full: none of its 2 slots has changed hands since "
        "2026-03-02 11:49:00 UTC, for 11 min (held by slow-snail of batch/hourly)"
    )


def test_a_full_limit_without_events_is_no_data():
    output = evaluate_limit(FullLimit("db", 2, None), 600, NOON)
    assert output is not None
    assert (output.triggered, output.problem, output.ticker) == (False, "no_data", "limit:db")
