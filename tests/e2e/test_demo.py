"""`sentinel demo` as a visitor sees it: what happens in two minutes, and what is left of it."""

import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from tests.support.blotter import chromium
from tests.support.demo import Demo
from tests.support.deployed import rows
from tests.support.processes import BIN, answers, running, wait_for

HAPPENS = {
    "opens": "SELECT 1 FROM alert_event WHERE rule_name = 'demo-price-low'",
    "spikes": "SELECT 1 FROM alert_event WHERE rule_name = 'demo-volume-spike'",
    "resolves": "SELECT 1 FROM alert_event WHERE resolution = 'recovered'",
    "flaps": "SELECT 1 FROM notification WHERE reason = 'flapping' AND status = 'sent'",
    "is silenced": "SELECT 1 FROM alert_event WHERE suppressed_code = 'silenced'",
    "escalates": "SELECT 1 FROM notification WHERE reason = 'step-1' AND status = 'sent'",
}


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path, str(BIN / "sentinel"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_visitor_sees_a_whole_life_of_events_and_nothing_is_left_behind(demo: Demo) -> None:
    with running(*demo.command, env=demo.env, log=demo.log, grace_seconds=90) as process:
        viewer, page = (f"http://127.0.0.1:{port}" for port in (demo.viewer, demo.page))
        wait_for(
            lambda: process.poll() is not None or "6 November 2012" in demo.said(),
            seconds=180,
            what="the first day of quotes",
        )
        assert process.poll() is None, demo.said()
        store = demo.store()
        for what, query in HAPPENS.items():
            wait_for(
                lambda query=query: rows(store, query), seconds=120, what=f"an event that {what}"
            )
        for said in ("escalated to #alerts-critical", "is flapping", "muted: silenced by demo"):
            wait_for(lambda said=said: said in demo.said(), what=f"the terminal to say {said!r}")
        kinds = rows(store, "SELECT DISTINCT kind FROM alert_event")
        assert [row["kind"] for row in kinds] == ["alert"], "every check ran"
        _labelled(viewer, page)
        children = psutil.Process(process.pid).children(recursive=True)
        store.dispose()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0, demo.said()
    assert not psutil.wait_procs(children, timeout=10)[1]
    demo.require_gone()


def _labelled(viewer: str, page: str) -> None:
    """Every place where something of the demo shows says that it is recorded data."""
    assert "recorded data of 2012–13" in httpx.get(page).text
    assert answers(f"{viewer}/_stcore/health")
    with chromium() as browser:
        shown = browser.new_page(viewport={"width": 1600, "height": 900})
        shown.goto(viewer)
        cell = shown.get_by_test_id("stDataFrame").first.get_by_test_id("glide-cell-8-0")
        expect(cell).to_have_text("2012–13 data")
        shown.goto(page)
        expect(shown.get_by_text("stands where Slack stands")).to_be_visible()
        expect(shown.get_by_text("Open in the blotter").first).to_be_visible()


def test_a_busy_port_is_named_before_anything_starts(demo: Demo) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", demo.page))
        busy.listen()
        done = subprocess.run(
            demo.command, env=demo.env, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert f"port {demo.page} is busy" in done.stderr
    assert "--page-port" in done.stderr
    assert list(demo.temporary.iterdir()) == []
