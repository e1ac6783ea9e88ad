"""A rule's recorded evaluations read, judged and decided again: how many in a second, on one core.

The store is filled with real quotes (daily closes of five stocks, 2000-2013, a day a minute, over
and over), each with the decision that was made of it; replaying must come to the same decisions.
Two rules: one whose trigger says itself what is alarming, and one with conditions over a window.
The baseline is sqlite3 fetching the same columns of the same rows and nothing else.
"""

import argparse
import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count as count_up
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine, insert

from benchmarks._support import report
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.replay.history import past, runs, span
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.recorded import Past, Stored, Variant
from sentinel_core.replay.replay import replay, states_needed
from sentinel_core.replay.timeline import Evaluated, Timeline
from sentinel_core.store.db.engine import open_engine, reading, writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import EVALUATION
from sentinel_core.store.state.rules import lock_rule

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTIFY = {"medium": ["slack-incoming-webhook/bench"]}
RULES = {
    "policy": RuleSettings.model_validate(
        {"notify": NOTIFY, "policy": {"breaches": 2, "of_last": 3, "cooldown_seconds": 600}}
    ),
    "conditions": RuleSettings.model_validate(
        {
            "notify": NOTIFY,
            "conditions": [
                {
                    "metric": "move",
                    "aggregate": "avg",
                    "over_seconds": 300,
                    "op": "gte",
                    "value": 1.5,
                    "clear": 0.5,
                }
            ],
            "policy": {"breaches": 2, "recoveries": 2},
        }
    ),
}
SERIES = 5  # stocks, each a series of the rule
_CHUNK = 4_000  # runs written at once


def main() -> None:
    """Measure both rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="evaluations of each rule")
    count = parser.parse_args().count
    table: list[list[object]] = []
    together: dict[str, float] = {}
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in RULES.items():
            path = Path(folder) / f"{name}.db"
            engine = open_engine(f"sqlite:///{path}")
            ensure_schema(engine)
            rule_id = fill(engine, name, settings, count)
            rates = measure(engine, path, rule_id, name, settings)
            engine.dispose()
            together[name] = rates["together"]
            bare = rates["sqlite3 fetching (baseline)"]
            ratios[name] = bare / rates["together"]
            for what, rate in rates.items():
                table.append([f"{name}: {what}", f"{rate:,.0f}", f"{bare / rate:.1f}"])
    report(
        f"Replaying {count:,} evaluations",
        ["", "evaluations/s", "times the baseline's time"],
        table,
        {
            "evaluations_per_s": round(min(together.values())),
            "ratio": round(max(ratios.values()), 2),
            **{f"{name}_per_s": round(rate) for name, rate in together.items()},
        },
    )


# -- filling ---------------------------------------------------------------------------------


def fill(engine: Engine, name: str, settings: RuleSettings, count: int) -> int:
    """A store with so many evaluations of one rule, each decided by the lifecycle; its id."""
    rule = Rule(uuid.uuid4(), name, "bench", settings)
    with writing(engine) as connection:
        rule_id = lock_rule(connection, rule, START)
    simulation = MemoryLedger(name, settings, keep_evaluations=True)
    waiting = islice(observations(), count // SERIES)
    while chunk := list(islice(waiting, _CHUNK)):
        rows = []
        for seen in chunk:
            simulation.run(seen, seen[0].at + timedelta(seconds=2))
            run_id = uuid.uuid4()
            rows += [row_of(rule_id, run_id, step) for step in simulation.evaluations]
            simulation.evaluations.clear()
        with writing(engine) as connection:
            connection.execute(insert(EVALUATION), rows)
    with closing(engine.raw_connection()) as raw:
        raw.execute("ANALYZE")  # type: ignore[attr-defined]
    return rule_id


def observations() -> Iterator[list[Observation]]:
    """Run by run, one a minute: a day's close of each stock, and how far it moved in percent."""
    quotes = pd.read_csv(str(files("bokeh_sampledata") / "_data" / "stocks.csv.gz"))
    days = {
        str(ticker): [float(close) for close in part["Close"]]
        for ticker, part in quotes.sort_values("Date").groupby("Ticker")
    }
    moves = {
        ticker: cycle([(b, (b / a - 1) * 100) for a, b in pairwise(closes)])
        for ticker, closes in days.items()
    }
    for minute in count_up():
        at = START + minute * MINUTE
        yield [observed(ticker, at, *next(moves[ticker])) for ticker in sorted(moves)]


