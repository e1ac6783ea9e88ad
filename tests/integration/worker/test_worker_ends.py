"""The worker, or Prefect's server, ends in the middle of runs: each run has one record at last."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.prefect import PrefectServer, prefect_server
from tests.support.processes import free_port, wait_for
from tests.support.rules import contract
from tests.support.workers import WORKER_TYPES, DeployedRun, Workplace, gone, workplace

STOP_SECONDS = 3


@pytest.fixture(params=WORKER_TYPES)
def place(
    request: pytest.FixtureRequest, server: PrefectServer, tmp_path: Path
) -> Iterator[Workplace]:
    """A pool for each test: a worker that ended must not leave runs to the next test's."""
    pool = f"ends-{request.param}-{tmp_path.name[-12:]}"
    with workplace(server, tmp_path, request.param, pool) as place:
        yield place


def recorded_in_the_end(run: DeployedRun) -> dict[str, object]:
    """The one evaluation of a run, from its hook or from reconcile."""

    def there() -> bool:
        run.place.reconcile()
        return bool(run.evaluations)

    wait_for(there, what="a record", every=0.5)
    run.place.reconcile()
    [evaluation] = run.evaluations
    return evaluation


def test_a_worker_that_is_asked_to_stop_lets_runs_finish_and_hands_the_others_back(
    place: Workplace,
) -> None:
    """The sentinel worker does. The process worker kills them all and leaves them as Running."""
    flow = contract.contract if place.is_sentinel else contract.brief
    with place.worker(SENTINEL_WORKER_STOP_SECONDS=str(STOP_SECONDS)) as worker:
        short, long = (place.start("wait", flow, name=name) for name in ("short", "long"))
        short.wait_started()
        long.wait_started()
        worker.send_signal(signal.SIGTERM)
        if place.is_sentinel:
            short.wait_ticks(10)
            short.let_go()
        worker.wait(60)
    assert gone(short.pid)
    assert gone(long.pid)
    if place.is_sentinel:
        assert (short.state.name, short.hooks) == ("Completed", ["on_completion"])
        assert (long.state.type.value, long.hooks) == ("SCHEDULED", [])
        with place.worker():
            long.wait_started(2)
            long.let_go()
            long.wait().wait_recorded()
        assert (long.state.name, long.hooks) == ("Completed", ["on_completion"])
        assert place.reconcile_adds_nothing_for(short, long)
        assert [len(run.evaluations) for run in (short, long)] == [1, 1]
        assert short.events() == long.events() == []
    else:
        assert [run.state.type.value for run in (short, long)] == ["RUNNING", "RUNNING"]
        for run in (short, long):
            assert recorded_in_the_end(run)["prefect_state"] == "CRASHED"
            assert [event["occurrences"] for event in run.events("failure")] == [1]
            assert run.hooks == []


def test_runs_of_a_worker_that_was_killed_are_recorded_once(place: Workplace) -> None:
    with place.worker() as worker:
        run = place.start("wait").wait_started()
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        run.wait_ticks(10)
        run.let_go()
        run.wait()
        wait_for(lambda: gone(run.pid), what="the run's process to end")
        told, hooks = run.evaluations, run.hooks
    record = recorded_in_the_end(run)
    assert record["prefect_state"] == run.state.type.value
    if place.is_sentinel:
        assert (run.state.name, hooks) == ("Completed", ["on_completion"])
        assert told == run.evaluations
    else:  # what the run prints has nobody to read it any more, of which it may die
        assert run.state.name in ("Completed", "Crashed")


@pytest.mark.slow
def test_runs_go_on_when_prefects_server_is_restarted_in_the_middle(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "server"
    folder.mkdir()
    # The workers stop before the second server does: without one, stopping takes them long.
    with contextlib.ExitStack() as servers, contextlib.ExitStack() as stack:
        first = servers.enter_context(contextlib.ExitStack())
        server = first.enter_context(prefect_server(folder, port, grace_seconds=2))
        places = [
            stack.enter_context(workplace(server, _made(tmp_path / kind), kind, kind))
            for kind in WORKER_TYPES
        ]
        for place in places:
            stack.enter_context(place.worker())
        runs = [place.start("wait") for place in places]
        for run in runs:
            run.wait_started()
        first.close()
        time.sleep(1)
        servers.enter_context(prefect_server(folder, port, grace_seconds=2))
        for run in runs:
            run.wait_ticks()
            run.let_go()
        for run in runs:
            run.wait().wait_recorded()
            assert (run.state.name, run.hooks) == ("Completed", ["on_completion"])
            assert run.place.reconcile_adds_nothing_for(run)
            assert len(run.evaluations) == 1
        later = [place.start("ok", name="later") for place in places]
        assert [run.wait().state.name for run in later] == ["Completed", "Completed"]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
