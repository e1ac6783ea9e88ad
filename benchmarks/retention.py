"""How long recordings and pages wait while old evaluations are deleted, against the same without.

A store is filled with evaluations of many series, most of them older than the retention. One
process records a run of another rule again and again, another reads the blotter's page and an
event, first alone and then while a third one prunes.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks._support import database, report
from sentinel_core.base.settings import Settings
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine, transaction
from sentinel_core.store.db.schema import ensure_schema, require_schema
from sentinel_core.store.db.tables import EVALUATION
from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.record.recording import record
from sentinel_core.store.retention.cutoffs import Periods
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import prune
from sentinel_core.store.retention.size import store_size
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint

MEASURED = Rule(uuid.uuid4(), "measured", "bench-flow", RuleSettings())
OLD = Rule(uuid.uuid4(), "old", "bench-flow", RuleSettings())
DAYS = 90  # the span of the evaluations, of which 30 days stay by default
EVENTS = 200

_ROWS = {
    "sqlite": """
INSERT INTO evaluation (rule_id, prefect_flow_run_id, kind, ticker, at, started_at, completed_at,
 measured_at, retry_count, prefect_state, prefect_state_name, prefect_state_message, triggered,
 reported, importance, message, metrics, metadata, decision, decision_code, decision_reason,
 recorded_at)
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last),
 r AS (SELECT i / :series AS run, i % :series AS ticker FROM n),
 t AS (SELECT run, ticker,
  strftime('%Y-%m-%d %H:%M:%f000', :start + run * :step, 'unixepoch') AS at FROM r)
SELECT :rule, printf('%032x', (run * 7919000000077) % 9000000000000000000), 'alert', 'T' || ticker,
 at, at, at, at, 0, 'COMPLETED', 'Completed', '', 0, 0, 'medium', 'The value is fine.',
 '{"value": ' || (ticker % 100) || '.5}', '{}', 'quiet', 'ok', 'ok: not triggered', at FROM t""",
    "postgresql": """
INSERT INTO evaluation (rule_id, prefect_flow_run_id, kind, ticker, at, started_at, completed_at,
 measured_at, retry_count, prefect_state, prefect_state_name, prefect_state_message, triggered,
 reported, importance, message, metrics, metadata, decision, decision_code, decision_reason,
 recorded_at)
SELECT :rule, md5((i / :series)::text)::uuid, 'alert', 'T' || i % :series, at, at, at, at, 0,
 'COMPLETED', 'Completed', '', false, false, 'medium', 'The value is fine.',
 jsonb_build_object('value', i % 100 + 0.5), '{}', 'quiet', 'ok', 'ok: not triggered', at
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint) - 1) AS i,
 LATERAL (SELECT to_timestamp(:start + (i / :series) * :step) AS at) t""",
}


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each recording and each page took, in seconds."""

    recordings: list[float]
    pages: list[float]


