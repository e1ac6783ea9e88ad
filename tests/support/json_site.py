"""A real HTTP server on loopback that answers with what a test gives it."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Answer:
    """What is sent back: text, bytes, or anything else as JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class JsonSite:
    """Answers by path; `asked` is what was asked so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()

    def at(self, path: str, body: Any = None, status: int = 200, **headers: str) -> str:
        """Answer so from now on; the URL of it."""
        self.answers[path] = Answer(body, status, headers)
        return f"{self.url}{path}"


@contextlib.contextmanager
def json_site() -> Iterator[JsonSite]:
    """A running server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, parse_qs(parts.query), dict(self.headers))
            site.asked.append(asked)
            if parts.path == "/hang":
                site.closing.wait()
                return
            answer = site.answers.get(parts.path, Answer("no such thing", 404))
            if callable(answer):
                answer = answer(asked)
            body = answer.encoded()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever has read enough hangs up
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = JsonSite(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()
