"""Watches the connections of an HTTP client: none leads to a host that rules may not ask.

A name is judged by the address that was really connected to, before a byte is sent there, so
neither a redirect nor another answer of the name server leads around it. Behind a proxy only names
and addresses in URLs can be judged: the proxy connects.
"""

import contextlib
from typing import Any

import httpx

from triggers.sources.access import literal
from triggers.sources.allowed import require_host
from triggers.sources.errors import AccessError

_CONNECTING, _CONNECTED = "connection.connect_tcp.started", "connection.connect_tcp.complete"


class Guard:
    """The limits on one client's connections. `secrets` are headers for the first host only."""

    def __init__(self, secrets: frozenset[str] = frozenset()) -> None:
        self._secrets = secrets
        self._first: str | None = None
        self._host = b""
        self._direct = False

    def before(self, request: httpx.Request) -> None:
        """Judge a request's host, a redirect's too. Raises AccessError."""
        self._host = request.url.raw_host
        self._first = self._first or request.url.host
        if request.url.host != self._first:
            for name in self._secrets:
                request.headers.pop(name, None)
        require_host(request.url.host)

    async def before_async(self, request: httpx.Request) -> None:
        """`before`, for an asynchronous client."""
        self.before(request)

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Judge the address of a new connection, and close it if it is refused."""
        try:
            self._judge(event, info)
        except AccessError:
            with contextlib.suppress(Exception):
                info["return_value"].close()
            raise

    async def trace_async(self, event: str, info: dict[str, Any]) -> None:
        """`trace`, for an asynchronous client."""
        try:
            self._judge(event, info)
        except AccessError:
            with contextlib.suppress(Exception):
                await info["return_value"].aclose()
            raise

    def _judge(self, event: str, info: dict[str, Any]) -> None:
        if event == _CONNECTING:
            self._direct = info["host"].encode() == self._host.strip(b"[]")
        elif event == _CONNECTED and self._direct:
            peer = info["return_value"].get_extra_info("server_addr")
            if isinstance(peer, tuple):
                require_host(self._host.decode("ascii", "replace"), literal(str(peer[0])))
