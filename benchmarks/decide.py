"""How fast the policy decides, and what one recording of a rule over many tickers costs.

A recording judges, reads what is known, decides for every ticker and writes it all in one
transaction. Beside it the bare driver writes the very same rows, read back from the store, with
the same durability into a database of the same shape; it has nothing to judge, read or decide.
A round is four runs: every ticker begins to fire, goes on firing, recovers, stays ok.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from benchmarks._support import report
from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.state import DecisionContext, Series
from sentinel_core.decide.transition import decide
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import Policy, RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.recording import record
from sentinel_core.store.state.rules import lock_rule

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHANNEL = "slack-incoming-webhook/bench"
# So many changes of so few runs would count as flapping, and then nothing opens or ends.
SETTINGS = RuleSettings(notify=Routes(medium=[CHANNEL]), policy=Policy(flapping=None))
RULE = Rule(uuid.uuid4(), "bench", "bench", SETTINGS)
CASES = ("begin to fire", "go on firing", "recover", "stay ok")

EVERYTHING = Policy(
    breaches=2,
    of_last=3,
    recoveries=2,
    keep_firing_seconds=120,
    cooldown_seconds=600,
    max_notifications_per_hour=20,
    repeat_seconds=1800,
    notify_resolved=True,
)


# -- deciding ------------------------------------------------------------------------------


def history(length: int) -> list[Observation]:
    """A series that fires for a while, wavers, and recovers, again and again."""
    pattern = "0000000000111101111111010010000000000000"
    return [
        Observation(
            Kind.ALERT,
            "AAPL",
            START + n * MINUTE,
            pattern[n % len(pattern)] == "1",
            Importance.MEDIUM,
            "AAPL trades at 151.2",
        )
        for n in range(length)
    ]


def decisions_per_second(policy: Policy, count: int) -> float:
    """One series with a long life, decided from its beginning to its end."""
    observations = history(count)
    world = DecisionContext(notified=[START + n * MINUTE for n in range(20)])
    series: Series | None = None
    began = time.perf_counter()
    for seen in observations:
        series = decide(policy, series, seen, world).series
    return count / (time.perf_counter() - began)


# -- recording -----------------------------------------------------------------------------


def run_of(number: int) -> Run:
    """The `number`-th run of the rule, one a minute."""
    at = START + number * MINUTE
    return Run(uuid.uuid4(), "bench", StateType.COMPLETED, "Triggered", "", at, at, at, 1)


def outputs_of(case: str, tickers: int) -> list[AlertOutput]:
    """What the check measured."""
    fires = case in CASES[:2]
    return [
        AlertOutput(
            triggered=fires,
            ticker=f"T{n}",
            message=f"T{n} trades at {150 + n / 100:.2f}",
            metrics={"value": 150 + n / 100, "threshold": 150.0},
        )
        for n in range(tickers)
    ]


Change = tuple[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Driver:
    """A database reached without Sentinel: how to open it, and how it spells things."""

    open: Callable[[], Any]
    placeholder: str
    begin: str | None


def sqlite_driver(path: Path) -> Driver:
    """The standard library's sqlite3, with the store's durability."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    return Driver(connect, "?", "BEGIN IMMEDIATE")


def postgres_driver(dsn: str) -> Driver:
    """psycopg."""
    return Driver(lambda: psycopg.connect(dsn), "%s", None)


def write(driver: Driver, changes: Sequence[Change]) -> None:
    """All of it in one transaction, over a connection of its own."""
    connection = driver.open()
    cursor = connection.cursor()
    if driver.begin:
        cursor.execute(driver.begin)
    for statement, rows in changes:
        cursor.executemany(statement, rows)
    if driver.begin:
        cursor.execute("COMMIT")
    else:
        connection.commit()
    connection.close()


# What a continued event shows of its newest run, and what a resolved one says of its end.
SHOWN = [
    "occurrences",
    "importance",
    "last_seen",
    "message",
    "metrics",
    "metadata",
    "prefect_flow_run_id",
    "prefect_state",
    "prefect_state_name",
    "started_at",
    "completed_at",
    "retry_count",
    "suggested_action",
]
ENDED = ["resolved_at", "resolution"]
JSON = ("metrics", "metadata", "route", "content")


def rows_written(ours: Driver, case: str, run: Run) -> list[Change]:
    """The rows that a recording left behind, as statements for the bare driver."""
    connection = ours.open()
    cursor = connection.cursor()

    def read(table: str, where: str = "true", columns: Sequence[str] = ()) -> Any:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        names = columns or [column[0] for column in cursor.description]
        # JSON as text: the bare driver is not to pay for parsing it
        listed = ", ".join(
            f'CAST("{name}" AS TEXT)' if name in JSON else f'"{name}"' for name in names
        )
        cursor.execute(f"SELECT {listed} FROM {table} WHERE {where} ORDER BY id")
        return names, [tuple(row) for row in cursor.fetchall()]

    key = run.id.hex
    changes = [_insert(ours, "evaluation", *read("evaluation", f"prefect_flow_run_id = '{key}'"))]
    changes.append(_insert(ours, "alert_series", *read("alert_series"), upsert=True))
    if case == "begin to fire":
        changes.append(_insert(ours, "alert_event", *read("alert_event", "resolved_at IS NULL")))
        owed = "event_id IN (SELECT id FROM alert_event WHERE resolved_at IS NULL)"
        changes.append(_insert(ours, "notification", *read("notification", owed)))
    elif case == "go on firing":
        changes.append(_update(ours, *read("alert_event", "resolved_at IS NULL", [*SHOWN, "id"])))
    elif case == "recover":
        at = run.at.strftime("%F %T.%f") if ours.begin else run.at.isoformat()
        changes.append(_update(ours, *read("alert_event", f"resolved_at = '{at}'", [*ENDED, "id"])))
    connection.close()
    return changes


