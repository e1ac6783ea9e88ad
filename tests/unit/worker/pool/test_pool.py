"""Real fork servers and real children, without a Prefect server (tests/support/pool_lab.py)."""

import asyncio
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sentinel_core.worker.pool.handle import Ended
from sentinel_core.worker.pool.protocol import Job
from tests.support.patience import patient
from tests.support.pool_lab import Lab, is_gone
from tests.support.processes import wait_for


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """For tests that leave the fork server as they found it: starting one costs seconds."""
    lab = Lab(tmp_path_factory.mktemp("pool"))
    yield lab
    lab.close()


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """For tests that change the code, or break the fork server."""
    lab = Lab(tmp_path)
    yield lab
    lab.close()


# -- which process has a job ---------------------------------------------------------------


def test_jobs_one_after_another_are_done_by_one_process(lab: Lab) -> None:
    assert len({lab.run()["pid"] for _ in range(5)}) == 1


def test_jobs_at_once_are_done_by_as_many_processes_and_each_is_named(lab: Lab) -> None:
    jobs = [lab.job("time.sleep(0.5)") for _ in range(4)]
    named: list[int] = []

    async def all_of_them() -> list[Ended]:
        return await asyncio.gather(*(lab.pool.run(job, lab.spec, named.append) for job in jobs))

    ended = lab.wait(all_of_them())
    pids = {lab.word(job)["pid"] for job in jobs}
    assert len(pids) == 4
    assert pids == set(named) == {end.pid for end in ended}


