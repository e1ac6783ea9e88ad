"""What the blotter asks of the store at 1 and 10 million events, against the same SQL bare.

The events are generated: 700 rules, 500 tickers, a year back, most of them resolved; a third of
the less important ones was never acknowledged. Each query is repeated. `p95_ms` leaves out lists of
everything on record that are sorted by some column, as most columns have no index: those have a
figure of their own. The bare driver runs the very SQL of the lists and drops the rows. Page caches
are warm, as where a blotter is read all day.
"""

import argparse
import itertools
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, select, text
from sqlalchemy.engine import make_url

from benchmarks._support import database, p95_ms, report
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine, rows, transaction
from sentinel_core.store.db.schema import ensure_schema, require_schema
from sentinel_core.store.db.tables import EVENT
from sentinel_core.store.read import event_list, overview, periods
from sentinel_core.store.read.filters import EventFilter, Sort, Status
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.recording import record

RULES, TICKERS = 700, 500
SIZE = 50  # rows on a page
SORTED = "sorted"  # the first page of everything on record by any column, most without an index
LONG_MS = 10
ACKNOWLEDGED = (500, 10_000)  # at once
Query = Callable[[Engine, datetime], object]

# The n-th event: everything about it follows from its number, so both databases hold the same.
_EVENTS = """
INSERT INTO alert_event (rule_id, rule_name, kind, ticker, category, importance, message,
 timestamp, first_seen, last_seen, occurrences, display_until, is_acknowledged, acknowledged_at,
 acknowledged_by, assigned_to, resolved_at, resolution, prefect_flow_run_id, prefect_state,
 prefect_state_name, started_at, completed_at, retry_count, metrics, metadata)
{numbers}
SELECT (SELECT min(id) FROM alert_rule) + i % {rules}, 'rule-' || (i % {rules}),
 CASE WHEN i % 50 = 7 THEN 'failure' ELSE 'alert' END, 'T' || (i * 7 % {tickers}),
 CASE i % 4 WHEN 0 THEN 'Market' WHEN 1 THEN 'System' WHEN 2 THEN 'Data' ELSE 'General' END,
 CASE WHEN i % 100 = 3 THEN 'critical' WHEN i % 10 = 4 THEN 'high'
  WHEN i % 2 = 0 THEN 'medium' ELSE 'low' END,
 'T' || (i * 7 % {tickers}) || ' moved by ' || (i % 97) || ' percent' ||
  CASE WHEN i % 100000 = 11 THEN ' after a halt' ELSE '' END,
 {at}, {at}, {at}, 1 + i % 5, {later},
 {known}, CASE WHEN {known} THEN {later} END, CASE WHEN {known} THEN 'user-' || (i % 20) END,
 CASE WHEN i % 30 = 1 THEN 'user-' || (i % 20) END,
 CASE WHEN {ended} THEN {later} END, CASE WHEN {ended} THEN 'recovered' END,
 {run}, CASE WHEN i % 50 = 7 THEN 'FAILED' ELSE 'COMPLETED' END,
 CASE WHEN i % 50 = 7 THEN 'Failed' ELSE 'Triggered' END, {at}, {at}, 0, '{{"value": 1.0}}', '{{}}'
FROM n
"""
_WAITS = (  # nobody acknowledged what is new, and a third of what is not important
    "(i > :count - 2000 AND i % 4 < 3 OR i % 3 = 0 AND i % 100 <> 3 AND i % 10 <> 4)"
)
_ENDED = "(i < :count - 300)"  # a rule's series has one event at most that goes on
_DIALECTS = {
    "sqlite": {
        "numbers": "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n "
        "WHERE i + 1 < :last)",
        "at": "strftime('%Y-%m-%d %H:%M:%f000', :start + i * :step, 'unixepoch')",
        "later": "strftime('%Y-%m-%d %H:%M:%f000', :start + i * :step + 86400, 'unixepoch')",
        "run": "printf('%032x', i * 7919)",
    },
    "postgresql": {
        "numbers": "WITH n AS (SELECT generate_series(CAST(:first AS bigint), "
        "CAST(:last AS bigint) - 1) AS i)",
        "at": "to_timestamp(:start + i * :step)",
        "later": "to_timestamp(:start + i * :step + 86400)",
        "run": "md5(i::text)::uuid",
    },
}


