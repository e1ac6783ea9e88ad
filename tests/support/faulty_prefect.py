"""A Prefect API of which some requests fail: a proxy in front of a real server."""

import contextlib
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx


class FaultyPrefect:
    """A proxy in front of a real server that answers some requests with an error.

    `fails` is how their paths begin, `times` how many of them fail; None for all. Its clock is
    `ahead_seconds` ahead of this machine's, `answers` are bodies by path that replace the server's.
    """

    def __init__(self, api_url: str) -> None:
        self.fails = ""
        self.times: int | None = None
        self.failed = 0
        self.ahead_seconds = 0.0
        self.answers: dict[str, bytes] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.removeprefix("/api")
                if outer.fails_now(path):
                    outer.failed += 1
                    status, answer = 500, b'{"detail": "Internal Server Error"}'
                else:
                    given = httpx.request(
                        self.command,
                        f"{api_url}{path}",
                        content=body,
                        headers={"Content-Type": "application/json"},
                        timeout=60,
                    )
                    status = given.status_code
                    answer = outer.answers.get(path, given.content)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + outer.ahead_seconds)

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api_url = f"http://127.0.0.1:{self.server.server_address[1]}/api"

    def fails_now(self, path: str) -> bool:
        """True if a request for this path is answered with an error."""
        left = self.times is None or self.failed < self.times
        return bool(self.fails) and path.startswith(self.fails) and left


@contextlib.contextmanager
def faulty_prefect(api_url: str) -> Iterator[FaultyPrefect]:
    """Such a proxy while it is needed."""
    faulty = FaultyPrefect(api_url)
    thread = Thread(target=faulty.server.serve_forever)
    thread.start()
    try:
        yield faulty
    finally:
        faulty.server.shutdown()
        faulty.server.server_close()
        thread.join()