def observed(ticker: str, at: datetime, close: float, move: float) -> Observation:
    """What a trigger says that looks for moves of 3 %."""
    far = abs(move) >= 3
    return Observation(
        Kind.ALERT,
        ticker,
        at,
        far,
        RULES["policy"].importance,
        f"{ticker} closed at {close:.2f}, {move:+.1f} %",
        measured_at=at,
        metrics={"value": close, "move": abs(move)},
        reported=far,
    )


def row_of(rule_id: int, run_id: uuid.UUID, step: Evaluated) -> dict[str, Any]:
    """The evaluation's row, as recording writes it."""
    seen = step.observation
    return {
        "rule_id": rule_id,
        "prefect_flow_run_id": run_id,
        "kind": seen.kind.value,
        "ticker": seen.ticker,
        "at": seen.at,
        "started_at": seen.at + timedelta(seconds=1),
        "completed_at": seen.at + timedelta(seconds=2),
        "measured_at": seen.measured_at,
        "retry_count": 0,
        "prefect_state": "COMPLETED",
        "prefect_state_name": "Completed",
        "prefect_state_message": "",
        "triggered": seen.breached,
        "reported": seen.reported,
        "said": seen.said,
        "importance": seen.importance.value,
        "message": seen.message,
        "metrics": seen.metrics,
        "metadata": {},
        "decision": step.decision.action.value,
        "decision_code": step.decision.code,
        "decision_reason": step.decision.reason,
        "recorded_at": seen.at + timedelta(seconds=2),
        "event_id": step.event_id,
    }


# -- measuring -------------------------------------------------------------------------------


def measure(
    engine: Engine, path: Path, rule_id: int, name: str, settings: RuleSettings
) -> dict[str, float]:
    """Evaluations a second: of fetching alone, of reading alone, of deciding alone, together."""
    until = START + timedelta(days=36_500)
    variant = Variant(settings)
    with reading(engine) as connection:
        over = span(
            connection,
            rule_id,
            START,
            until,
            look_back=Lifecycle(settings).look_back,
            states=states_needed(settings.policy),
        )
        around = past(connection, rule_id, name, over)

    def stored() -> Iterator[Sequence[Stored]]:
        with reading(engine) as connection:
            yield from runs(connection, rule_id, over, metrics=bool(settings.conditions))

    def decided(recorded: Iterable[Sequence[Stored]]) -> Timeline:
        [line] = replay(around, recorded, [variant], START)
        assert line.mismatches == 0, line.examples
        return line

    some = list(islice(stored(), 20_000))
    return {
        "sqlite3 fetching (baseline)": rate(lambda: fetched(path, rule_id)),
        "reading": rate(lambda: sum(len(run) for run in stored())),
        "deciding": rate(lambda: only_decided(around, some, variant)),
        "together": rate(lambda: decided(stored()).evaluations),
    }


def only_decided(around: Past, some: Sequence[Sequence[Stored]], variant: Variant) -> int:
    """Replay what is in memory."""
    [line] = replay(around, some, [variant], START)
    return line.evaluations


def fetched(path: Path, rule_id: int) -> int:
    """What a program in a hurry would do: the same columns, as the driver hands them over."""
    columns = (
        "prefect_flow_run_id, kind, ticker, at, recorded_at, triggered, reported, said, importance,"
        " message, metrics, prefect_state, decision, decision_code, decision_reason, event_id"
    )
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM evaluation WHERE rule_id = ? ORDER BY recorded_at, id",
            (rule_id,),
        )
        return sum(1 for row in rows if json.loads(row[10]))


def rate(work: Callable[[], int]) -> float:
    """Evaluations a second of CPU time: one core's worth."""
    began = time.process_time()
    return work() / (time.process_time() - began)


if __name__ == "__main__":
    main()