def _insert(
    driver: Driver, table: str, names: Sequence[str], rows: list[Any], *, upsert: bool = False
) -> Change:
    listed = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join([driver.placeholder] * len(names))
    statement = f"INSERT INTO {table} ({listed}) VALUES ({marks})"
    if upsert:
        key = ("rule_id", "kind", "ticker")
        changed = ", ".join(f"{n} = excluded.{n}" for n in names if n not in ("id", *key))
        statement += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    return statement, rows


def _update(driver: Driver, names: Sequence[str], rows: list[Any]) -> Change:
    mark = driver.placeholder
    changed = ", ".join(f"{name} = {mark}" for name in names[:-1])
    return f"UPDATE alert_event SET {changed} WHERE id = {mark}", rows


@dataclass(slots=True)
class Times:
    """Seconds of one case: the bare driver's, and Sentinel's."""

    bare: list[float]
    full: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long Sentinel takes."""
        return statistics.median(self.full) / statistics.median(self.bare)


def compare(
    engine: Engine, ours: Driver, bare: Driver, tickers: int, rounds: int
) -> dict[str, Times]:
    """Each case in turn, recorded by Sentinel and then written by the bare driver."""
    times = {case: Times([], []) for case in CASES}
    number = 0
    for turn in range(-1, rounds):  # the first warms up
        for case in CASES:
            run, outputs = run_of(number), outputs_of(case, tickers)
            number += 1
            with one_transaction(engine):
                full = timed(lambda: record_all(engine, run, outputs))  # noqa: B023 (called here)
            changes = rows_written(ours, case, run)
            assert all(len(rows) == tickers for _, rows in changes), [len(r) for _, r in changes]
            plain = timed(lambda: write(bare, changes))  # noqa: B023 (called here)
            if turn >= 0:
                times[case].full.append(full)
                times[case].bare.append(plain)
    return times


def record_all(engine: Engine, run: Run, outputs: Sequence[AlertOutput]) -> None:
    """What a hook does once the flow has returned."""
    observations = judge(run, RULE.settings, outputs)
    recorded = record(engine, RULE, run, observations, now=run.at + timedelta(seconds=1))
    assert recorded.evaluations == len(outputs)


@contextmanager
def one_transaction(engine: Engine) -> Iterator[None]:
    """Fails when what happens inside commits more than once."""
    commits: list[object] = []
    listener = commits.append
    event.listen(engine, "commit", listener)
    yield
    event.remove(engine, "commit", listener)
    assert len(commits) == 1, f"{len(commits)} transactions"


def timed(action: Callable[[], None]) -> float:
    """Seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def prepared(url: str) -> Engine:
    """A store with its tables and the rule's row."""
    engine = open_engine(url)
    ensure_schema(engine)
    with writing(engine) as connection:
        lock_rule(connection, RULE, START)
    return engine


def on_sqlite(tickers: int, rounds: int) -> dict[str, Times]:
    """Two files of the same shape."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("ours.db", "bare.db")]
        engines = [prepared(f"sqlite:///{path}") for path in paths]
        drivers = [sqlite_driver(path) for path in paths]
        return compare(engines[0], *drivers, tickers, rounds)


def on_postgres(tickers: int, rounds: int) -> dict[str, Times]:
    """Two databases of one real server."""
    from tests.support.postgres import temporary_postgres

    with temporary_postgres() as (url, dsn):
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("CREATE DATABASE bare")
        other = dsn.replace("/postgres?", "/bare?")
        assert other != dsn, "the maintenance database is called postgres"
        engine = prepared(url)
        prepared(url.replace("/postgres?", "/bare?")).dispose()
        drivers = [postgres_driver(dsn), postgres_driver(other)]
        return compare(engine, *drivers, tickers, rounds)


def main() -> None:
    """Measure, print the table and the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=200_000)
    given = parser.parse_args()
    rates = {
        "with no policy": Policy(),
        "with everything a policy can say": EVERYTHING,
    }
    rows: list[list[object]] = []
    slowest = float("inf")
    for name, policy in rates.items():
        rate = statistics.median(decisions_per_second(policy, given.decisions) for _ in range(3))
        slowest = min(slowest, rate)
        rows.append([f"decide, {name}", f"{rate:,.0f} /s", "", ""])
    measured = {
        "sqlite": on_sqlite(given.tickers, given.rounds),
        "postgres": on_postgres(given.tickers, given.rounds),
    }
    for database, cases in measured.items():
        for case, times in cases.items():
            full, bare = statistics.median(times.full), statistics.median(times.bare)
            rows.append(
                [f"{database}: {case}", f"{full:.3f} s", f"{bare:.3f} s", f"{times.ratio:.2f}"]
            )
    report(
        f"Deciding, and recording {given.tickers:,} tickers in one transaction (medians)",
        ["", "Sentinel", "bare driver", "ratio"],
        rows,
        {
            "decisions_per_s": round(slowest),
            "record_5000_s": round(
                max(statistics.median(times.full) for times in measured["sqlite"].values()), 3
            ),
            "ratio": round(max(times.ratio for times in measured["sqlite"].values()), 2),
        },
    )


if __name__ == "__main__":
    main()
