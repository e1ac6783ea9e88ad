"""An event store filled with real measurements, for looking at the blotter.

`python -m tests.support.measured sqlite:///path.db` runs real triggers on this machine, each
reading at the time it is taken, and the market triggers over historical daily bars, replayed at
one bar every ten minutes up to now (their messages name the day of the bar). No Prefect run stands
behind these events, so their links to Prefect lead nowhere.
"""

import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from time import sleep

import pandas as pd
from sqlalchemy import Engine

from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.trigger import NoHistory
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from tests.support.recorded import a_rule, a_run, observe
from triggers.market.price_surge import PriceSurge
from triggers.market.volume_spike import VolumeSpike
from triggers.service.health_check import HealthCheck
from triggers.sources.quotes import by_ticker
from triggers.system.cpu_usage import CpuUsage
from triggers.system.disk_usage import DiskUsage
from triggers.system.memory_usage import MemoryUsage

STEP = timedelta(minutes=10)
READINGS = 5
PAUSE_SECONDS = 2
_COLUMNS = {"ticker": "Ticker", "time": "Date", "close": "Close", "volume": "Volume"}


def fill(engine: Engine, *, bars: int = 130, now: datetime | None = None) -> None:
    """Record what real triggers measure: here and now, and over the last `bars` daily bars."""
    at = (now or datetime.now(UTC)).replace(microsecond=0)
    market(engine, bars, at)
    _machine(engine)


def market(engine: Engine, bars: int, now: datetime) -> None:
    source = str(files("bokeh_sampledata") / "_data" / "stocks.csv.gz")
    quotes = pd.read_csv(source)
    surge = PriceSurge.model_validate(
        {"source": source, "columns": _COLUMNS, "ticker": "*", "move_percent": 4, "unit": "USD"}
    )
    spike = VolumeSpike.model_validate(
        {"source": source, "columns": _COLUMNS, "ticker": "*", "factor": 2, "unit": "shares"}
    )
    rules = {
        "daily-move": (surge, a_rule("daily-move", "high", "Market", cron="*/10 * * * *")),
        "volume-spike": (spike, a_rule("volume-spike", "medium", "Market", cron="*/10 * * * *")),
    }
    days = sorted(quotes["Date"].unique())[-bars:]
    for n, day in enumerate(days):
        known = quotes[quotes["Date"] <= day]
        for check, rule in rules.values():
            column = getattr(check.columns, check.column)
            series = by_ticker(known, check.columns, column, ["*"], check.rows)
            outputs = [check.evaluate(one) for one in series]
            due = now - STEP * (len(days) - 1 - n)
            observe(engine, rule, a_run(due, name=_ended(outputs)), outputs, known=n == 0)


def _ended(outputs: list[AlertOutput]) -> str:
    return "Triggered" if any(output.triggered for output in outputs) else "Completed"


def _machine(engine: Engine) -> None:
    checks = {
        "disk-root": (DiskUsage(threshold=1), a_rule("disk-root", "low")),
        "memory": (MemoryUsage(threshold=3), a_rule("memory", "medium")),
        "cpu": (CpuUsage(interval_seconds=0.2), a_rule("cpu", "high")),
        "quotes-gateway": (
            HealthCheck(url="http://127.0.0.1:9", service="quotes-gateway"),
            a_rule("quotes-gateway", "critical", "System", runbook="docs/runbooks/gateway.md"),
        ),
    }
    for _ in range(READINGS):
        for check, rule in checks.values():
            due = datetime.now(UTC)
            measured = check.measure(NoHistory())
            assert isinstance(measured, AlertOutput)
            observe(engine, rule, a_run(due, name=_ended([measured])), [measured])
        sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    store = open_engine(sys.argv[1])
    ensure_schema(store)
    fill(store)
