"""A blotter left open for an hour while events come and go: neither end of it grows.

Run by `make soak`. SENTINEL_SOAK_MINUTES makes it shorter, for a look at what it measures.
"""

import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest
from playwright.sync_api import CDPSession, Page, expect
from sqlalchemy import Engine

from tests.support.blotter import chromium, viewer
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, calm, fire

MINUTES = int(os.environ.get("SENTINEL_SOAK_MINUTES", "60"))
EVERY = 10  # seconds between two events
GROWTH = 1.15  # of the last quarter against the second one
Sample = dict[str, float]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(MINUTES * 60 + 600)]


def test_a_session_open_for_an_hour_does_not_grow_and_stays_live(
    tmp_path: Path, store: Engine
) -> None:
    url = store.url.render_as_string()
    env = {**clean_environment(tmp_path), "SENTINEL_DATABASE_URL": url, "SENTINEL_USER": "ana"}
    for number in range(60):  # the page is full from the start
        at = datetime.now(UTC) - timedelta(minutes=60 - number)
        fire(store, a_rule(f"old-{number}"), at, ticker=f"T{number}")
    with viewer(env, tmp_path / "viewer.log") as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(patient(60_000))
        page.goto(address)
        samples = list(measured(page, store, process_on(address)))
        newest = f"The last one {uuid4().hex[:6]}"
        fire(store, a_rule("last", "critical"), datetime.now(UTC), message=newest)
        grid = page.get_by_test_id("stDataFrame").first
        cells = grid.locator("[data-testid^='glide-cell-']")
        expect(cells.filter(has_text=newest).first).to_be_attached()
        assert page.get_by_test_id("stException").count() == 0
    quarter = len(samples) // 4
    early, late = average(samples[quarter : 2 * quarter]), average(samples[-quarter:])
    print(f"second quarter: {early}\nlast quarter:   {late}")
    grown = {name: late[name] / early[name] for name in early}
    assert all(by < GROWTH for by in grown.values()), (grown, samples)
    assert "Traceback" not in (tmp_path / "viewer.log").read_text()


def measured(page: Page, engine: Engine, process: psutil.Process) -> Iterator[Sample]:
    """One sample a minute, while an event opens every ten seconds and the one before it ends."""
    inside = page.context.new_cdp_session(page)
    inside.send("Performance.enable")
    ends = time.monotonic() + MINUTES * 60
    number = 0
    while time.monotonic() < ends:
        rule, now = a_rule(f"new-{number}", "critical"), datetime.now(UTC)
        fire(engine, rule, now, ticker=f"N{number}")
        page.wait_for_timeout(EVERY * 1_000)
        calm(engine, rule, now + timedelta(seconds=EVERY))
        number += 1
        if number % (60 // EVERY) == 0:
            yield sample(inside, process)


def sample(inside: CDPSession, process: psutil.Process) -> Sample:
    """Memory of the viewer in MB and, after a collection, what the page holds."""
    inside.send("HeapProfiler.collectGarbage")
    metrics = {
        one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]
    }
    family = [process, *process.children(recursive=True)]
    taken = {
        "viewer_mb": sum(one.memory_info().rss for one in family) / 1e6,
        "page_mb": metrics["JSHeapUsedSize"] / 1e6,
        "nodes": metrics["Nodes"],
        "listeners": metrics["JSEventListeners"],
    }
    print({name: round(value, 1) for name, value in taken.items()}, flush=True)
    return taken


def average(samples: list[Sample]) -> Sample:
    """The mean of each figure."""
    return {name: statistics.mean(one[name] for one in samples) for name in samples[0]}


def process_on(address: str) -> psutil.Process:
    """The viewer that listens at this address."""
    port = str(urlsplit(address).port)
    [found] = [
        process
        for process in psutil.process_iter()
        if "viewer" in process.cmdline() and port in process.cmdline()
    ]
    return found
