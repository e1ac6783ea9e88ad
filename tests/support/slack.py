"""A real HTTP endpoint that stands where Slack stands: records what it gets, answers as told."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_SECONDS = 86_400.0


@dataclass(frozen=True)
class Received:
    """One request: when it came (`time.monotonic`), where to, and its JSON (or text) body."""

    at: float
    path: str
    body: Any

    @property
    def text(self) -> str:
        """All that a reader of Slack sees: the line, and what stands in its blocks."""
        return "\n".join(_texts(self.body))


def _texts(body: Any) -> Iterator[str]:
    """The value of each `text`, in the order in which Slack shows them."""
    if isinstance(body, list):
        for part in body:
            yield from _texts(part)
    elif isinstance(body, dict):
        for name, part in body.items():
            if name == "text" and isinstance(part, str):
                yield part
            else:
                yield from _texts(part)


@dataclass
class Slack:
    """The running endpoint. Set `answer` to a status, "hang" or "reset" to make it misbehave."""

    port: int
    answer: int | str = 200
    received: list[Received] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """What a webhook block is given."""
        return f"http://127.0.0.1:{self.port}/services/T0/B0/secret"

    def texts(self) -> list[str]:
        """The text of every message, in the order of arrival."""
        return [request.text for request in self.received]


def _handler(slack: Slack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                body = json.loads(raw)
            except ValueError:
                body = raw.decode("utf-8", "replace")
            slack.received.append(Received(time.monotonic(), self.path, body))
            answer = slack.answer
            if answer == "hang":
                slack.released.wait(HANG_SECONDS)
                self.close_connection = True
            elif answer == "reset":
                # Closing with a linger of zero sends RST instead of FIN.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
                self.close_connection = True
            else:
                self._reply(int(answer))

        def _reply(self, status: int) -> None:
            text = b"ok" if status == 200 else b"no_service"
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


@contextlib.contextmanager
def slack_endpoint() -> Iterator[Slack]:
    """A fresh endpoint on a loopback port of its own; gone after."""
    slack = Slack(port=0)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(slack)) as server:
        server.daemon_threads = True
        slack.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield slack
        finally:
            slack.released.set()
            server.shutdown()
            thread.join()
