"""A loopback server: the quotes that rules read, and a page that stands where Slack stands."""

import html
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sentinel_core.demo.recording import LABEL

HOST = "127.0.0.1"
FEED, SLACK = "/quotes.csv", "/slack/"
_MOST_BYTES = 1_000_000
_MARKUP = re.compile(r"<(https?://[^|>\s]+)\|([^>]*)>|\*([^*\n]+)\*|`([^`\n]+)`")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Messages of the demo</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 1rem auto;
  padding: 0 1rem; background: light-dark(#fff, #0d1117); color: light-dark(#1f2328, #e6edf3); }}
header {{ border-bottom: 1px solid light-dark(#d1d9e0, #3d444d); margin-bottom: 1rem; }}
h1 {{ font-size: 1.15rem; margin: 0; }}
.note, .when {{ color: light-dark(#59636e, #9198a1); }}
article {{ margin: 0 0 1rem; }}
.head {{ font-weight: 600; }}
.body {{ border-left: 4px solid var(--bar); margin: .3rem 0; padding: .1rem .8rem; }}
.body p, blockquote {{ margin: .15rem 0; overflow-wrap: anywhere; }}
blockquote {{ font-size: 1.05em; }}
.facts {{ display: flex; flex-wrap: wrap; gap: 0 1.5rem; }}
a {{ color: light-dark(#0969da, #58a6ff); }}
</style></head><body>
<header><h1>What Slack would show</h1>
<p class="note">This page of <code>sentinel demo</code> stands where Slack stands: each message here
was sent by Sentinel. The quotes are {label}.</p></header>
{messages}
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Posted:
    """One message as it came."""

    at: datetime
    channel: str
    payload: dict[str, Any]


@dataclass
class Board:
    """What the server holds. `quotes` is what the feed shows now."""

    port: int
    quotes: str = ""
    posted: list[Posted] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The page."""
        return f"http://{HOST}:{self.port}"

    def webhook(self, channel: str) -> str:
        """What a channel's block is given."""
        return f"{self.url}{SLACK}{channel}"


@contextmanager
def serving(port: int) -> Iterator[Board]:
    """The server while it is needed, on this port of this machine. Raises OSError if it is busy."""
    board = Board(port)
    server = ThreadingHTTPServer((HOST, port), _handler(board))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(board: Board) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == FEED:
                self._answer(HTTPStatus.OK, board.quotes, "text/csv")
            elif self.path == "/":
                self._answer(HTTPStatus.OK, page(board.posted), "text/html")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "not found", "text/plain")

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            try:
                payload = json.loads(self.rfile.read(min(size, _MOST_BYTES)))
            except ValueError:
                payload = None
            if not self.path.startswith(SLACK) or not isinstance(payload, dict):
                self._answer(HTTPStatus.BAD_REQUEST, "invalid_payload", "text/plain")
                return
            channel = self.path.removeprefix(SLACK)
            board.posted.append(Posted(datetime.now(UTC), channel, payload))
            self._answer(HTTPStatus.OK, "ok", "text/plain")

        def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header(
                "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: the terminal has the story."""

    return Handler


def page(posted: list[Posted]) -> str:
    """The page with its messages, the newest first."""
    articles = "\n".join(_article(message) for message in reversed(posted))
    return _PAGE.format(label=html.escape(LABEL), messages=articles or "<p>No messages yet.</p>")


def _article(message: Posted) -> str:
    when = f"{message.at.astimezone():%H:%M:%S}"
    channel = html.escape(message.channel)
    parts = [f'<article><span class="when">#{channel} · {when}</span>']
    parts.append(f'<div class="head">{_markup(str(message.payload.get("text") or ""))}</div>')
    for attachment in _mappings(message.payload.get("attachments")):
        colour = re.sub(r"[^#0-9a-fA-F]", "", str(attachment.get("color") or ""))
        lines = "".join(_block(block) for block in _mappings(attachment.get("blocks")))
        parts.append(f'<div class="body" style="--bar: {colour}">{lines}</div>')
    return "".join([*parts, "</article>"])


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _block(block: dict[str, Any]) -> str:
    """One of Slack's blocks: a text, or facts side by side."""
    text, facts = block.get("text"), _mappings(block.get("fields"))
    shown = [text] if isinstance(text, dict) else []
    lines = "".join(
        _lines(part.get("text")) for part in [*shown, *_mappings(block.get("elements"))]
    )
    if not facts:
        return lines
    boxes = "".join(f"<div>{_lines(fact.get('text'))}</div>" for fact in facts)
    return f'{lines}<div class="facts">{boxes}</div>'


def _lines(text: Any) -> str:
    """The lines of a text; those that Slack shows as a quotation stand out."""
    if not isinstance(text, str):
        return ""
    return "".join(
        f"<blockquote>{_markup(line[2:])}</blockquote>"
        if line.startswith("> ")
        else f"<p>{_markup(line)}</p>"
        for line in text.splitlines()
    )


def _markup(text: str) -> str:
    """Slack's markup as HTML: links, bold and code. Everything else is text."""
    parts, end = [], 0
    for found in _MARKUP.finditer(text):
        parts.append(_plain(text[end : found.start()]))
        url, label, bold, code = found.groups()
        if url:
            parts.append(f'<a href="{_plain(url)}" target="_blank">{_plain(label)}</a>')
        else:
            tag = "b" if bold else "code"
            parts.append(f"<{tag}>{_plain(bold or code)}</{tag}>")
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    """Text of Slack, which has escaped three characters, as text of HTML."""
    return html.escape(html.unescape(text))
