"""A real fork server whose children are cheap: what happens between processes, many times."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from sentinel_core.worker.pool.fork_server import preload
from sentinel_core.worker.pool.protocol import Frames, Message, pack
from tests.support.patience import patient
from tests.support.processes import ROOT, stop, wait_for

# Children do what their job says instead of running flows; all else is the fork server as it is.
PROGRAM = """
import os, socket, sys, time
from sentinel_core.worker.pool.fork_server import ForkServer
from sentinel_core.worker.pool.protocol import ReusePolicy, pack, receive

def serve(connection, reuse):
    stream = connection.makefile("rb")
    while (job := receive(stream)) is not None:
        if "say" in job["do"]:
            said = {"kind": "running", "id": job["id"], "said": "x" * job["do"]["say"]}
            connection.sendall(pack(said))
        if "exit" in job["do"]:
            os._exit(job["do"]["exit"])
        time.sleep(job["do"].get("sleep", 0))
        retire = job["do"].get("retire", False)
        done = {"kind": "done", "id": job["id"], "retire": retire, "size": len(job["do"])}
        connection.sendall(pack(done))
        if retire:
            break
    return 0

worker = socket.socket(fileno=int(sys.argv[1]))
child_main = ForkServer(worker, ReusePolicy(idle_seconds=float(sys.argv[2])), serve).run()
os._exit(child_main() if child_main else 0)
"""


class Worker:
    """The worker's end of a fork server."""

    def __init__(self, idle_seconds: float = 600) -> None:
        self.socket, there = socket.socketpair()
        self.socket.settimeout(patient(60))
        with there:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(there.fileno()), str(idle_seconds)],
                pass_fds=[there.fileno()],
                cwd=ROOT,
                start_new_session=True,
            )
        self.frames = Frames()
        self.messages: list[Message] = []

    def send(self, number: int, **do: Any) -> None:
        self.socket.sendall(pack({"kind": "job", "id": str(number), "do": do}))

    def hear(self) -> bool:
        """Take in what the fork server says next; False when it is gone."""
        data = self.socket.recv(65_536)
        self.messages += self.frames.feed(data)
        return bool(data)

    def ends(self, count: int) -> dict[str, Message]:
        """How that many jobs ended, by id."""
        begun = ("assigned", "running")
        while len(found := {m["id"]: m for m in self.messages if m["kind"] not in begun}) < count:
            assert self.hear(), f"the fork server is gone after {len(found)} of {count} jobs"
        return found

    def pids(self, count: int) -> dict[str, int]:
        """In which processes that many jobs are."""
        while len(found := {m["id"]: m["pid"] for m in self.messages if "pid" in m}) < count:
            assert self.hear(), f"the fork server is gone after {len(found)} of {count} jobs"
        return found

    @property
    def children(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    with worker.socket:
        yield worker
    stop(worker.process, 5)


def test_jobs_one_after_another_are_done_by_one_child(worker: Worker) -> None:
    for number in range(20):
        worker.send(number)
        worker.ends(number + 1)
    assert len(set(worker.pids(20).values())) == 1


def test_jobs_at_once_are_done_by_as_many_children(worker: Worker) -> None:
    for number in range(8):
        worker.send(number, sleep=0.5)
    assert len(set(worker.pids(8).values())) == 8
    worker.ends(8)


def test_children_that_end_together_do_not_take_their_fork_server_with_them(worker: Worker) -> None:
    jobs, at_once = 400, 16
    for number in range(jobs):
        if number >= at_once:
            worker.ends(number - at_once + 1)
        worker.send(number, retire=True)
    assert {end["kind"] for end in worker.ends(jobs).values()} == {"done"}
    assert len(set(worker.pids(jobs).values())) == jobs
    wait_for(lambda: worker.children == [], what="the children to be gone", every=0.05)
    worker.send(jobs)
    worker.ends(jobs + 1)


def test_children_that_die_together_are_each_told_of(worker: Worker) -> None:
    for number in range(12):
        worker.send(number, exit=number)
    ends = worker.ends(12)
    assert {end["kind"] for end in ends.values()} == {"died"}
    assert {int(job): end["exit_code"] for job, end in ends.items()} == {n: n for n in range(12)}


def test_what_a_child_said_before_it_died_arrives_before_its_end(worker: Worker) -> None:
    """More than is read at once, of children that are gone before it is read."""
    for number in range(10):
        worker.send(number, say=150_000, exit=3)
    worker.ends(10)
    for number in range(10):
        kinds = [m["kind"] for m in worker.messages if m["id"] == str(number)]
        assert kinds == ["assigned", "running", "died"]
    assert all(len(m["said"]) == 150_000 for m in worker.messages if m["kind"] == "running")


def test_a_killed_child_is_told_of_once_with_its_signal_while_others_go_on(worker: Worker) -> None:
    worker.send(0, sleep=60)
    worker.send(1, sleep=1)
    os.kill(worker.pids(2)["0"], signal.SIGKILL)
    ends = worker.ends(2)
    assert (ends["0"]["kind"], ends["0"]["exit_code"]) == ("died", -signal.SIGKILL)
    assert ends["1"]["kind"] == "done"
    assert [m["kind"] for m in worker.messages if m["id"] == "0"] == ["assigned", "died"]


def test_a_job_goes_to_a_new_child_when_the_idle_one_was_killed(worker: Worker) -> None:
    worker.send(0)
    worker.ends(1)
    [pid] = worker.children
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: worker.children == [], what="the child to be gone", every=0.02)
    worker.send(1)
    assert worker.ends(2)["1"]["kind"] == "done"
    assert worker.pids(2)["1"] != pid


