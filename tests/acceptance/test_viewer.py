"""The installed blotter: its own settings wherever it is started, and no other host is asked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.support.blotter import chromium
from tests.support.installed import Installed
from tests.support.prefect import clean_environment
from tests.support.processes import answers, cpu_seconds, free_port, running, wait_for
from tests.support.recorded import a_rule, fire

pytestmark = pytest.mark.slow

OTHER_APP = """
[client]
toolbarMode = "developer"

[server]
baseUrlPath = "reports"

[theme]
base = "dark"
"""


@pytest.fixture
def blotter(installed: Installed, tmp_path: Path, store: Engine) -> Iterator[tuple[str, int]]:
    """The blotter's address and process, started in a team's project with a page of its own."""
    project = tmp_path / "project"
    (project / "viewer").mkdir(parents=True)
    (project / ".streamlit").mkdir()
    (project / ".streamlit" / "config.toml").write_text(OTHER_APP)
    for name in ("viewer/__init__.py", "viewer/blotter.py", "app.py", "navigation.py"):
        (project / name).write_text("raise RuntimeError('the team has other plans')\n")
    env = installed.environment(clean_environment(tmp_path))
    env |= {"SENTINEL_DATABASE_URL": store.url.render_as_string(), "PYTHONPATH": str(project)}
    address, log = f"http://127.0.0.1:{free_port()}", tmp_path / "viewer.log"
    command = (installed.sentinel, "viewer", "--port", address.rpartition(":")[2])
    with running(*command, env=env, log=log, cwd=project) as process:
        wait_for(
            lambda: process.poll() is not None or answers(f"{address}/_stcore/health"),
            what="the viewer",
            progress=lambda: cpu_seconds(process.pid),
        )
        assert process.poll() is None, log.read_text()
        yield address, process.pid
    assert "Traceback" not in log.read_text()


def test_the_page_is_sentinels_and_nothing_outside_is_asked(
    blotter: tuple[str, int], store: Engine
) -> None:
    address, pid = blotter
    rule = a_rule()
    fire(store, rule, datetime.now(UTC))
    with chromium() as browser:
        page = browser.new_page(color_scheme="light")
        asked = _requests(page)
        page.goto(address)
        grid = page.get_by_test_id("stDataFrame").first
        expect(grid.get_by_test_id("glide-cell-3-0")).to_have_text(rule.name)
        expect(page.get_by_test_id("stAppDeployButton")).to_have_count(0)
        background = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        page.goto(f"{address}/?event=1")
        expect(page.get_by_text(rule.name).first).to_be_visible()
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
        assert any(url.startswith("ws://") for url in asked)
    talks_to = {line.raddr.ip for line in psutil.Process(pid).net_connections() if line.raddr}
    assert talks_to <= {"127.0.0.1"}


def _requests(page: Page) -> list[str]:
    """The addresses that the browser asks for, as it goes on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    return asked