def fill(engine: Engine, count: int, now: datetime) -> None:
    """Write the rules, their series and `count` events; indexes are made when all are there."""
    _write_rules(engine, now)
    parts = _DIALECTS[engine.dialect.name]
    statement = text(
        _EVENTS.format(rules=RULES, tickers=TICKERS, known=f"NOT {_WAITS}", ended=_ENDED, **parts)
    )
    indexes, sqlite = list(EVENT.indexes), engine.dialect.name == "sqlite"
    known: list[dict[str, Any]] = []  # what SQLite's planner is told of each index
    with transaction(engine, write=True) as connection:
        if sqlite:
            known = rows(connection, text("SELECT tbl, idx, stat FROM sqlite_stat1"))
        for index in indexes:
            index.drop(connection)
    start = (now - timedelta(days=365)).timestamp()
    values = {"start": start, "step": 365 * 86_400 / count, "count": count}
    for first in range(0, count, 250_000):
        part = {"first": first, "last": min(first + 250_000, count)}
        with transaction(engine, write=True) as connection:
            connection.execute(statement, values | part)
    with transaction(engine, write=True) as connection:
        for index in indexes:
            index.create(connection)
        if sqlite:
            connection.execute(text("INSERT INTO sqlite_stat1 VALUES (:tbl, :idx, :stat)"), known)
    if not sqlite:  # as autovacuum does meanwhile
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE alert_event"))


def _write_rules(engine: Engine, now: datetime) -> None:
    """Each rule is recorded once, quietly, with a series of its own."""
    at = now - timedelta(days=366)
    for number in range(RULES):
        rule = Rule(uuid.uuid4(), f"rule-{number}", "bench-flow", RuleSettings(category="Market"))
        state = StateType.COMPLETED
        run = Run(uuid.uuid4(), "bench", state, "Completed", "", at, at, at, run_count=1)
        output = AlertOutput(triggered=False, ticker=f"T{number % TICKERS}", message="fine")
        record(engine, rule, run, judge(run, rule.settings, [output]), now=at)


# -- what is asked -------------------------------------------------------------------------


def choices(now: datetime) -> dict[str, dict[str, Any]]:
    """Every filter the page offers, each with a value that matches some."""
    high = frozenset({Importance.CRITICAL.value, Importance.HIGH.value})
    return {
        "critical and high": {"importance": high},
        "category": {"category": frozenset({"Market"})},
        "open": {"status": frozenset({Status.OPEN})},
        "resolved": {"status": frozenset({Status.RESOLVED})},
        "kind": {"kind": frozenset({"failure"})},
        "Prefect state": {"state": frozenset({"FAILED"})},
        "rule": {"rules": frozenset({"rule-17"})},
        "ticker": {"ticker": "T70"},
        "mine": {"mine": "user-3"},
        "a day": {"since": now - timedelta(days=1)},
        "30 days": {"since": now - timedelta(days=30)},
        "live": {"live": True},
    }


def lists(now: datetime) -> dict[str, EventFilter]:
    """No filter, each alone, and each pair that does not set the same twice."""
    offered = choices(now)
    found = {"everything": EventFilter()}
    found |= {name: EventFilter(**given) for name, given in offered.items()}
    for (one, first), (two, second) in itertools.combinations(offered.items(), 2):
        if not first.keys() & second.keys():
            found[f"{one} + {two}"] = EventFilter(**first, **second)
    return found


