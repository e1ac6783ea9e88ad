"""CPU and wall time of a run with and without each hook, in turn, in one warm process.

A run with a hook and its twin without follow each other; the figures are medians, and their
difference is what the hook costs. CPU is that of the whole process, threads included; Prefect's
server is another one.
"""

import argparse
import contextlib
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import Flow, flow
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, temporary_settings

from benchmarks._support import report
from sentinel_core.base.settings import get_settings
from sentinel_core.hooks import (
    alert_on_crash,
    alert_on_failure,
    alert_on_result,
    alert_on_slow,
    alert_on_timeout,
)
from tests.support.prefect import prefect_server

Hooks = dict[str, list[Any]]
CASES: dict[str, tuple[bool, Hooks]] = {  # does the run fail; its hooks
    "failure, run is fine": (False, {"on_completion": [alert_on_failure()]}),
    "failure, run fails": (True, {"on_failure": [alert_on_failure()]}),
    "timeout, run fails": (True, {"on_failure": [alert_on_timeout()]}),
    "crash, run is fine": (False, {"on_completion": [alert_on_crash()]}),
    "slow, run is fine": (False, {"on_completion": [alert_on_slow(seconds=60)]}),
    "slow, run is slow": (False, {"on_completion": [alert_on_slow(seconds=0)]}),
    "result, run is fine": (False, {"on_completion": [alert_on_result(lambda r: r, "wrong")]}),
}


def _flow(name: str, fails: bool, hooks: Hooks) -> Flow[..., Any]:
    def body() -> int:
        if fails:
            raise RuntimeError("away")
        return 0

    return flow(name=name, **hooks)(body)


def _measure(run: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall


def _case(name: str, rounds: int) -> dict[str, float]:
    fails, hooks = CASES[name]
    short = name.replace(",", "").replace(" ", "-")
    bare, watched = _flow(f"{short}-bare", fails, {}), _flow(short, fails, hooks)
    taken: dict[str, list[tuple[float, float]]] = {"bare": [], "watched": []}
    for number in range(rounds + 2):  # the first two warm up
        for key, each in (("bare", bare), ("watched", watched)):
            measured = _measure(lambda each=each: each(return_state=True))  # type: ignore[misc]
            if number > 1:
                taken[key].append(measured)
    return {
        f"{key}_{what}": statistics.median(pair[index] for pair in pairs) * 1000
        for key, pairs in taken.items()
        for index, what in enumerate(("cpu", "wall"))
    }


def main() -> None:
    """Measure every case and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=20)
    rounds = arguments.parse_args().rounds
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        os.environ["SENTINEL_DATABASE_URL"] = f"sqlite:///{folder}/sentinel.db"
        get_settings.cache_clear()
        server = stack.enter_context(prefect_server(Path(folder)))
        quiet = {PREFECT_API_URL: server.api_url, PREFECT_LOGGING_LEVEL: "CRITICAL"}
        stack.enter_context(temporary_settings(quiet))
        figures = {name: _case(name, rounds) for name in CASES}
    rows, result = [], {}
    for name, ms in figures.items():
        cpu, wall = (ms[f"watched_{what}"] - ms[f"bare_{what}"] for what in ("cpu", "wall"))
        rows.append([name, *(f"{ms[key]:.1f}" for key in ms), f"{cpu:.1f}", f"{wall:.1f}"])
        key = name.replace(",", "").replace(" ", "_")
        result |= {f"{key}_cpu_ms": round(cpu, 2), f"{key}_wall_ms": round(wall, 2)}
    columns = ["hook", "bare CPU ms", "bare ms", "watched CPU ms", "watched ms", "CPU +", "wall +"]
    report(f"A run with and without a hook, {rounds} rounds", columns, rows, dict(result))


if __name__ == "__main__":
    main()
