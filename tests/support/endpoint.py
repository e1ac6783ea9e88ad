"""A real HTTP endpoint that stands where a provider stands: records requests, answers as told."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_SECONDS = 86_400.0  # as long as the test: whoever waits for it never gets on


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    at: float
    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


def _ok(_: Request) -> bytes:
    return b"ok"


@dataclass
class Endpoint:
    """The running endpoint.

    `answer` is a status; or "hang": never answers, "reset": takes the request and resets the
    connection, "slow": says `status` and never ends its body, "mute": says `status` and nothing
    more, "trickle": never ends its headers.
    With `answers`, each request takes the next of them first.
    """

    port: int = 0
    answer: int | str = 200
    answers: list[int | str] = field(default_factory=list)
    status: int = 200  # of a slow answer
    retry_after: str | None = None
    reply: Callable[[Request], bytes] = _ok
    received: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


def _handler(endpoint: Endpoint, tls: ssl.SSLContext | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            """Be a proxy that stands for the whole Internet: whoever is asked for, it is here."""
            assert tls is not None, "this endpoint has no certificates"
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.suppress(OSError), tls.wrap_socket(self.connection, True) as inner:
                Handler(inner, self.client_address, self.server)
            self.close_connection = True

        def _any(self) -> None:
            request = Request(
                at=time.monotonic(),
                method=self.command,
                host=self.headers.get("Host", ""),
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
            endpoint.received.append(request)
            answer = endpoint.answers.pop(0) if endpoint.answers else endpoint.answer
            self.close_connection = True
            if isinstance(answer, int):
                self._answer(answer, endpoint.reply(request))
            else:
                getattr(self, f"_{answer}")()

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if endpoint.retry_after is not None:
                self.send_header("Retry-After", endpoint.retry_after)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody waits for it
                self.end_headers()
                self.wfile.write(body)

        def _hang(self) -> None:
            endpoint.released.wait(HANG_SECONDS)

        def _reset(self) -> None:
            # Closing with a linger of zero sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def _slow(self) -> None:
            self.send_response(endpoint.status)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self._drip()

        def _mute(self) -> None:
            self.send_response(endpoint.status)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self._hang()

        def _trickle(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self._drip()

        def _drip(self) -> None:
            with contextlib.suppress(OSError):
                while not endpoint.released.wait(0.1):
                    self.wfile.write(b"x")
                    self.wfile.flush()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler._any)
    return Handler


@contextlib.contextmanager
def http_endpoint(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Endpoint]:
    """A fresh endpoint on a loopback port of its own, or on this one; gone after.

    With a TLS context it is a proxy as well, behind which every https address leads to itself.
    """
    endpoint = Endpoint()
    with ThreadingHTTPServer(("127.0.0.1", port), _handler(endpoint, tls)) as server:
        server.daemon_threads = True
        endpoint.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.released.set()
            server.shutdown()
            thread.join()