def queries(now: datetime) -> Iterator[tuple[str, str, Query]]:
    """What is measured: its group, its name, and the call."""
    for name, wanted in lists(now).items():
        yield "first page", name, _paging(wanted)
        yield "count", name, _counting(wanted)
    for sort, down in itertools.product(Sort, (True, False)):
        yield (
            SORTED,
            f"by {sort.value}, {'down' if down else 'up'}",
            _paging(EventFilter(), sort=sort, descending=down),
        )
    for share in (0.1, 0.5, 0.9):
        after = event_list.Cursor(now - timedelta(days=365 * share), 2**62)
        yield "deep page", f"after {share:.0%} of all", _paging(EventFilter(), after=after)
    yield "cards", "live events by importance", lambda e, at: overview.overview(e, now=at)
    yield "cards", "two days compared", lambda e, at: periods.periods(e, now=at)
    yield "cards", "names to filter by", lambda e, _: overview.facets(e)
    for name, days, hours in (("a day", 1, 1), ("30 days", 30, 24)):
        for kind, wanted in (
            ("", EventFilter()),
            (", a category", EventFilter(category=frozenset({"Market"}))),
        ):
            yield "histogram", name + kind, _bars(wanted, days, hours)
    for name, words in (("rare", "after a halt"), ("common", "percent"), ("absent", "xyzzy")):
        yield "text search", name, _paging(EventFilter(text=words))
        recent = EventFilter(text=words, since=now - timedelta(days=30))
        yield "text search", f"{name}, 30 days", _paging(recent)


def _paging(wanted: EventFilter, **options: Any) -> Query:
    return lambda engine, now: event_list.page(engine, wanted, now=now, size=SIZE, **options)


def _counting(wanted: EventFilter) -> Query:
    return lambda engine, now: event_list.count(engine, wanted, now=now)


def _bars(wanted: EventFilter, days: int, hours: int) -> Query:
    def ask(engine: Engine, now: datetime) -> object:
        step, start = timedelta(hours=hours), now - timedelta(days=days)
        return overview.histogram(engine, wanted, start=start, end=now, step=step)

    return ask


# -- measuring -----------------------------------------------------------------------------


