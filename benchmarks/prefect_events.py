"""What a recording costs with Prefect events and without, against a real Prefect server.

The same runs are recorded in turn with the events switched off and on: one that finds nothing, one
that opens an event, one that opens a hundred. What Prefect's client does in the background counts
as well: CPU time is that of the whole process until everything has been sent.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine

from benchmarks._support import median_ms, p95_ms, report
from sentinel_core.base.settings import get_settings
from sentinel_core.flow.hooks import record_facts
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema

START = datetime.now(UTC)
RULE = Rule(uuid4(), "bench", "bench-flow", RuleSettings())


@dataclass
class Times:
    """Seconds of each recording, and of all of them in CPU time."""

    wall: list[float] = field(default_factory=list)
    cpu: float = 0.0


def outputs(kind: str, number: int) -> list[AlertOutput]:
    """What the `number`-th run returns: each that fires does so on series of its own."""
    count = {"quiet": 0, "opens one": 1, "opens 100": 100}[kind]
    if not count:
        return [AlertOutput(triggered=False, ticker="Q", message="fine", metrics={"value": 1.0})]
    return [
        AlertOutput(
            triggered=True, ticker=f"T{number}-{n}", message="bench", metrics={"value": 1.0}
        )
        for n in range(count)
    ]


def run_of(number: int) -> Run:
    """The `number`-th run, one a second."""
    at = START + timedelta(seconds=number)
    return Run(uuid4(), "bench", StateType.COMPLETED, "Triggered", "", at, at, at, run_count=1)


def switch(*, on: bool) -> None:
    """Prefect events on or off, as the environment would have it."""
    os.environ["SENTINEL_PREFECT_EVENTS"] = "true" if on else "false"
    get_settings.cache_clear()


def measure(engine: Engine, kind: str, count: int) -> dict[bool, Times]:
    """Recordings without and with events, in turn, so that noise falls on both."""
    times = {False: Times(), True: Times()}
    number = 0
    for done in range(-5, count):  # the first ones warm up
        for on in (False, True):
            switch(on=on)
            number += 1
            run, found = run_of(number), outputs(kind, number)
            cpu, began = time.process_time(), time.perf_counter()
            record_facts(engine, RULE, run, found)
            wall = time.perf_counter() - began
            if on:
                EventsWorker.instance().wait_until_empty()
            if done >= 0:
                times[on].wall.append(wall)
                times[on].cpu += time.process_time() - cpu
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="recordings of each kind")
    count = parser.parse_args().count
    from tests.support.prefect import prefect_server

    rows: list[Sequence[object]] = []
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name, prefect_server(Path(name)) as server:
        engine = open_engine(f"sqlite:///{name}/bench.db")
        ensure_schema(engine)
        with temporary_settings({PREFECT_API_URL: server.api_url}):
            for kind, most in (("quiet", count), ("opens one", count), ("opens 100", count // 5)):
                times = measure(engine, kind, max(most, 5))
                without, with_events = times[False], times[True]
                ratio = median_ms(with_events.wall) / median_ms(without.wall)
                for label, one in (("off", without), ("on", with_events)):
                    rows.append(
                        [
                            f"{kind}: events {label}",
                            f"{median_ms(one.wall):.2f}",
                            f"{p95_ms(one.wall):.2f}",
                            f"{one.cpu / len(one.wall) * 1000:.2f}",
                            f"{ratio:.2f}" if one is with_events else "1",
                        ]
                    )
                result[f"ratio_{kind.replace(' ', '_')}"] = round(ratio, 2)
                added = median_ms(with_events.wall) - median_ms(without.wall)
                result[f"added_ms_{kind.replace(' ', '_')}"] = round(added, 2)
            EventsWorker.drain_all(timeout=10)
        engine.dispose()
    report(
        f"One recording, {count} of each, in turn",
        ["", "median ms", "p95 ms", "CPU ms", "ratio"],
        rows,
        result,
    )


if __name__ == "__main__":
    main()
