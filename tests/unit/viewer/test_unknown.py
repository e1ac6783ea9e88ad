"""Which addresses are pages of the viewer, and what the others are answered."""

import asyncio

import httpx
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from viewer.places import PLACES
from viewer.unknown import Unknown, is_known, not_found


@pytest.mark.parametrize(
    ("path", "base", "known"),
    [
        ("/", "", True),
        ("/history", "", True),
        ("/history/", "", True),
        ("/_stcore/health", "", True),
        ("/static/js/index.js", "", True),
        ("/health", "", False),
        ("/history/12", "", False),
        ("/..%2f", "", False),
        ("/alerts", "/alerts", True),
        ("/alerts/rules", "/alerts", True),
        ("/alerts/nothing", "/alerts", False),
        ("/rules", "/alerts", False),
    ],
)
def test_known_are_the_pages_and_what_streamlit_serves_itself(
    path: str, base: str, known: bool
) -> None:
    assert is_known(path, base) == known


async def _any_address(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a page for everything but a text, as Streamlit does."""
    answer: Response = HTMLResponse("<p>the application</p>")
    if scope["path"] == "/robots.txt":
        answer = PlainTextResponse("User-agent: *")
    await answer(scope, receive, send)


def asked(path: str) -> httpx.Response:
    """The answer of the application that everything goes through."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=Unknown(_any_address))
        async with httpx.AsyncClient(transport=transport, base_url="http://viewer") as client:
            return await client.get(path)

    return asyncio.run(get())


def test_an_unknown_address_is_not_found_and_leads_back() -> None:
    answer = asked("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "Page not found" in answer.text
    assert "the application" not in answer.text
    assert "script" not in answer.text
    assert all(f'href="/{place.address}"' in answer.text for place in PLACES)


def test_pages_and_files_are_answered_as_they_are() -> None:
    assert asked("/rules").text == "<p>the application</p>"
    assert asked("/robots.txt").text == "User-agent: *"


def test_links_keep_the_base_path() -> None:
    assert b'href="/alerts/history"' in bytes(not_found("/alerts").body)
