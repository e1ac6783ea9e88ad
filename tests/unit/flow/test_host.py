"""A host is sampled once a minute, whichever process comes first, and no run fails for it."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_HOME, temporary_settings
from sqlalchemy import Engine

from sentinel_core.flow.host import _cpu, sample_host
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.read.hosts import hosts

MINUTE = timedelta(minutes=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with temporary_settings({PREFECT_HOME: tmp_path}):
        yield tmp_path


def burn() -> None:
    """Keep a processor busy until the system's counters have moved."""
    begun = os.times().user
    while os.times().user - begun < 0.2:
        pass


def test_a_minute_has_one_sample_and_the_second_minute_knows_the_processors(
    home: Path, store: Engine
) -> None:
    now = datetime.now(UTC)
    assert sample_host(store, now)
    assert not sample_host(store, now + timedelta(seconds=50))
    burn()
    assert sample_host(store, now + MINUTE)
    [host] = hosts(store, now + MINUTE).shown
    first, second = host.samples
    assert first.cpu is None
    assert second.cpu is not None
    assert 0 < second.cpu <= 100
    assert 0 < second.memory <= 100
    assert 0 < second.disk <= 100


def test_after_a_long_pause_or_a_restart_the_processors_are_unknown(
    home: Path, store: Engine
) -> None:
    now = datetime.now(UTC)
    assert sample_host(store, now)
    assert sample_host(store, now + timedelta(minutes=11))
    file = home / "sentinel-host.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "all": kept["all"] * 2}))  # counters that ran on before
    os.utime(file, (now.timestamp(), now.timestamp()))
    assert sample_host(store, now + timedelta(minutes=12))
    [host] = hosts(store, now + timedelta(minutes=12)).shown
    assert [one.cpu for one in host.samples] == [None, None, None]


@pytest.mark.parametrize(
    ("idle", "every", "percent"),
    [
        (25.0, 100.0, 75.0),
        (0.0, 100.0, 100.0),
        (100.0, 100.0, 0.0),
        (0.0, 0.0, None),  # the counters have not moved
        (101.0, 100.0, None),  # idle for longer than there was time
        (-1.0, 100.0, None),
        (25.0, -100.0, None),
    ],
)
def test_processors_are_busy_for_the_share_that_they_were_not_idle(
    idle: float, every: float, percent: float | None
) -> None:
    now = datetime.now(UTC)
    before = {"at": (now - MINUTE).timestamp(), "idle": 1_000.0, "all": 4_000.0}
    assert _cpu(before, now, {"idle": 1_000.0 + idle, "all": 4_000.0 + every}) == percent


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"at": "x"}', "\x00"])
def test_a_file_that_can_t_be_read_is_no_hindrance(home: Path, store: Engine, broken: str) -> None:
    file = home / "sentinel-host.json"
    file.write_text(broken)
    os.utime(file, (0, 0))
    assert sample_host(store, datetime.now(UTC))


def test_a_store_that_is_away_fails_no_run(home: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'none' / 'none.db'}", create=False)
    assert not sample_host(engine, datetime.now(UTC))
    assert (home / "sentinel-host.json").exists()
