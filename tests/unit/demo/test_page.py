"""The demo's loopback server: quotes for rules, and a page of the messages that came."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sentinel_core.demo.page import FEED, Board, serving
from tests.support.processes import free_port


@pytest.fixture
def board() -> Iterator[Board]:
    with serving(free_port()) as board:
        yield board


def slack(text: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"text": text, "attachments": [{"color": "#a40e26", "blocks": list(blocks)}]}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_the_feed_is_what_was_put_there_last(board: Board) -> None:
    for quotes in ("ticker,time\n", "ticker,time\nA,2012-11-06\n"):
        board.quotes = quotes
        answer = httpx.get(f"{board.url}{FEED}")
        assert (answer.text, answer.headers["content-type"]) == (quotes, "text/csv; charset=utf-8")


def test_a_message_is_on_the_page_with_its_channel_its_markup_and_the_label(board: Board) -> None:
    assert "No messages yet." in httpx.get(board.url).text
    facts = {"type": "section", "fields": [{"type": "mrkdwn", "text": "*close*\n27.7"}]}
    foot = {"type": "context", "elements": [{"type": "mrkdwn", "text": "at `noon`"}]}
    link = section("<http://127.0.0.1:1/?event=1&amp;x=2|Open in the blotter>")
    sent = httpx.post(
        board.webhook("alerts"), json=slack("HIGH", section("> low"), facts, link, foot)
    )
    assert sent.text == "ok"
    page = httpx.get(board.url).text
    assert "recorded data of 2012–13" in page
    assert "#alerts ·" in page
    assert "<blockquote>low</blockquote>" in page
    assert "<b>close</b>" in page
    assert "<code>noon</code>" in page
    assert '<a href="http://127.0.0.1:1/?event=1&amp;x=2" target="_blank">' in page
    assert "--bar: #a40e26" in page


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '<http://x/"onclick=alert(1)|a>', "&lt;b&gt;", "<b>x</b>"]
)
def test_no_message_brings_markup_of_its_own(board: Board, text: str) -> None:
    message = slack(text, section(text))
    message["attachments"][0]["color"] = '"><script>'
    httpx.post(board.webhook(f"x/{text}"), json=message)
    page = httpx.get(board.url).text
    article = page.partition("<article>")[2]
    assert "<script" not in article
    assert "<b>x" not in article
    assert '"onclick' not in article


def test_what_is_no_message_is_refused(board: Board) -> None:
    assert httpx.post(board.webhook("alerts"), content=b"no json").status_code == 400
    assert httpx.post(board.webhook("alerts"), json=[1]).status_code == 400
    assert httpx.post(f"{board.url}/elsewhere", json={}).status_code == 400
    assert httpx.get(f"{board.url}/elsewhere").status_code == 404
    assert board.posted == []


def test_a_message_of_another_form_leaves_the_page_readable(board: Board) -> None:
    odd: dict[str, Any] = {"text": 7, "attachments": [1, {"blocks": [{"text": "no mapping"}, 2]}]}
    assert httpx.post(board.webhook("alerts"), json=odd).text == "ok"
    assert "#alerts ·" in httpx.get(board.url).text
