"""Every way a run can end by itself: the same under both worker types, but for what is named here.

All runs of a type start at once under one worker; the tests only read what was left behind.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from prefect.flows import Flow

from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.rules import contract
from tests.support.workers import WORKER_TYPES, DeployedRun, Workplace, gone, wait_all, workplace

# Under the process worker what hangs, and what left a process behind, keeps its slot to the end.
LIMITS = {"process": 5, "sentinel": 3}


@dataclass(frozen=True)
class Ending:
    """How a run ends: its state in Prefect, the hooks that ran, what the store says."""

    state: tuple[str, str]
    hooks: tuple[str, ...]
    evaluation: tuple[str, str]
    event: str | None = None


DONE = Ending(("COMPLETED", "Completed"), ("on_completion",), ("alert", "COMPLETED"))
TRIGGERED = Ending(("COMPLETED", "Triggered"), ("on_completion",), ("alert", "COMPLETED"), "alert")
FAILED = Ending(("FAILED", "Failed"), ("on_failure",), ("failure", "FAILED"), "failure")
TIMED_OUT = Ending(("FAILED", "TimedOut"), ("on_failure",), ("failure", "FAILED"), "failure")
CRASHED = Ending(("CRASHED", "Crashed"), ("on_crashed",), ("failure", "CRASHED"), "failure")
LOST = Ending(("CRASHED", "Crashed"), (), ("failure", "CRASHED"), "failure")
"""No hook ran and the run stayed as it was: reconcile closed it."""


@dataclass(frozen=True)
class Case:
    """One run: what it does, through which flow, and how it ends under each type."""

    name: str
    mode: contract.Mode
    ends: dict[str, Ending]
    flow: Flow[..., Any] = field(default=contract.contract)


def both(
    name: str, mode: contract.Mode, ending: Ending, flow: Flow[..., Any] = contract.contract
) -> Case:
    return Case(name, mode, dict.fromkeys(WORKER_TYPES, ending), flow)


def differs(
    name: str,
    mode: contract.Mode,
    *,
    process: Ending,
    sentinel: Ending,
    flow: Flow[..., Any] = contract.brief,
) -> Case:
    return Case(name, mode, {"process": process, "sentinel": sentinel}, flow)


CASES = [
    both("success", "ok", DONE),
    both("triggered", "fire", TRIGGERED),
    both("failure", "raise", FAILED),
    both("retries", "fail twice", DONE, contract.patient),
    both("task timeout", "wait", TIMED_OUT, contract.hasty),
    both("flow timeout", "wait", TIMED_OUT, contract.nap),
    both("os._exit(3)", "exit 3", CRASHED),
    both("sys.exit(3)", "sys.exit", CRASHED),
    both("KeyboardInterrupt", "interrupt", CRASHED),
    both("a BaseException", "own base exception", CRASHED),
    both("a fork that returns twice", "fork and return twice", DONE),
    both("100 MB printed", "print", DONE),
    differs("os._exit(0)", "exit 0", process=LOST, sentinel=CRASHED),
    both("a grandchild", "leave a grandchild", DONE),
    differs("a hang", "hang holding the GIL", process=LOST, sentinel=CRASHED),
    differs("a hang beside threads", "hang without the GIL", process=LOST, sentinel=CRASHED),
]
CLOSED_FILES = "closed files"


@dataclass(frozen=True)
class Day:
    """What all the runs left behind, which of them no hook recorded, how the worker grew."""

    place: Workplace
    runs: dict[str, DeployedRun]
    unrecorded: set[str]
    grown_mb: float


@pytest.fixture(scope="module", params=WORKER_TYPES)
def day(
    request: pytest.FixtureRequest,
    server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Day]:
    kind, pool = request.param, f"outcomes-{request.param}"
    folder = tmp_path_factory.mktemp(pool)
    with (
        workplace(server, folder, kind, pool) as place,
        place.worker(limit=LIMITS[kind]) as worker,
    ):
        before = psutil.Process(worker.pid).memory_info().rss
        runs = {case.name: place.start(case.mode, case.flow, name=case.name) for case in CASES}
        runs[CLOSED_FILES] = place.start("close files", contract.brief)
        try:
            unrecorded = _finish(place, runs)
            grown = (psutil.Process(worker.pid).memory_info().rss - before) / contract.MEGABYTE
            yield Day(place, runs, unrecorded, grown)
        finally:
            for run in runs.values():
                run.let_go()


def _finish(place: Workplace, runs: dict[str, DeployedRun]) -> set[str]:
    """Wait for the runs and their hooks; then have reconcile add what has no record."""
    lost = {case.name for case in CASES if case.ends[place.type] is LOST}
    # Nobody can say when, or whether, a run without its connections comes to an end by itself.
    ending = {name: run for name, run in runs.items() if name not in {*lost, CLOSED_FILES}}
    wait_all(ending, 150)
    for run in ending.values():
        run.wait_recorded()
    for run in runs.values():
        run.wait_started()  # reconcile would close one that has been pending for too long
    unrecorded = {name for name, run in runs.items() if not run.evaluations} - {CLOSED_FILES}

    def all_ended() -> bool:
        place.reconcile()
        return all(run.is_final for run in runs.values())

    wait_for(all_ended, what="reconcile to close what nobody ended", every=1)
    place.reconcile()
    if not place.is_sentinel:
        for name in {*lost, CLOSED_FILES}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(runs[name].pid, signal.SIGKILL)
    return unrecorded


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_run_ends_in_the_expected_state_with_its_hooks_run_and_one_record(
    day: Day, case: Case
) -> None:
    run, ending = day.runs[case.name], case.ends[day.place.type]
    assert (run.state.type.value, run.state.name) == ending.state
    assert tuple(run.hooks) == ending.hooks
    [evaluation] = run.evaluations
    assert (evaluation["kind"], evaluation["prefect_state"]) == ending.evaluation
    assert [(e["kind"], e["occurrences"]) for e in run.events()] == (
        [(ending.event, 1)] if ending.event else []
    )


def test_a_run_that_closed_its_processs_files_is_on_record_once(day: Day) -> None:
    run = day.runs[CLOSED_FILES]
    assert run.state.is_final()
    assert len(run.evaluations) == 1
    assert len(run.facts) == 1
    if day.place.is_sentinel:
        assert gone(run.pid)


def test_reconcile_has_to_add_only_runs_that_nobody_ended(day: Day) -> None:
    assert day.unrecorded == {case.name for case in CASES if case.ends[day.place.type] is LOST}


def test_log_lines_of_a_run_arrive_in_prefect(day: Day) -> None:
    """A process that dies before Prefect sends them takes them with it."""
    run = day.place.start("ok", name="logs").wait()
    run.wait_logged("contract: ok, attempt 1")
    assert run.logs.count("contract: ok, attempt 1") == 1
    if day.place.is_sentinel:
        assert not any("Finished in state" in line for line in run.logs)
    else:
        run.wait_logged("Finished in state Completed")


def test_a_run_whose_process_ended_says_with_which_code(day: Day) -> None:
    """Its own last log lines may be lost with it, and the process worker's go nowhere."""
    run = day.runs["os._exit(3)"]
    words = "exit code 3" if day.place.is_sentinel else "status code: 3"
    assert words in str(run.state.message)
    if day.place.is_sentinel:
        run.wait_logged(words)
    else:
        assert not any(words in line for line in run.logs)


def test_a_task_that_fails_twice_is_tried_three_times_in_one_run(day: Day) -> None:
    run = day.runs["retries"]
    assert len(run.facts) == 3
    [evaluation] = run.evaluations
    assert '"attempt": 3' in str(evaluation["metrics"])
    assert (evaluation["retry_count"], run.now.run_count) == (0, 1)


def test_a_printed_hundred_megabytes_do_not_stay_in_the_workers_memory(day: Day) -> None:
    assert day.grown_mb < 60


def test_a_hang_in_c_code_ends_its_process_only_where_the_worker_watches_it(day: Day) -> None:
    state = day.runs["a hang"].state
    if day.place.is_sentinel:
        assert gone(day.runs["a hang"].pid)
        assert "timeout" in str(state.message)
    else:
        assert "Outlived its timeout" in str(state.message)