def test_a_process_is_replaced_after_as_many_runs_as_it_may_serve(lab: Lab) -> None:
    pids = [lab.run(spec=lab.reuse(max_runs=2))["pid"] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_process_that_has_grown_too_large_is_replaced(lab: Lab) -> None:
    small = lab.reuse(max_memory_mb=1)  # any process holds more
    assert len({lab.run(spec=small)["pid"] for _ in range(3)}) == 3


def test_a_process_in_which_a_thread_stays_is_replaced_and_ends_with_the_thread(lab: Lab) -> None:
    gate = lab.words / "gate"
    thread = (
        "def until():\n"
        f"    while not Path({str(gate)!r}).exists(): time.sleep(0.05)\n"
        "threading.Thread(target=until).start()"
    )
    pid = lab.run(thread)["pid"]
    assert lab.run()["pid"] != pid
    assert not is_gone(pid)
    gate.touch()
    wait_for(lambda: is_gone(pid), what="the process to end", every=0.05)


def test_processes_without_work_end_after_a_while(lab: Lab) -> None:
    patient = lab.reuse(idle_seconds=0.5)
    pid = lab.run(spec=patient)["pid"]
    wait_for(lambda: is_gone(pid), what="the idle process to end", every=0.05)
    assert lab.run(spec=patient)["pid"] != pid


def test_a_run_feels_nothing_of_the_one_before_it(lab: Lab) -> None:
    before = lab.run()
    mess = "os.chdir('/'); os.umask(0); os.environ['POOL_MESS'] = '1'; os.environ.pop('HOME')"
    assert lab.run(mess)["pid"] == before["pid"]
    after = lab.run()
    assert {**after, "said": ""} == {**before, "said": ""}


def test_an_alarm_that_a_run_has_set_does_not_end_the_next_one(lab: Lab) -> None:
    def left(do: str) -> tuple[int, float]:
        """The process of a run that does this and then looks at its alarm timer; what it sees."""
        note = lab.words / "alarm"
        look = f"Path({str(note)!r}).write_text(str(signal.getitimer(signal.ITIMER_REAL)[0]))"
        return lab.run(f"{do}\n{look}")["pid"], float(note.read_text())

    first, before = left("signal.setitimer(signal.ITIMER_REAL, 3_600)")
    second, after = left("")
    assert first == second
    assert (before > 0, after) == (True, 0.0)


def test_an_environment_of_its_own_has_processes_of_its_own(lab: Lab) -> None:
    other = replace(lab.spec, env=(*lab.spec.env, ("POOL_COLOUR", "blue")))
    plain, coloured, again = lab.run(), lab.run(spec=other), lab.run()
    assert (plain["env"], coloured["env"]) == ({}, {"POOL_COLOUR": "blue"})
    assert plain["pid"] == again["pid"] != coloured["pid"]


def test_a_run_with_large_parameters_is_served_as_any_other(own_lab: Lab) -> None:
    """Prefect takes parameters of up to half a megabyte."""
    own_lab.run()
    first = own_lab.reuse(max_runs=1)
    for _ in range(2):
        own_lab.run(spec=first, text="x" * 500_000)


# -- how a job ends ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "exit_code", "words"),
    [
        ("os._exit(0)", 0, "ended by itself with exit code 0"),
        ("os._exit(3)", 3, "ended by itself with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "killed by signal 9"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11, "killed by signal 11"),
    ],
)
def test_a_process_that_ends_with_its_run_says_so_and_the_next_run_is_served(
    lab: Lab, do: str, exit_code: int, words: str
) -> None:
    job = lab.job(do)
    ended = lab.wait(lab.pool.run(job, lab.spec, lambda _: None))
    assert (ended.concluded, ended.exit_code, ended.pid) == (False, exit_code, lab.word(job)["pid"])
    assert words in str(ended.error)
    assert lab.run()["pid"] != ended.pid


@pytest.mark.parametrize(
    "do", ["raise ValueError('broken')", "sys.exit(3)", "raise KeyboardInterrupt"]
)
def test_code_that_can_not_be_loaded_is_told_and_its_process_not_used_again(
    lab: Lab, do: str
) -> None:
    ended = lab.wait(lab.pool.run(lab.job(do), lab.spec, lambda _: None))
    assert not ended.concluded
    assert ended.error
    assert lab.run()["pid"] != ended.pid


async def _with_a_grandchild(lab: Lab) -> tuple[Job, asyncio.Task[Ended], int, int]:
    """A run that goes on, its task, its process and a process that it has started."""
    note = lab.words / "grandchild"
    job = lab.job(
        "import subprocess\n"
        f"Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "time.sleep(3_600)"
    )
    task, pid = await lab.start(job)
    while not (note.exists() and note.read_text()):  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.02)
    return job, task, pid, int(note.read_text())


def test_a_run_that_is_killed_ends_with_the_reason_and_with_what_it_started(lab: Lab) -> None:
    async def killed() -> tuple[Ended, int, int]:
        job, task, pid, grandchild = await _with_a_grandchild(lab)
        assert lab.pool.kill(job.id, "the test wants it")
        return await task, pid, grandchild

    ended, pid, grandchild = lab.wait(killed())
    assert (ended.concluded, ended.error, ended.exit_code) == (False, "the test wants it", -9)
    assert is_gone(pid)
    wait_for(lambda: is_gone(grandchild), what="the grandchild to be gone", every=0.05)


def test_what_a_run_has_started_dies_with_a_process_that_somebody_else_killed(lab: Lab) -> None:
    async def killed() -> tuple[Ended, int]:
        _, task, pid, orphan = await _with_a_grandchild(lab)
        os.kill(pid, signal.SIGKILL)
        return await task, orphan

    ended, orphan = lab.wait(killed())
    assert (ended.concluded, ended.exit_code) == (False, -9)
    wait_for(lambda: is_gone(orphan), what="what the run had started to be gone", every=0.05)


def test_a_run_that_is_cancelled_while_its_code_is_loaded_ends_there(lab: Lab) -> None:
    async def cancelled() -> Ended:
        job = lab.job("time.sleep(3_600)")
        task, _ = await lab.start(job)
        assert lab.pool.cancel(job.id)
        return await task

    ended = lab.wait(cancelled(), 20)
    assert (ended.concluded, ended.error) == (False, "cancelled before it began")


