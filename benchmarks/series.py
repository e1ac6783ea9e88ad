"""Many tickers in one run on the sentinel worker, against the bare driver writing the same rows.

A run is measured from its start in Prefect until its last evaluation is on record, with all that
lies between: the trigger's outputs, the task, the judgement, the recording and Prefect's states.
The bare driver writes as many evaluations, and then as many series, with two statements in one
transaction. The first run of each size makes its series, so it is left out of the figures.
"""

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks._support import report
from benchmarks.flows.many import many
from sentinel_core.store.db.tables import EVALUATION
from tests.support.prefect import prefect_server
from tests.support.processes import wait_for
from tests.support.usage import Usage
from tests.support.workers import Workplace, workplace

RUNS = 4
_EVALUATION = """INSERT INTO evaluation (rule_id, prefect_flow_run_id, kind, ticker, at, started_at,
 completed_at, measured_at, retry_count, prefect_state, prefect_state_name, prefect_state_message,
 triggered, reported, importance, message, metrics, metadata, decision, decision_code,
 decision_reason, recorded_at) VALUES (0,?,'alert',?,?,?,?,?,0,'COMPLETED','Completed','',
 false,false,'medium',?,?,'{}','quiet','quiet','',?)"""
_SERIES = """INSERT INTO alert_series (rule_id, kind, ticker, status, last_at, changed_at, breaches,
 oks, recent, flapping, tells) VALUES (0,'alert',?,'ok',?,?,0,1,'0',false,0)
 ON CONFLICT (rule_id, kind, ticker) DO UPDATE SET last_at = excluded.last_at"""


def run_once(place: Workplace, deployment: uuid.UUID, tickers: int) -> float:
    """Seconds from the start of a run until all its evaluations are on record."""
    run = place.client.create_flow_run_from_deployment(deployment)
    mine = select(func.count()).where(EVALUATION.c.prefect_flow_run_id == run.id)

    def recorded() -> bool:
        with place.store.connect() as connection:
            return connection.scalar(mine) == tickers

    wait_for(recorded, seconds=300, what=f"{tickers} evaluations", every=0.05)
    ended = time.time()
    started = place.client.read_flow_run(run.id).start_time
    assert started is not None
    wait_for(
        lambda: (state := place.client.read_flow_run(run.id).state) and state.is_final(),
        what="the run to end",
    )
    return ended - started.timestamp()


def bare(path: Path, tickers: int) -> float:
    """Seconds in which the driver writes the same rows into the same tables."""
    now, run = datetime.now(UTC).strftime("%F %T.%f"), uuid.uuid4().hex
    metrics = json.dumps({"value": 1.0})
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        _EVALUATION,
        [
            (run, f"T{n}", now, now, now, now, f"T{n} moved by {n % 7} percent", metrics, now)
            for n in range(tickers)
        ],
    )
    connection.executemany(_SERIES, [(f"T{n}", now, now) for n in range(tickers)])
    connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return took


def measure(place: Workplace, sizes: list[int]) -> list[dict[str, Any]]:
    """The runs of each size, and what the worker's processes held after each."""
    store = Path(str(place.store.url.database))
    found = []
    for tickers in sizes:
        name, check = f"many-{tickers}", {"tickers": tickers}
        entrypoint = "benchmarks/flows/many.py:many"
        deployment = place.deploy(name, many, entrypoint=entrypoint, check=check)
        with place.worker(limit=1) as worker:
            usage = Usage(worker=worker.pid)
            times, memory = [], []
            for _ in range(RUNS + 1):
                times.append(run_once(place, deployment, tickers))
                memory.append(usage.memory_mb("worker"))
        without = [bare(store, tickers) for _ in range(RUNS + 1)][1:]
        found.append({"tickers": tickers, "s": times[1:], "bare": without, "mb": memory[1:]})
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, action="append", help="1,000 and 50,000 by default")
    sizes = parser.parse_args().tickers or [1_000, 50_000]
    with (
        tempfile.TemporaryDirectory() as name,
        prefect_server(Path(name)) as server,
        workplace(server, Path(name), "sentinel", "bench-series") as place,
    ):
        found = measure(place, sizes)
    rows = [
        [
            f"{one['tickers']:,} tickers",
            f"{statistics.median(one['s']):.2f}",
            f"{max(one['s']):.2f}",
            f"{statistics.median(one['bare']):.2f}",
            f"{one['tickers'] / statistics.median(one['s']):,.0f}",
            f"{one['mb'][0]:.0f} to {one['mb'][-1]:.0f}",
        ]
        for one in found
    ]
    last = found[-1]
    seconds = statistics.median(last["s"])
    report(
        f"One run of many tickers, median of {RUNS} runs",
        ["", "s", "longest", "bare driver", "series/s", "MB, first to last"],
        rows,
        {
            "tickers": last["tickers"],
            "seconds": round(seconds, 2),
            "series_per_s": round(last["tickers"] / seconds),
            "ratio": round(seconds / statistics.median(last["bare"]), 2),
            "mb_growth": round(last["mb"][-1] - last["mb"][0], 1),
        },
    )


if __name__ == "__main__":
    main()