def repeated(call: Callable[[], object], rounds: int, seconds: float = 2.0) -> list[float]:
    """How long each call took; a slow one is repeated for `seconds`, but three times at least."""
    call()
    times: list[float] = []
    ends = time.monotonic() + seconds
    while len(times) < rounds and (len(times) < 3 or time.monotonic() < ends):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def statements_of(engine: Engine, call: Callable[[], object]) -> list[tuple[str, Any]]:
    """The SELECT statements of one call, as the driver got them."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, _context: Any, _many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append((statement, given))

    event.listen(engine, "before_cursor_execute", note)
    call()
    event.remove(engine, "before_cursor_execute", note)
    return seen


def bare(url: str) -> tuple[Any, Callable[[Sequence[tuple[str, Any]]], None]]:
    """A connection of the driver alone, and what runs statements on it and fetches all rows."""
    connection: Any
    if url.startswith("sqlite"):
        import sqlite3

        connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
        connection.execute("PRAGMA mmap_size = 268435456")
    else:
        import psycopg

        plain = make_url(url).set(drivername="postgresql")
        connection = psycopg.connect(
            plain.render_as_string(hide_password=False), autocommit=True, prepare_threshold=None
        )

    def run(statements: Sequence[tuple[str, Any]]) -> None:
        for statement, given in statements:
            connection.execute(statement, given).fetchall()

    return connection, run


def measure(
    url: str, now: datetime, rounds: int, without: Sequence[str]
) -> tuple[list[dict[str, Any]], float]:
    """The times of every query, and the median ratio to the same SQL by the bare driver.

    `without`: the groups to leave out.
    """
    engine = open_engine(url, pooled=True)
    require_schema(engine)
    connection, run = bare(url)
    found: list[dict[str, Any]] = []
    ratios: list[float] = []
    for group, name, query in queries(now):
        if group in without:
            continue
        ask = lambda query=query: query(engine, now)  # noqa: E731
        statements = statements_of(engine, ask)
        times = repeated(ask, rounds)
        found.append({"group": group, "name": name, "seconds": times})
        alone = repeated(lambda s=statements: run(s), rounds)
        ratios.append(statistics.median(times) / statistics.median(alone))
    connection.close()
    engine.dispose()
    return found, statistics.median(ratios)


def acknowledging(url: str, now: datetime) -> dict[int, float]:
    """How long each number of events takes to be acknowledged at once."""
    engine = open_engine(url, pooled=True)
    took = {}
    for many in ACKNOWLEDGED:
        with engine.connect() as connection:
            waiting = select(EVENT.c.id).where(EVENT.c.is_acknowledged.is_(False))
            ids = list(connection.scalars(waiting.order_by(EVENT.c.id).limit(many)))
        began = time.perf_counter()
        done = acknowledge(engine, ids, by="bench", comment="seen", now=now)
        took[many] = time.perf_counter() - began
        assert len(done.done) == len(ids) == many, "the store has too few events that wait"
    engine.dispose()
    return took


def table_rows(found: list[dict[str, Any]], slowest: int) -> list[list[object]]:
    """A line for each group, and for the slowest queries."""
    lines: list[list[object]] = []
    for group, members in itertools.groupby(
        sorted(found, key=lambda one: str(one["group"])), key=lambda one: one["group"]
    ):
        times = [t for one in members for t in one["seconds"]]
        lines.append([f"{group}: all", len(times), *_figures(times)])
    by_time = sorted(found, key=lambda one: -statistics.median(one["seconds"]))
    for one in by_time[:slowest]:
        name = f"  slow: {one['group']}, {one['name']}"
        lines.append([name, len(one["seconds"]), *_figures(one["seconds"])])
    return lines


def _figures(times: list[float]) -> tuple[str, str]:
    return f"{statistics.median(times) * 1000:.2f}", f"{p95_ms(times):.2f}"


def main() -> None:
    """Measure each database at each size; the last line has the worst of both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", help="1000000 by default")
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    parser.add_argument("--rounds", type=int, default=20, help="of each query, at most")
    parser.add_argument(
        "--without", action="append", default=[], help=f"a group to leave out, as `{SORTED}`"
    )
    parser.add_argument("--slowest", type=int, default=12, help="queries that get a line each")
    given = parser.parse_args()
    lines: list[list[object]] = []
    result: dict[str, Any] = {"p95_ms_1m": None, "p95_ms_10m": None, "ack_10000_s": 0, "ratio": 0}
    for kind, count in itertools.product(
        given.database or ["sqlite", "postgres"], given.events or [1_000_000]
    ):
        now = datetime.now(UTC)
        with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as url:
            engine = open_engine(url)
            ensure_schema(engine)
            fill(engine, count, now)
            engine.dispose()
            found, ratio = measure(url, now, given.rounds, given.without)
            took = acknowledging(url, now)
        sorts = [one for one in found if one["group"] == SORTED]
        others = [one for one in found if one["group"] != SORTED]
        p95 = p95_ms([t for one in others for t in one["seconds"]])
        middle = [statistics.median(one["seconds"]) * 1000 for one in others]
        slow = sum(ms > LONG_MS for ms in middle)
        lines.append([f"[bold]{kind}, {count:,} events: every query", "", "", f"{p95:.2f}"])
        over = f"queries of {len(middle)} with a median above {LONG_MS} ms"
        lines.append([over, slow, f"{statistics.median(middle):.2f}", ""])
        lines += table_rows(found, given.slowest)
        lines += [
            [f"acknowledge {many:,} at once", 1, f"{s * 1000:.0f}", ""] for many, s in took.items()
        ]
        lines.append(["times the same SQL by the bare driver (median)", "", f"{ratio:.2f}", ""])
        key = {1_000_000: "p95_ms_1m", 10_000_000: "p95_ms_10m"}.get(count, f"p95_ms_{count}")
        result[key] = round(max(p95, result.get(key) or 0), 2)
        result["ack_10000_s"] = round(max(took[10_000], result["ack_10000_s"]), 3)
        result["ratio"] = round(max(ratio, result["ratio"]), 2)
        result[f"{kind}_{count}"] = {
            "p95_ms": round(p95, 2),
            "p95_ms_sorted": round(p95_ms([t for one in sorts for t in one["seconds"]]), 2)
            if sorts
            else None,
            "slow": slow,
            "ratio": round(ratio, 2),
        }
    report("Queries of the blotter", ["", "times", "median ms", "p95 ms"], lines, result)


if __name__ == "__main__":
    main()
