"""Runs that somebody stops, holds up or starts again, from Prefect or with a signal."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.states import Cancelled, Cancelling, Paused, Scheduled, State, Suspended

from flows.custom import script
from tests.support.patience import patient
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.workers import WORKER_TYPES, DeployedRule, Workplace, gone, workplace

LIMIT = 2


@pytest.fixture(scope="module", params=WORKER_TYPES)
def place(
    request: pytest.FixtureRequest,
    server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workplace]:
    pool = f"stopping-{request.param}"
    folder = tmp_path_factory.mktemp(pool)
    with (
        workplace(server, folder, request.param, pool) as place,
        place.worker(limit=LIMIT),
    ):
        yield place


def test_a_run_killed_with_signal_9_is_crashed_once_and_makes_room_while_others_go_on(
    place: Workplace,
) -> None:
    doomed = place.start("wait", name="doomed").wait_started()
    neighbour = place.start("wait", name="neighbour").wait_started()
    third = place.start("wait", name="third")
    place.wait_polls()
    assert third.facts == []  # the worker may have two
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.wait().wait_recorded()
    third.wait_started()
    neighbour.wait_ticks()
    assert (doomed.state.type.value, doomed.hooks) == ("CRASHED", ["on_crashed"])
    assert "9" in str(doomed.state.message)
    for run in (neighbour, third):
        run.let_go()
        run.wait().wait_recorded()
        assert (run.state.type.value, run.hooks) == ("COMPLETED", ["on_completion"])
        assert run.events() == []
    assert place.reconcile_adds_nothing_for(doomed, neighbour, third)
    [evaluation] = doomed.evaluations
    assert (evaluation["kind"], evaluation["prefect_state"]) == ("failure", "CRASHED")
    assert [event["occurrences"] for event in doomed.events("failure")] == [1]
    assert len(doomed.facts) == 1


SCRIPT = """
sleep 600 &
echo $PPID $$ $! > pids.part
mv pids.part pids
wait
"""


def test_a_script_and_what_it_started_die_with_the_process_of_their_run(
    place: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "check.sh").write_text(SCRIPT)
    check = {"path": "check.sh", "interpreter": "sh", "working_directory": str(tmp_path)}
    name = f"{place.pool}-script"
    flow = place.deploy("script", script, entrypoint="flows/custom.py:script", check=check)
    run = DeployedRule(place, name, flow).run()
    wait_for((tmp_path / "pids").exists, what="the script to start")
    process, *started = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    os.kill(process, signal.SIGKILL)
    for pid in started:
        wait_for(lambda pid=pid: gone(pid), what=f"process {pid} of the script to end", every=0.1)
    run.wait()
    wait_for(lambda: run.evaluations, what="its record", every=0.2)
    place.reconcile()
    [evaluation] = run.evaluations
    assert (evaluation["kind"], evaluation["prefect_state"]) == ("failure", "CRASHED")
    assert [event["occurrences"] for event in run.events("failure")] == [1]


def test_a_run_cancelled_from_prefect_while_it_runs_stops_working(place: Workplace) -> None:
    run = place.start("wait", name="cancelled").wait_started()
    place.client.set_flow_run_state(run.id, Cancelling())
    run.wait().wait_recorded()
    assert (run.state.type.value, run.hooks) == ("CANCELLED", ["on_cancellation"])
    run.wait_stopped()
    assert place.reconcile_adds_nothing_for(run)
    [evaluation] = run.evaluations
    assert (evaluation["kind"], evaluation["prefect_state"]) == ("failure", "CANCELLED")
    [event] = run.events()
    assert (event["importance"], event["occurrences"]) == ("low", 1)


@pytest.mark.parametrize("asked", [Paused(), Suspended()], ids=["paused", "suspended"])
def test_a_run_that_is_paused_or_suspended_is_ended_with_a_sentence_by_the_sentinel_worker(
    place: Workplace, asked: State
) -> None:
    """It would hold a process for an hour, or end unchecked and look like a run that waits."""
    if not place.is_sentinel:
        pytest.skip("a process worker holds it: that is what it is for")
    run = place.start("wait", name=f"{asked.name}").wait_started()
    place.client.set_flow_run_state(run.id, asked.model_copy())
    run.wait().wait_recorded()
    assert (run.state.name, run.hooks) == ("Failed", ["on_failure"])
    assert "can't be paused or suspended" in str(run.state.message)
    run.wait_stopped()
    assert place.reconcile_adds_nothing_for(run)
    assert [event["occurrences"] for event in run.events("failure")] == [1]


def test_a_paused_pool_starts_nothing_until_it_goes_on(place: Workplace) -> None:
    place.client.update_work_pool(place.pool, WorkPoolUpdate(is_paused=True))
    held, cancelled = (place.start("ok", name=name) for name in ("held-up", "cancelled-early"))
    place.wait_polls()
    assert [run.state.type.value for run in (held, cancelled)] == ["SCHEDULED"] * 2
    place.client.set_flow_run_state(cancelled.id, Cancelled(message="changed my mind"))
    place.client.update_work_pool(place.pool, WorkPoolUpdate(is_paused=False))
    assert held.wait().state.type.value == "COMPLETED"
    assert len(held.facts) == 1
    # What is cancelled while it is scheduled never starts, and nobody but reconcile can tell.
    assert (cancelled.facts, cancelled.hooks, cancelled.evaluations) == ([], [], [])
    place.reconcile()
    [event] = cancelled.events()
    assert (event["kind"], event["importance"], event["occurrences"]) == ("failure", "low", 1)
    assert "changed my mind" in event["message"]


@pytest.mark.slow
def test_a_run_cancelled_shortly_before_it_is_due_does_not_start_under_the_sentinel_worker(
    place: Workplace,
) -> None:
    """The worker has the run in view by then, as workers look some seconds ahead."""
    if not place.is_sentinel:
        pytest.skip("a process worker has started its process by then, and it runs all the same")
    due = datetime.now(UTC) + timedelta(seconds=patient(8))
    run = place.rule("cancelled-late", "ok").run(state=Scheduled(scheduled_time=due))
    place.wait_polls()
    place.client.set_flow_run_state(run.id, Cancelled())
    assert datetime.now(UTC) < due, "too late to show anything: raise SENTINEL_TEST_PATIENCE"
    wait_for(lambda: datetime.now(UTC) > due, what="the time at which it would have run")
    place.wait_polls()
    assert (run.state.type.value, run.facts, run.hooks) == ("CANCELLED", [], [])


def test_a_failed_run_that_is_started_again_from_prefect_runs_again(place: Workplace) -> None:
    run = place.start("fail once", name="again")
    run.wait().wait_recorded()
    assert run.state.name == "Failed"
    if not place.is_sentinel:  # its worker must have seen the end of the process
        wait_for(lambda: gone(run.pid), what="the run's process to end")
        place.wait_polls(2)
    place.client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"), force=True)
    run.wait_started(2)
    wait_for(lambda: len(run.hooks) == 2, what="the second attempt's hooks")
    assert run.wait().state.name == "Completed"
    assert run.hooks == ["on_failure", "on_completion"]
    assert [row["prefect_state"] for row in run.evaluations] == ["FAILED", "COMPLETED"]
    [event] = run.events("failure")
    assert event["resolved_at"] is not None
    assert place.reconcile_adds_nothing_for(run)


def test_a_rule_that_allows_one_run_at_a_time_has_the_second_cancelled(place: Workplace) -> None:
    rule = place.rule("one-at-a-time", "wait", cancel_new=True)
    first = rule.run().wait_started()
    second = rule.run().wait()
    assert (second.state.type.value, second.facts, second.hooks) == ("CANCELLED", [], [])
    first.let_go()
    first.wait().wait_recorded()
    assert first.state.type.value == "COMPLETED"
    third = rule.run()
    third.let_go()
    assert third.wait().state.type.value == "COMPLETED"  # the slot was given back
    third.wait_recorded()
    place.reconcile()
    [evaluation] = second.evaluations
    assert (evaluation["kind"], evaluation["prefect_state"]) == ("skipped", "CANCELLED")
    assert evaluation["decision_code"] == "skipped-under-way"
    assert second.events() == []