@pytest.mark.parametrize("size", [1_000, 150_000, 600_000])
def test_a_job_of_any_size_reaches_a_new_child_and_a_used_one(worker: Worker, size: int) -> None:
    for number in range(2):
        worker.send(number, text="x" * size)
        assert worker.ends(number + 1)[str(number)]["kind"] == "done"
    assert len(set(worker.pids(2).values())) == 1


def test_idle_children_end_after_a_while_and_the_fork_server_goes_on() -> None:
    worker = Worker(idle_seconds=0.3)
    with worker.socket:
        for number in range(3):
            worker.send(number, sleep=0.1)
        worker.ends(3)
        wait_for(lambda: worker.children == [], what="the idle to end", every=0.05)
        worker.send(3)
        worker.ends(4)
    stop(worker.process, 5)


def test_when_the_worker_is_gone_children_finish_what_they_have_and_all_end(
    worker: Worker,
) -> None:
    worker.send(0)
    worker.ends(1)  # an idle child and a busy one
    worker.send(1, sleep=1)
    worker.send(2, sleep=0)
    worker.ends(2)
    busy = psutil.Process(worker.pids(3)["1"])
    worker.socket.close()
    assert busy.is_running()
    assert worker.process.wait(patient(60)) == 0
    assert not busy.is_running() or busy.status() == psutil.STATUS_ZOMBIE


def test_a_signal_for_a_job_that_has_ended_reaches_nobody(worker: Worker) -> None:
    worker.send(0)
    worker.ends(1)
    for job in ("0", "no such job"):
        worker.socket.sendall(pack({"kind": "signal", "id": job, "signal": int(signal.SIGKILL)}))
    worker.send(1)
    assert worker.ends(2)["1"]["kind"] == "done"
    assert len(set(worker.pids(2).values())) == 1


def test_what_can_not_be_preloaded_is_named_with_the_reason_and_the_rest_is_loaded() -> None:
    failed = preload(["json", "no_such_module", "sentinel_core.model.alert"])
    assert failed == ["no_such_module: ModuleNotFoundError: No module named 'no_such_module'"]
