"""One recording against the same rows written with the bare driver, in the same run.

Both open a connection, take the write lock, write the rule's row, one evaluation, one event, one
series and one owed message, commit durably and close: what a hook in a fresh process does.
Recording also reads what was there, asks the policy and checks that the run is new. It reads all
firing series of the rule: the rules take turns, so that none has more than a few.
"""

import argparse
import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks._support import median_ms, p95_ms, report
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.recording import record

START = datetime.now(UTC)
WARM_UP = 20
SETTINGS = RuleSettings(notify=Routes(medium=["slack-incoming-webhook/bench"]))
RULES = [Rule(uuid.uuid4(), f"bench-{n}", "bench-flow", SETTINGS) for n in range(WARM_UP)]


def run_of(number: int) -> Run:
    """The `number`-th run of the rule, one a second."""
    at = START + timedelta(seconds=number)
    return Run(uuid.uuid4(), "bench", StateType.COMPLETED, "Triggered", "", at, at, at, run_count=1)


def ours(url: str) -> Callable[[int], None]:
    """Sentinel's recording. Each run fires on a series of its own: the case that writes most."""
    engine = open_engine(url)
    ensure_schema(engine)

    def write(number: int) -> None:
        rule, run = RULES[number % len(RULES)], run_of(number)
        output = AlertOutput(
            triggered=True, ticker=f"T{number}", message="bench", metrics={"value": 1.0}
        )
        observed = judge(run, rule.settings, [output])
        record(engine, rule, run, observed, now=datetime.now(UTC))

    return write


TOUCH = """INSERT INTO alert_rule (name, flow_name, deployment_id, trigger, description, parameters,
 tags, importance, category, display_duration_minutes, timezone, is_active, first_seen_at,
 changed_at, last_output, schedules, inhibits, told) VALUES ('bare','bare',?,'','','{}','[]',
 'medium','General',1440,'UTC',true,?,?,'[]','[]','[]','[]')
 ON CONFLICT (flow_name, name) DO UPDATE SET deployment_id = excluded.deployment_id RETURNING id"""
NOTE = """UPDATE alert_rule SET last_evaluated_at=?, last_prefect_state='COMPLETED',
 last_prefect_state_name='Triggered', last_output=? WHERE id=?"""
EVENT = """INSERT INTO alert_event (rule_id, rule_name, kind, ticker, category, importance, message,
 timestamp, first_seen, last_seen, occurrences, display_until, is_acknowledged,
 prefect_flow_run_id, prefect_state, prefect_state_name, started_at, completed_at, retry_count,
 metrics, metadata) VALUES (?,'bare','alert',?,'General','medium','bench',?,?,?,1,?,false,?,
 'COMPLETED','Triggered',?,?,0,'{"value": 1.0}','{}') RETURNING id"""
EVALUATION = """INSERT INTO evaluation (rule_id, prefect_flow_run_id, kind, ticker, at, started_at,
 completed_at, measured_at, retry_count, prefect_state, prefect_state_name, prefect_state_message,
 triggered, reported, importance, message, metrics, metadata, decision, decision_code,
 decision_reason, recorded_at, event_id) VALUES (?,?,'alert',?,?,?,?,?,0,'COMPLETED','Triggered','',
 true,true,'medium','bench','{"value": 1.0}','{}','open','started',
 'opened: the series started to fire',?,?)"""
SERIES = """INSERT INTO alert_series (rule_id, kind, ticker, status, last_at, changed_at, event_id,
 event_importance, breaches, oks, recent, flapping, breached_at, told_at, tells)
 VALUES (?,'alert',?,'firing',?,?,?,'medium',1,0,'1',false,?,?,1)"""
OWED = """INSERT INTO notification (event_id, channel, reason, sequence, status, attempts,
 created_at, next_attempt_at) VALUES (?,'slack-incoming-webhook/bench','opened',0,'pending',0,?,?)
"""


def write_rows(execute: Callable[[str, tuple[Any, ...]], Any], number: int, clock: Any) -> None:
    """The same rows, statement by statement. `clock` spells a time as the driver wants it."""
    run, at = uuid.uuid4().hex, clock(START + timedelta(seconds=number))
    ticker = f"B{number}"
    [rule_id] = execute(TOUCH, (RULES[0].deployment_id.hex, at, at)).fetchone()
    output = json.dumps([{"ticker": ticker, "breached": True, "message": "bench"}])
    execute(NOTE, (at, output, rule_id))
    [event_id] = execute(EVENT, (rule_id, ticker, at, at, at, at, run, at, at)).fetchone()
    execute(EVALUATION, (rule_id, run, ticker, at, at, at, at, at, event_id))
    execute(SERIES, (rule_id, ticker, at, at, event_id, at, at))
    execute(OWED, (event_id, at, at))


def bare_sqlite(path: Path) -> Callable[[int], None]:
    """The standard library's sqlite3, with the same durability."""

    def write(number: int) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        write_rows(connection.execute, number, lambda at: at.strftime("%F %T.%f"))
        connection.execute("COMMIT")
        connection.close()

    return write


def bare_postgres(dsn: str) -> Callable[[int], None]:
    """psycopg, one connection for each recording."""

    def write(number: int) -> None:
        with psycopg.connect(dsn) as connection:

            def execute(statement: str, values: tuple[Any, ...]) -> Any:
                return connection.execute(statement.replace("?", "%s"), values)

            write_rows(execute, number, lambda at: at)

    return write


def compare(
    baseline: Callable[[int], None], candidate: Callable[[int], None], count: int
) -> tuple[list[float], list[float]]:
    """Seconds of each, taken in turn so that noise falls on both."""
    bare: list[float] = []
    full: list[float] = []
    for number in range(-WARM_UP, count):
        for write, times in ((baseline, bare), (candidate, full)):
            began = time.perf_counter()
            write(number)
            if number >= 0:
                times.append(time.perf_counter() - began)
    return bare, full


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="recordings of each kind")
    count = parser.parse_args().count
    rows: list[list[object]] = []
    ratios: dict[str, float] = {}
    p95 = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        pairs = [("sqlite", compare_on(f"sqlite:///{path}", bare_sqlite(path), count))]
    with postgres() as (url, dsn):
        pairs.append(("postgres", compare_on(url, bare_postgres(dsn), count)))
    for name, (bare, full) in pairs:
        ratios[name] = median_ms(full) / median_ms(bare)
        p95 = p95_ms(full) if name == "sqlite" else p95
        rows.append([f"{name}: bare driver", f"{median_ms(bare):.2f}", f"{p95_ms(bare):.2f}", "1"])
        ratio = f"{ratios[name]:.2f}"
        rows.append([f"{name}: record()", f"{median_ms(full):.2f}", f"{p95_ms(full):.2f}", ratio])
    report(
        f"One recording, {count} of each, in turn",
        ["", "median ms", "p95 ms", "ratio"],
        rows,
        {
            "ratio_sqlite": round(ratios["sqlite"], 2),
            "ratio_postgres": round(ratios["postgres"], 2),
            "p95_ms": round(p95, 2),
        },
    )


def compare_on(
    url: str, baseline: Callable[[int], None], count: int
) -> tuple[list[float], list[float]]:
    """Baseline and ours on one database."""
    candidate = ours(url)
    return compare(baseline, candidate, count)


def postgres() -> Any:
    """A real PostgreSQL for the time of the benchmark: (SQLAlchemy URL, psycopg DSN)."""
    from tests.support.postgres import temporary_postgres

    return temporary_postgres()


if __name__ == "__main__":
    main()
