"""Triggers that misbehave, each in the way its `mode` names, and leave word of what they saw.

Every attempt writes one line of facts (process id, folder, environment …) to `<run id>.facts` in
`folder`, every hook one line to `<run id>.hooks`: so a test counts what happened without asking
the system under test.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from prefect import flow, runtime
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_run_logger

from sentinel_core import AlertOutput, Trigger, rule_flow
from sentinel_core.flow.hooks import record_run
from tests.support import patience

Mode = Literal[
    "ok",
    "fire",
    "raise",
    "fail once",
    "fail twice",
    "wait",
    "exit 0",
    "exit 3",
    "sys.exit",
    "interrupt",
    "own base exception",
    "print",
    "fork and return twice",
    "leave a grandchild",
    "leave a thread",
    "leak",
    "make a mess",
    "close files",
    "hang holding the GIL",
    "hang without the GIL",
]
MEGABYTE = 1_000_000
PRINTED = "x" * 9_999 + "\n"
MARKED = ("CONTRACT_COLOUR", "CONTRACT_MESS")  # what a run reports of its environment

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGHUP)
_leaked: list[bytearray] = []


class RudeError(BaseException):
    """Passes every `except Exception`."""


class Contract(Trigger):
    """Does what its mode says."""

    folder: Path
    mode: Mode = "ok"

    @classmethod
    def longest_seconds(cls) -> float:
        """Longer than any of these runs takes, short enough to wait for."""
        return 45

    def check(self) -> AlertOutput:
        """Leave word, misbehave, answer."""
        attempt = _leave_word(self.folder)
        get_run_logger().info("contract: %s, attempt %d", self.mode, attempt)
        if action := _ACTIONS.get(self.mode):
            action(self.folder, attempt)
        return AlertOutput(
            triggered=self.mode == "fire",
            ticker="contract",
            message=f"contract {self.mode}",
            metrics={"attempt": attempt},
            metadata={"pid": os.getpid()},
        )


class Brief(Contract):
    """The same with a short flow timeout: what never ends by itself need not be waited for long."""

    @classmethod
    def longest_seconds(cls) -> float:
        """Enough for a slow machine to get as far as the misbehaviour."""
        return patience.patient(10)


class Hasty(Contract):
    """The same with a task that may take a second."""

    timeout_seconds: ClassVar[float] = 1


class Patient(Contract):
    """The same with two retries."""

    retries: ClassVar[int] = 2
    retry_delay_seconds: ClassVar[float] = 0


def _file(folder: Path, kind: str) -> Path:
    return folder / f"{runtime.flow_run.id}.{kind}"


def _leave_word(folder: Path) -> int:
    """Which attempt this is, after writing down where and as what it runs."""
    umask = os.umask(0o022)
    os.umask(umask)
    facts = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "cwd": str(Path.cwd()),
        "env": {name: os.environ[name] for name in MARKED if name in os.environ},
        "umask": umask,
        "ignored": [n.name for n in _SIGNALS if signal.getsignal(n) is signal.SIG_IGN],
        "threads": [t.name for t in threading.enumerate() if t.name.startswith("contract")],
    }
    with _file(folder, "facts").open("a+") as file:
        file.write(json.dumps(facts) + "\n")
        file.flush()
        file.seek(0)
        return len(file.readlines())


def _fail(_folder: Path, _attempt: int) -> None:
    raise RuntimeError("asked to fail")


def _fail_once(_folder: Path, attempt: int) -> None:
    if attempt < 2:
        raise ConnectionError(f"attempt {attempt}")


def _fail_twice(_folder: Path, attempt: int) -> None:
    if attempt < 3:
        raise ConnectionError(f"attempt {attempt}")


def _wait(folder: Path, _attempt: int) -> None:
    """Until the test lets go, saying all the while that it works, and when it no longer does."""
    gate, ticks = _file(folder, "go"), _file(folder, "ticks")
    try:
        while not gate.exists():
            ticks.write_text(str(time.monotonic()))
            time.sleep(0.05)
    finally:
        _file(folder, "left").touch()


def _interrupt(_folder: Path, _attempt: int) -> None:
    raise KeyboardInterrupt


def _own_base_exception(_folder: Path, _attempt: int) -> None:
    raise RudeError("not an Exception")


def _print(_folder: Path, _attempt: int) -> None:
    for _ in range(100 * MEGABYTE // len(PRINTED)):
        sys.stdout.write(PRINTED)


def _fork_and_return_twice(folder: Path, _attempt: int) -> None:
    pid = os.fork()
    if pid:
        _file(folder, "grandchild").write_text(str(pid))


def _leave_a_grandchild(folder: Path, _attempt: int) -> None:
    gate = _file(folder, "go")
    pid = os.fork()
    if pid:
        _file(folder, "grandchild").write_text(str(pid))
        return
    _until(gate)
    os._exit(0)


def _leave_a_thread(folder: Path, _attempt: int) -> None:
    gate = _file(folder, "go")
    threading.Thread(target=_until, args=(gate,), name="contract-leftover").start()


def _until(gate: Path) -> None:
    """Not for ever: what a broken test forgets must not stay on the machine."""
    deadline = time.monotonic() + 300
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def _leak(_folder: Path, _attempt: int) -> None:
    """Memory that is really there (not merely reserved) and never comes back."""
    _leaked.append(bytearray(os.urandom(MEGABYTE)) * 500)


def _make_a_mess(folder: Path, _attempt: int) -> None:
    os.chdir(folder)
    os.environ["CONTRACT_MESS"] = "left behind"
    os.umask(0o027)
    for sign in _SIGNALS:
        signal.signal(sign, signal.SIG_IGN)


def _close_files(_folder: Path, _attempt: int) -> None:
    os.closerange(3, 65)


def _deadlock(library: ctypes.CDLL) -> None:
    """Wait inside the C library for a lock this thread holds: no Python signal handler gets in."""
    lock = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)


def _hang_holding_the_gil(_folder: Path, _attempt: int) -> None:
    _deadlock(ctypes.PyDLL(None))


def _hang_without_the_gil(_folder: Path, _attempt: int) -> None:
    _deadlock(ctypes.CDLL(None))


def _exit_0(_folder: Path, _attempt: int) -> None:
    os._exit(0)


def _exit_3(_folder: Path, _attempt: int) -> None:
    os._exit(3)


def _sys_exit(_folder: Path, _attempt: int) -> None:
    sys.exit(3)


_ACTIONS: dict[str, Callable[[Path, int], None]] = {
    "raise": _fail,
    "fail once": _fail_once,
    "fail twice": _fail_twice,
    "wait": _wait,
    "exit 0": _exit_0,
    "exit 3": _exit_3,
    "sys.exit": _sys_exit,
    "interrupt": _interrupt,
    "own base exception": _own_base_exception,
    "print": _print,
    "fork and return twice": _fork_and_return_twice,
    "leave a grandchild": _leave_a_grandchild,
    "leave a thread": _leave_a_thread,
    "leak": _leak,
    "make a mess": _make_a_mess,
    "close files": _close_files,
    "hang holding the GIL": _hang_holding_the_gil,
    "hang without the GIL": _hang_without_the_gil,
}


def _with_witness(flow: Flow[..., Any]) -> Flow[..., Any]:
    """Beside Sentinel's own hooks, one of each kind that writes a line."""
    for register in (flow.on_completion, flow.on_failure, flow.on_crashed, flow.on_cancellation):
        register(_witness(register.__name__))
    return flow


def _witness(kind: str) -> Callable[[Flow[..., Any], FlowRun, State[Any]], None]:
    def hook(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
        folder = Path(flow_run.parameters["check"]["folder"])
        with (folder / f"{flow_run.id}.hooks").open("a") as file:
            file.write(f"{kind} {state.name} {os.getpid()}\n")

    hook.__name__ = f"witness_{kind}"
    return hook


@flow(timeout_seconds=2, on_failure=[record_run], persist_result=False)
def nap(check: Contract) -> None:
    """A flow without a task, which outlives its timeout."""
    _leave_word(check.folder)
    time.sleep(60)


contract = _with_witness(rule_flow(Contract))
brief = _with_witness(rule_flow(Brief))
patient = _with_witness(rule_flow(Patient))
hasty = _with_witness(rule_flow(Hasty))
_with_witness(nap)
