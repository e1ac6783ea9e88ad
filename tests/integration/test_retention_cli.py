"""`sentinel db size` and `sentinel db prune`, and the deployment that prunes every night."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine

from sentinel_core.flow.housekeeping import delete_old
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint
from tests.support.command import Command
from tests.support.processes import ROOT
from tests.support.recorded import a_rule, calm, fire
from tests.support.runs import rows

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def sentinel(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


def filled(engine: Engine) -> None:
    """Six evaluations that go, among those that stay."""
    rule = a_rule()
    for minute in range(107):
        calm(engine, rule, NOW - timedelta(days=40) + timedelta(minutes=minute), metrics={"x": 1})
    fire(engine, rule, NOW - timedelta(hours=1))
    set_checkpoint(engine, RECONCILE, NOW)


def test_size_shows_tables_and_growth(engine: Engine, sentinel: Command) -> None:
    filled(engine)
    found = sentinel.json("db", "size")
    tables = {table["table"]: table for table in found["tables"]}
    assert tables["evaluation"]["rows"] == 108
    assert tables["evaluation"]["bytes"] > 108 * 100
    assert tables["evaluation"]["oldest"].startswith(f"{NOW - timedelta(days=40):%Y-%m-%d}")
    [rule] = found["growth"]
    assert rule["rule"] == "disk"
    since = datetime.now(UTC) - (NOW - timedelta(hours=1))  # one evaluation in that time
    assert rule["evaluations"] == pytest.approx(timedelta(days=1) / since, rel=0.05)
    text = sentinel("db", "size")
    assert "alert_event" in text
    assert "all rules" in text


def test_size_of_an_empty_store(engine: Engine, sentinel: Command) -> None:
    assert "Nothing was evaluated in the last 7 days." in sentinel("db", "size")


def test_prune_first_counts_and_then_deletes(engine: Engine, sentinel: Command) -> None:
    filled(engine)
    would = sentinel.json("db", "prune", "--dry-run")
    assert (would["rows"]["evaluation"], would["dry_run"]) == (6, True)
    assert len(rows(engine, "evaluation")) == 108
    assert "Would delete 6 evaluations" in sentinel("db", "prune", "--dry-run")
    assert "Deleted 6 evaluations" in sentinel("db", "prune")
    assert len(rows(engine, "evaluation")) == 102
    assert "Deleted 0 evaluations" in sentinel("db", "prune")


def test_the_flow_prunes_the_store_of_the_settings(store: Engine) -> None:
    filled(store)
    assert delete_old(1, dry_run=True).startswith("Would delete 6 evaluations")
    assert delete_old(1, dry_run=False).startswith("Deleted 6 evaluations")
    assert len(rows(store, "evaluation")) == 102


def test_the_shipped_rule_file_prunes_once_a_day() -> None:
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    retention = next(item for item in declared if item["name"] == "retention")
    assert retention["entrypoint"] == "sentinel_core.flow.scheduled.retention"
    assert retention["schedules"] == [{"cron": "40 3 * * *", "timezone": "UTC"}]
    assert "concurrency_limit" not in retention