def fill(engine: Engine, evaluations: int, series: int, now: datetime) -> float:
    """Evaluations of the last days, without the indexes until all are there; bytes for each."""
    at = now - timedelta(days=DAYS)
    _record(engine, OLD, at - timedelta(days=1), False)
    runs = max(evaluations // series, 1)
    indexes = list(EVALUATION.indexes)
    with transaction(engine, write=True) as connection:
        for index in indexes:
            index.drop(connection)
        rule_id = connection.scalar(text("SELECT id FROM alert_rule WHERE name = 'old'"))
    values = {"rule": rule_id, "series": series, "step": DAYS * 86_400 / runs}
    values["start"] = at.timestamp()
    for first in range(0, evaluations, 500_000):
        part = {"first": first, "last": min(first + 500_000, evaluations)}
        with transaction(engine, write=True) as connection:
            connection.execute(text(_ROWS[engine.dialect.name]), values | part)
    with transaction(engine, write=True) as connection:
        for index in indexes:
            index.create(connection)
        connection.execute(text("ANALYZE"))
    for number in range(EVENTS):
        _record(engine, MEASURED, now - timedelta(minutes=EVENTS - number), True, f"E{number}")
    set_checkpoint(engine, RECONCILE, now)
    [size] = (t for t in store_size(engine, now).tables if t.table == "evaluation")
    return (size.bytes or 0) / size.rows


def _record(engine: Engine, rule: Rule, at: datetime, triggered: bool, ticker: str = "A") -> None:
    run = Run(uuid.uuid4(), "bench", StateType.COMPLETED, "Completed", "", at, at, at, run_count=1)
    output = AlertOutput(triggered=triggered, ticker=ticker, message="bench", metrics={"value": 1})
    record(engine, rule, run, judge(run, rule.settings, [output]), now=at)


def _recording(url: str) -> Callable[[], None]:
    engine = _opened(url)
    return lambda: _record(engine, MEASURED, datetime.now(UTC), False)


def _reading(url: str) -> Callable[[], None]:
    engine = _opened(url, pooled=True)

    def page() -> None:
        found = event_list.page(engine, EventFilter(), now=datetime.now(UTC), size=50)
        event_detail(engine, found.rows[0]["id"])

    return page


def _opened(url: str, *, pooled: bool = False) -> Engine:
    engine = open_engine(url, pooled=pooled)
    require_schema(engine)
    return engine


def _repeat(make: Callable[[str], Callable[[], None]], url: str, seconds: float, out: Pipe) -> None:
    """Call it every few milliseconds and send how long each call took."""
    call, times = make(url), []
    call()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
        time.sleep(0.01)
    out.send(times)


def _prune(url: str, now: datetime, seconds: float, out: Pipe) -> None:
    pace = Pace(ends=time.monotonic() + seconds)
    done = prune(_opened(url), Periods.of(Settings()), now, pace=pace)
    out.send((done.rows["evaluation"], done.longest_seconds, done.finished))


def _started(target: Callable[..., None], *given: Any) -> tuple[Any, Pipe]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=target, args=(*given, there))
    process.start()
    return process, here


def waits(url: str, seconds: float) -> Waits:
    """Recordings and pages for so long, each in a process of its own."""
    started = [_started(_repeat, make, url, seconds) for make in (_recording, _reading)]
    results = [pipe.recv() for _, pipe in started]
    for process, _ in started:
        process.join()
    return Waits(*results)


def measure(kind: str, evaluations: int, series: int, seconds: float) -> dict[str, Any]:
    """The waits on one database: alone, and while a pruning runs all the time."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as url:
        engine = open_engine(url)
        ensure_schema(engine)
        bytes_each = fill(engine, evaluations, series, now)
        alone = waits(url, seconds)
        process, pipe = _started(_prune, url, now, seconds + 2)
        during = waits(url, seconds)
        gone, longest, finished = pipe.recv()
        process.join()
        engine.dispose()
    return {
        "alone": alone,
        "during": during,
        "bytes": bytes_each,
        "deleted": gone,
        "finished": finished,
        "longest_ms": longest * 1000,
    }


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=200_000)
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    given = parser.parse_args()
    rows: list[list[object]] = []
    result: dict[str, object] = {"evaluations": given.evaluations}
    for kind in given.database or ["sqlite", "postgres"]:
        found = measure(kind, given.evaluations, given.series, given.seconds)
        for what in ("recordings", "pages"):
            for when in ("alone", "during"):
                times = getattr(found[when], what)
                p99 = statistics.quantiles(times, n=100, method="inclusive")[-1] * 1000
                longest = max(times) * 1000
                label = f"{kind}: {what}, " + ("alone" if when == "alone" else "while pruning")
                rows.append([label, len(times), f"{p99:.1f}", f"{longest:.1f}"])
                result[f"{kind}_{what}_{when}_p99_ms"] = round(p99, 1)
                result[f"{kind}_{what}_{when}_longest_ms"] = round(longest, 1)
        gone, longest = found["deleted"], f"{found['longest_ms']:.1f}"
        rows.append([f"{kind}: rows deleted, longest transaction", f"{gone:,}", "", longest])
        result[f"{kind}_deleted"] = gone
        result[f"{kind}_transaction_longest_ms"] = round(found["longest_ms"], 1)
        result[f"{kind}_bytes_per_evaluation"] = round(found["bytes"])
    title = f"{given.evaluations:,} evaluations of {given.series:,} series"
    report(title, ["", "count", "p99 ms", "longest ms"], rows, result)


if __name__ == "__main__":
    main()