def test_nobody_is_killed_or_cancelled_for_a_run_that_is_not_there(lab: Lab) -> None:
    pid, job = lab.run()["pid"], lab.job()
    assert not lab.pool.kill(job.id, "no reason")
    assert not lab.pool.cancel(job.id)
    assert lab.run()["pid"] == pid


# -- code that changes ---------------------------------------------------------------------


def test_changed_code_is_loaded_anew_in_new_processes(own_lab: Lab) -> None:
    old = own_lab.run()
    own_lab.set_version(22)
    new = own_lab.run()
    assert (old["version"], new["version"]) == (1, 22)
    assert own_lab.run()["pid"] == new["pid"] != old["pid"]
    wait_for(lambda: is_gone(old["pid"]), what="the old process to end", every=0.05)


def test_a_run_under_way_finishes_with_the_code_it_began_with(own_lab: Lab) -> None:
    async def both() -> tuple[Ended, Job]:
        long, short = own_lab.job("time.sleep(6)"), own_lab.job()
        task, _ = await own_lab.start(long)
        own_lab.set_version(22)
        # Idle processes notice; the one that is at work is left alone.
        await own_lab.pool.run(short, own_lab.spec, lambda _: None)
        return await task, short

    own_lab.run()
    ended, _ = own_lab.wait(both())
    assert ended.concluded
    assert own_lab.run()["version"] == 22


def test_a_checkout_that_is_replaced_as_a_whole_is_loaded_anew(own_lab: Lab) -> None:
    """As deploying by `rm -r` and copying does it: the processes stand in a deleted folder."""
    assert own_lab.run()["version"] == 1
    fresh = own_lab.checkout.with_name("fresh")
    shutil.copytree(own_lab.checkout, fresh)
    (fresh / "pool_helper.py").write_text("VERSION = 22\n")
    shutil.rmtree(own_lab.checkout)
    fresh.rename(own_lab.checkout)
    seen = own_lab.run()
    assert (seen["version"], seen["cwd"]) == (22, str(own_lab.checkout))


def test_a_new_release_behind_the_symlink_that_was_deployed_is_loaded(own_lab: Lab) -> None:
    current, newer = own_lab.checkout.with_name("current"), own_lab.checkout.with_name("newer")
    current.symlink_to(own_lab.checkout)
    linked = replace(own_lab.spec, folder=str(current))
    assert own_lab.run(spec=linked)["version"] == 1
    shutil.copytree(own_lab.checkout, newer)
    (newer / "pool_helper.py").write_text("VERSION = 22\n")
    aside = current.with_name("aside")
    aside.symlink_to(newer)
    aside.replace(current)
    seen = own_lab.run(spec=linked)
    assert (seen["version"], seen["cwd"]) == (22, str(newer))


def test_code_that_changes_all_the_time_is_given_up_in_a_sentence(own_lab: Lab) -> None:
    helper, stop = own_lab.checkout / "pool_helper.py", threading.Event()

    def change() -> None:
        while not stop.wait(0.002):
            os.utime(helper)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        preloaded = replace(own_lab.spec, preload=("pool_helper",))
        ended = own_lab.wait(own_lab.pool.run(own_lab.job(), preloaded, lambda _: None))
    finally:
        stop.set()
        thread.join()
    assert not ended.concluded
    assert "changes all the time" in str(ended.error)


# -- fork servers -------------------------------------------------------------------------


def test_a_fork_server_that_is_killed_loses_no_run_and_the_next_has_a_new_one(own_lab: Lab) -> None:
    gate = own_lab.words / "gate"

    async def killed() -> tuple[Ended, int]:
        job = own_lab.job(f"while not Path({str(gate)!r}).exists(): time.sleep(0.05)")
        task, pid = await own_lab.start(job)
        [server] = own_lab.fork_servers()
        server.kill()
        await asyncio.sleep(0.5)
        assert not is_gone(pid)
        assert not task.done()  # it is not given up while its process is still at work
        gate.touch()
        return await task, pid

    ended, pid = own_lab.wait(killed())
    assert not ended.concluded
    assert "its fork server ended" in str(ended.error)
    assert is_gone(pid)
    assert own_lab.run()["pid"] != pid


