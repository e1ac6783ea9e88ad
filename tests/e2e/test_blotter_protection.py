"""A running blotter against pages of other origins, asked over its socket and in a browser."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.blotter import chromium, settled, viewer
from tests.support.endpoint import http_endpoint
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, fire


@pytest.fixture
def blotter(tmp_path: Path, store: Engine) -> Iterator[str]:
    env = {
        **clean_environment(tmp_path),
        "SENTINEL_DATABASE_URL": store.url.render_as_string(),
        "SENTINEL_VIEWER_URL": "https://blotter.example",
    }
    with viewer(env, tmp_path / "viewer.log") as address:
        yield address


def opened(blotter: str, origin: str | None, host: str | None = None) -> int:
    """The status of an attempt to open the socket, perhaps by another name; 101 if it is open."""
    address = blotter.removeprefix("http://")
    name, _, port = address.partition(":")
    url = f"ws://{host or address}/_stcore/stream"
    try:
        with (
            socket.create_connection((name, int(port))) as line,
            connect(url, sock=line, origin=origin, open_timeout=60),
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_a_socket_is_opened_by_the_blotters_own_pages_alone(blotter: str, tmp_path: Path) -> None:
    port = int(blotter.rpartition(":")[2])
    for own in (blotter, f"http://localhost:{port}", None):
        assert opened(blotter, own) == 101, own
    for host in ("blotter.example", None):  # by its proxy, which may put another host there
        assert opened(blotter, "https://blotter.example", host) == 101, host
    for foreign in (
        "https://evil.example",
        "http://blotter.example",
        f"http://127.0.0.1:{port + 1}",
        f"http://evil.example:{port}",
        "null",
    ):
        assert opened(blotter, foreign) == 403, foreign
    log = (tmp_path / "viewer.log").read_text()
    assert "A page of 'https://evil.example' asked for the blotter's data and was refused" in log


def test_a_name_that_leads_here_is_no_address_of_the_blotter(blotter: str) -> None:
    host = f"evil.example:{blotter.rpartition(':')[2]}"
    assert opened(blotter, f"http://{host}", host) == 403


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/static/absent.js"])
def test_every_answer_has_the_headers(blotter: str, path: str) -> None:
    headers = httpx.get(f"{blotter}{path}").headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    for part in ("frame-ancestors 'self'", "object-src 'none'", "base-uri 'self'"):
        assert part in headers["content-security-policy"]


def test_the_pages_keep_to_the_policy_and_no_other_page_frames_them(
    blotter: str, store: Engine
) -> None:
    event = fire(
        store, a_rule("charted", "high"), datetime.now(UTC), message="Reading 1", ticker="T"
    )
    with chromium() as browser, http_endpoint() as other:
        other.reply = lambda _: f"<iframe src='{blotter}'></iframe>".encode()
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        for path in ("", f"?event={event}"):
            page.goto(f"{blotter}/{path}")
            settled(page)
        expect(page.get_by_text("Reading 1").first).to_be_visible()
        assert [text for text in said if "Content Security Policy" in text] == []
        page.set_content("")
        page.goto(other.url)
        page.wait_for_load_state("networkidle")
        assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in said), said
