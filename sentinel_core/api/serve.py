"""Serves the API."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.h11_impl import H11Protocol

from sentinel_core.api.app import create_app
from sentinel_core.base import logs

AT_ONCE = 100  # connections; more are refused with 503
IDLE_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_STOP_SECONDS = 5


class _Protocol(H11Protocol):
    """A connection, which is closed when nothing has been asked on it for a while.

    uvicorn itself waits without an end for the first request, and for the rest of one that began.
    """

    _idle_since: float | None = None
    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        now = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= IDLE_SECONDS:
            self.transport.close()
            return
        self._looking = self.loop.call_later(_LOOK_SECONDS, self._look)


class _Server(uvicorn.Server):
    """A server that ends its streams before it waits for the requests under way."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._app.state.streams.stop()
        await super().shutdown(sockets)


def server_of(app: FastAPI, address: str = "127.0.0.1", port: int = 0) -> uvicorn.Server:
    """The server of the application, with its limits."""
    config = uvicorn.Config(
        app,
        host=address,
        port=port,
        http=_Protocol,
        limit_concurrency=AT_ONCE,
        server_header=False,
        access_log=False,  # monitors ask all day; changes are in the audit
        proxy_headers=False,  # who asks is who connects
        # Its own handlers would write text: without them its loggers write as all others do.
        log_config=None if logs.wanted() else LOGGING_CONFIG,
        log_level="info",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return _Server(config, app)


def serve(port: int, address: str, names: Sequence[str] = ()) -> None:
    """Serve until Ctrl-C. The host names are those it answers to besides this machine's own."""
    app = create_app(names, loopback=_is_loopback(address))
    server_of(app, address, port).run()


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
