"""Changes of events as they come, as server-sent events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sentinel_core.api.errors import ApiError
from sentinel_core.api.store import Store
from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.event_changes import Changes, Position, changes_after, newest_position

T = TypeVar("T")
Seen = frozenset[tuple[str, int]]
MOST_STREAMS = 20
LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
# Then the client comes again by itself, with its token: one that was revoked ends there.
LONGEST_SECONDS = 600.0
_THREADS = 4
_BEGIN = f"retry: {int(LOOK_SECONDS * 1000)}\n\n"


class _Counted(StreamingResponse):
    """A stream that says when it has ended, also when it never began."""

    def __init__(self, content: AsyncIterator[str], ended: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


class Streams:
    """All streams of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open = 0
        self._limiter: CapacityLimiter | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams: the server stops."""
        self._stopping.set()

    async def begin(self, after: Position | None) -> StreamingResponse:
        """A new stream, after a position or from now on. Raises ApiError when there are too many.

        Raises StoreUnavailableError.
        """
        position = after if after is not None else await self._run(self._newest)
        if self._open >= MOST_STREAMS or self._stopping.is_set():
            raise ApiError(503, "too-many-streams", f"{MOST_STREAMS} streams are open already")
        self._open += 1
        return _Counted(self._stream(position), self._ended)

    def _ended(self) -> None:
        self._open -= 1

    async def _stream(self, position: Position) -> AsyncIterator[str]:
        begun = said = time.monotonic()
        yield _BEGIN + _message("begin", position, {})
        seen: Seen = frozenset()
        first = True
        while time.monotonic() - begun < LONGEST_SECONDS and not self._stopping.is_set():
            try:
                found = await self._run(self._look, position, seen, not first)
            except SentinelError:
                yield _message("unavailable", position, {})
                return
            first = False
            position, seen = found.position, found.seen
            if found.new or found.changed:
                data = {"new": found.new, "changed": found.changed}
                yield _message("events", position, data)
                said = time.monotonic()
            elif time.monotonic() - said >= HEARTBEAT_SECONDS:
                yield ": nothing changed\n\n"
                said = time.monotonic()
            if not found.more:
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _run(self, call: Callable[..., T], *given: Any) -> T:
        """A look into the store, in one of a few threads that requests do not need."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        return await run_sync(call, *given, limiter=self._limiter)

    def _newest(self) -> Position:
        with self._store.opened() as engine:
            return newest_position(engine)

    def _look(self, after: Position, seen: Seen, again: bool) -> Changes:
        with self._store.opened() as engine:
            return changes_after(engine, after, seen, again=again)


def stream(streams: Streams) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/stream", response_class=StreamingResponse)
    async def read_stream(
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> StreamingResponse:
        """Changes of events from now on, or from where a client's last one ended."""
        after = Position.parse(last_event_id) if last_event_id is not None else None
        if last_event_id is not None and after is None:
            raise ApiError(422, "invalid-parameter", "Last-Event-ID: not the id of an event here")
        return await streams.begin(after)

    return router


def _message(kind: str, position: Position, data: dict[str, Any]) -> str:
    return f"event: {kind}\nid: {position}\ndata: {json.dumps(data)}\n\n"
