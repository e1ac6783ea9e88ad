"""What one evaluation of each watcher costs over many runs in its window, on a real Prefect server.

The runs are written to the server's database and read through its API. The baseline is reading the
same runs with Prefect's client and doing nothing with them.
"""

import argparse
import random
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.server.database import orm_models
from prefect.server.schemas.states import StateDetails, StateType
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks._support import report
from sentinel_core import AlertOutput, NoHistory
from tests.support.prefect import PrefectServer, client_of, make_pool, prefect_server
from triggers.pipelines.flow_run_failures import FlowRunFailures
from triggers.pipelines.late_runs import LateRuns
from triggers.pipelines.queue_starvation import QueueStarvation
from triggers.pipelines.reading import each_run, ended_between
from triggers.pipelines.slow_flows import SlowFlows
from triggers.pipelines.slow_tasks import SlowTasks
from triggers.pipelines.stuck_runs import StuckRuns
from triggers.pipelines.task_run_failures import TaskRunFailures

FAILING = 0.05


class Calls:
    """Requests to the API while it is counted."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what every httpx client sends meanwhile."""
        send = httpx.Client.send

        def counting(client: httpx.Client, *args: Any, **kwargs: Any) -> httpx.Response:
            self.count += 1
            return send(client, *args, **kwargs)

        httpx.Client.send = counting  # type: ignore[method-assign]
        try:
            yield
        finally:
            httpx.Client.send = send  # type: ignore[method-assign]


def deployments(client: SyncPrefectClient, count: int) -> list[tuple[UUID, UUID]]:
    """Flows with two deployments each."""
    make_pool(client, "bench")
    made = []
    for number in range(count):
        flow = client.create_flow_from_name(f"pipeline-{number // 2}")
        name = "nightly" if number % 2 else "hourly"
        made.append((flow, client.create_deployment(flow, name, work_pool_name="bench")))
    return made


def fill(server: PrefectServer, made: Sequence[tuple[UUID, UUID]], count: int) -> None:
    """Ended runs of the last fifty minutes, one in twenty of them failed."""
    chance = random.Random(1)
    now = datetime.now(UTC) - timedelta(seconds=30)
    engine = create_engine(f"sqlite:///{server.folder / 'prefect' / 'prefect.db'}")
    with Session(engine) as session:
        for number in range(count):
            flow, deployment = made[number % len(made)]
            ended = now - timedelta(seconds=chance.uniform(0, 3_000))
            failed = chance.random() < FAILING
            kind = StateType.FAILED if failed else StateType.COMPLETED
            run, state = uuid4(), uuid4()
            session.add(
                orm_models.FlowRun(
                    id=run,
                    flow_id=flow,
                    deployment_id=deployment,
                    name=f"run-{number}",
                    state_type=kind,
                    state_name=kind.value.title(),
                    state_timestamp=ended,
                    run_count=1,
                    expected_start_time=ended - timedelta(seconds=40),
                    start_time=ended - timedelta(seconds=40),
                    end_time=ended,
                    total_run_time=timedelta(seconds=40),
                    created=ended,
                    updated=ended,
                )
            )
            session.flush()
            session.add(
                orm_models.FlowRunState(
                    id=state,
                    flow_run_id=run,
                    type=kind,
                    name=kind.value.title(),
                    message="the tape is torn" if failed else "",
                    timestamp=ended,
                    state_details=StateDetails(flow_run_id=run),
                )
            )
            session.flush()
            session.query(orm_models.FlowRun).filter_by(id=run).update(
                {"state_id": state, "updated": ended}, synchronize_session=False
            )
        session.commit()
    engine.dispose()


def measured(check: Callable[[], Any]) -> tuple[float, int, float, Any]:
    """Seconds, requests, and the peak of what Python allocated in MB: two runs of it."""
    calls = Calls()
    began = time.perf_counter()
    with calls.counted():
        result = check()
    seconds = time.perf_counter() - began
    tracemalloc.start()
    check()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return seconds, calls.count, peak, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="ended runs in the window")
    parser.add_argument("--deployments", type=int, default=40, help="that they belong to")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        prefect_server(Path(folder)) as server,
        client_of(server) as client,
    ):
        made = deployments(client, options.deployments)
        fill(server, made, options.runs)
        since = datetime.now(UTC) - timedelta(hours=1)
        ids = [deployment for _, deployment in made]

        def read() -> int:
            return sum(1 for _ in each_run(client, ids, ended_between(since, None)))

        cases: dict[str, Callable[[], Any]] = {
            "reading alone": read,
            "flow_run_failures": lambda: FlowRunFailures().check(NoHistory()),
            "task_run_failures": lambda: TaskRunFailures().check(NoHistory()),
            "slow_flows": lambda: SlowFlows(slow_from_seconds=30).check(NoHistory()),
            "slow_tasks": lambda: SlowTasks(slow_from_seconds=30).check(NoHistory()),
            "late_runs": lambda: LateRuns().check(NoHistory()),
            "stuck_runs": lambda: StuckRuns().check(NoHistory()),
            "queue_starvation": lambda: QueueStarvation().check(NoHistory()),
        }
        read()  # warms up server and client
        results = {name: measured(check) for name, check in cases.items()}
    _, _, _, number = results["reading alone"]
    outputs: list[AlertOutput] = results["flow_run_failures"][3]
    total = sum(output.metrics["ended_runs"] for output in outputs if output.ticker)
    assert number == total == options.runs, (number, total)
    base = results["reading alone"][0]
    result: dict[str, object] = {"runs": options.runs}
    for name, (seconds, calls, peak, _) in results.items():
        result[name.replace(" ", "_")] = {
            "seconds": round(seconds, 2),
            "api_calls": calls,
            "peak_mb": round(peak, 1),
        }
    result["ratio_failures"] = round(results["flow_run_failures"][0] / base, 2)
    result["max_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    report(
        f"One evaluation over {options.runs:,} ended runs of {options.deployments} deployments",
        ["", "seconds", "API calls", "peak MB", "ratio"],
        [
            [name, f"{seconds:.2f}", calls, f"{peak:.1f}", f"{seconds / base:.2f}"]
            for name, (seconds, calls, peak, _) in results.items()
        ],
        result,
    )


if __name__ == "__main__":
    main()
