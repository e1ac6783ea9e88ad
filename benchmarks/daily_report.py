"""How long a report takes over a store with a million events, on SQLite and PostgreSQL.

A million events and as many messages over thirty days, and for the last day the evaluations of 300
rules that run each minute. What is far from now must cost nothing: hence, in the same run, the same
report over a store that holds only its last day.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks._support import report as printed
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Schedule
from sentinel_core.report.figures import Window
from sentinel_core.report.query import figures
from sentinel_core.report.tables import facts
from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.state.rules import sync

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
DAYS = 30

EVENTS = """
INSERT INTO alert_event (id, rule_id, rule_name, kind, ticker, category, importance, message,
 timestamp, first_seen, last_seen, occurrences, display_until, is_acknowledged, acknowledged_at,
 acknowledged_by, resolved_at, resolution, prefect_state, retry_count, metrics, metadata)
SELECT n, 1 + n % :rules, 'rule-' || (n % :rules), 'alert', 'T' || n, 'Market',
 CASE n % 4 WHEN 0 THEN 'critical' WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END,
 'T' || n || ' trades above its threshold', {at}, {at}, {at}, 1, {at}, n % 3 = 0,
 CASE WHEN n % 3 = 0 THEN {later} END, CASE WHEN n % 3 = 0 THEN 'ann' END,
 CASE WHEN n % 100 > 0 THEN {later} END, CASE WHEN n % 100 > 0 THEN 'recovered' END,
 'COMPLETED', 0, '{{}}', '{{}}' FROM ({numbers}) AS counted
"""
MESSAGES = """
INSERT INTO notification (event_id, about, channel, recipient, reason, sequence, route, group_key,
 content, status, attempts, unknown, created_at, next_attempt_at, settled_at, sent_at)
SELECT n, '', 'slack-incoming-webhook/c' || (n % 5), '', 'opened', 0, '{{}}', '', '{{}}',
 CASE n % 50 WHEN 0 THEN 'failed' ELSE 'sent' END, 1, 0, {at}, {at}, {at}, {at}
 FROM ({numbers}) AS counted
"""
EVALUATIONS = """
INSERT INTO evaluation (rule_id, prefect_flow_run_id, kind, ticker, at, started_at, completed_at,
 retry_count, prefect_state, prefect_state_name, prefect_state_message, triggered, reported,
 importance, message, metrics, metadata, decision, decision_code, decision_reason, recorded_at)
SELECT 1 + n % :rules, {run}, CASE n % 500 WHEN 0 THEN 'failure' ELSE 'alert' END, '', {due}, {due},
 {ended}, 0, CASE n % 500 WHEN 0 THEN 'FAILED' ELSE 'COMPLETED' END, 'Completed', '', false, false,
 'high', 'below', '{{}}', '{{}}', 'quiet', 'ok', 'ok: not triggered', {due}
 FROM ({numbers}) AS counted
"""
DIALECTS = {
    "sqlite": {
        "numbers": "WITH RECURSIVE c(n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count) SELECT n FROM c",
        "at": "strftime('%Y-%m-%d %H:%M:%f000', :start, (n * :step) || ' seconds')",
        "later": "strftime('%Y-%m-%d %H:%M:%f000', :start, (n * :step + 600) || ' seconds')",
        "due": "strftime('%Y-%m-%d %H:%M:%f000', :start, (n / :rules * 60) || ' seconds')",
        "ended": "strftime('%Y-%m-%d %H:%M:%f000', :start, "
        "(n / :rules * 60 + n % 7) || ' seconds')",
        "run": "printf('%032x', n)",
    },
    "postgresql": {
        "numbers": "SELECT n FROM generate_series(1, :count) AS n",
        "at": "CAST(:start AS timestamptz) + n * :step * interval '1 second'",
        "later": "CAST(:start AS timestamptz) + (n * :step + 600) * interval '1 second'",
        "due": "CAST(:start AS timestamptz) + (n / :rules * 60) * interval '1 second'",
        "ended": "CAST(:start AS timestamptz) + (n / :rules * 60 + n % 7) * interval '1 second'",
        "run": "CAST(lpad(to_hex(n), 32, '0') AS uuid)",
    },
}


def fill(engine: Engine, events: int, days: int, rules: int) -> None:
    """A store with this many events over so many days."""
    ensure_schema(engine)
    minutely = (Schedule(cron="* * * * *"),)
    names = [
        Rule(UUID(int=n + 1), f"rule-{n}", "bench", RuleSettings(), schedules=minutely)
        for n in range(rules)
    ]
    sync(engine, names, NOW - timedelta(days=60))
    spelled = DIALECTS[engine.dialect.name]
    start = NOW - timedelta(days=days)
    given = {"rules": rules, "step": days * 86_400 / events}
    with writing(engine) as connection:
        for statement, count, first in (
            (EVENTS, events - 1, start),
            (MESSAGES, events - 1, start),
            (EVALUATIONS, rules * 1440 - 1, NOW - timedelta(days=1)),
        ):
            moment: Any = first if engine.dialect.name != "sqlite" else first.strftime("%F %T")
            values = {**given, "count": count, "start": moment}
            wanted = {
                name: value
                for name, value in values.items()
                if f":{name}" in statement.format(**spelled)
            }
            connection.execute(text(statement.format(**spelled)), wanted)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def measure(engine: Engine, rounds: int) -> float:
    """Seconds of one report, the least of a few."""
    window = Window(NOW - timedelta(days=1), NOW)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        facts(figures(engine, window, NOW), "Daily report")
        took.append(time.perf_counter() - began)
    return min(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="over thirty days")
    parser.add_argument("--rules", type=int, default=300, help="each evaluated once a minute")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="of the two databases")
    given = parser.parse_args()
    from tests.support.postgres import temporary_postgres

    rows: list[list[object]] = []
    result: dict[str, object] = {"events": given.events, "rules": given.rules}
    with tempfile.TemporaryDirectory() as folder, temporary_postgres() as (url, _dsn):
        for name in ("sqlite", "postgres"):
            if given.only not in (None, name):
                continue
            times = {}
            for label, events, days in (
                ("a day", given.events // DAYS, 1),
                (f"{DAYS} days", given.events, DAYS),
            ):
                place = f"sqlite:///{folder}/{days}.db" if name == "sqlite" else url
                engine = open_engine(place)
                if name == "postgres":
                    with engine.begin() as connection:
                        connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
                fill(engine, events, days, given.rules)
                times[label] = measure(engine, given.rounds)
                rows.append([f"{name}: {label}", f"{events:,}", f"{times[label]:.2f}"])
                engine.dispose()
            whole = times[f"{DAYS} days"]
            result[f"seconds_{name}"] = round(whole, 2)
            result[f"ratio_{name}"] = round(whole / times["a day"], 2)
    printed("A report of a day", ["the store holds", "events", "seconds"], rows, result)


if __name__ == "__main__":
    main()
