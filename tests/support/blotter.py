"""The blotter and a browser to look at it with."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.patience import patient
from tests.support.processes import BIN, answers, cpu_seconds, free_port, running, wait_for

ROW = 28  # pixels; viewer.bound.ROW_HEIGHT


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, for the tests of one module: while it runs, nothing async can run beside it."""
    expect.set_options(timeout=patient(30_000))
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium-browser"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def viewer(env: Mapping[str, str], log: Path) -> Iterator[str]:
    """The blotter in this environment; its address."""
    port = free_port()
    command = (str(BIN / "sentinel"), "viewer", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    with running(*command, env=env, log=log) as process:
        wait_for(
            lambda: answers(f"{address}/_stcore/health"),
            what="the viewer",
            progress=lambda: cpu_seconds(process.pid),
        )
        yield address


def settled(page: Page) -> None:
    """Wait until the page's script has run."""
    page.wait_for_selector('.stApp[data-test-script-state="notRunning"]')


def listening(page: Page) -> None:
    """Wait until the blotter is drawn and hears the keyboard."""
    settled(page)
    page.wait_for_function("window.sentinelWindow")
    page.wait_for_selector(".st-key-window input", state="attached")


def select(page: Page, *rows: int) -> None:
    """Tick these rows of the events table."""
    grid = page.get_by_test_id("stDataFrame").first
    for number, row in enumerate(rows, start=1):
        grid.click(position={"x": 16, "y": 36 + ROW * (row + 0.5)})
        expect(page.get_by_text(f"{number} selected")).to_be_visible()
    settled(page)