def test_a_run_whose_fork_server_was_killed_can_still_be_killed_with_what_it_started(
    own_lab: Lab,
) -> None:
    note = own_lab.words / "started"

    async def killed() -> Ended:
        job = own_lab.job(
            "import subprocess\n"
            "started = subprocess.Popen(['sleep', '600']).pid\n"
            f"Path({str(note)!r}).write_text(str(started))\n"
            "time.sleep(3_600)"
        )
        task, _ = await own_lab.start(job)
        while not (note.exists() and note.read_text()):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.02)
        [server] = own_lab.fork_servers()
        server.kill()
        await asyncio.sleep(0.5)
        own_lab.pool.kill(job.id, "the worker is stopping")
        return await asyncio.wait_for(task, patient(60))

    ended = own_lab.wait(killed())
    assert (ended.concluded, ended.error) == (False, "the worker is stopping")
    started = int(note.read_text())
    wait_for(lambda: is_gone(started), what="what the run had started to be gone", every=0.05)


def test_closing_lets_a_run_finish_and_ends_all_processes(own_lab: Lab) -> None:
    async def closed() -> tuple[Ended, list[int]]:
        idle = own_lab.job()
        busy = own_lab.job("time.sleep(2)")
        task, pid = await own_lab.start(busy)
        await own_lab.pool.run(idle, own_lab.spec, lambda _: None)
        await own_lab.pool.close(seconds=20)
        return await task, [pid, own_lab.word(idle)["pid"]]

    ended, pids = own_lab.wait(closed())
    assert ended.concluded
    assert all(is_gone(pid) for pid in pids)
    assert own_lab.fork_servers() == []


@pytest.mark.slow
def test_only_some_fork_servers_are_kept_and_the_longest_unused_goes_first(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path, max_servers=2)
    try:
        specs = [replace(lab.spec, env=(*lab.spec.env, ("POOL_N", str(n)))) for n in range(3)]
        first, second, third = (lab.run(spec=spec)["pid"] for spec in specs)
        wait_for(lambda: is_gone(first), what="the first to end", every=0.05)
        assert len(lab.fork_servers()) == 2
        assert lab.run(spec=specs[1])["pid"] == second
        assert lab.run(spec=specs[2])["pid"] == third
    finally:
        lab.close()


def test_what_can_not_be_preloaded_or_starts_threads_is_a_warning_and_runs_go_on(
    own_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    (own_lab.checkout / "pool_threads.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    preload = ("no_such_module", "pool_threads")
    own_lab.run(spec=replace(own_lab.spec, preload=preload))
    assert "Not preloaded: no_such_module: ModuleNotFoundError" in caplog.text
    assert "starts threads" in caplog.text


@pytest.mark.parametrize(
    ("folder", "variable"),
    [
        ("/no/such/folder", ("POOL_FINE", "1")),
        ("/nul\0byte", ("POOL_FINE", "1")),
        (None, ("CREW=BAD", "1")),
        (None, ("POOL_BAD", "nul\0byte")),
        (None, ("POOL_BAD", "\ud800")),
    ],
)
def test_what_no_process_can_be_started_with_is_an_oserror(
    lab: Lab, folder: str | None, variable: tuple[str, str]
) -> None:
    wrong = replace(lab.spec, folder=folder or lab.spec.folder, env=(*lab.spec.env, variable))
    with pytest.raises(OSError, match=r"."):
        lab.wait(lab.pool.run(lab.job(), wrong, lambda _: None))
    lab.run()
