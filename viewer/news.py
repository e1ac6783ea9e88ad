"""Tells browsers whether there is anything new: `GET /news` answers a word that changes with it.

Asking costs next to nothing, unlike a fragment that Streamlit reruns each second in every tab. The
word says nothing about the events, so that everybody may ask, with or without a login.
"""

import asyncio
import hashlib
import time

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sentinel_core.base.errors import SentinelError
from viewer import data
from viewer.places import root

_NOTHING_TO_SAY = 503


def address() -> str:
    """The path at which this viewer is asked."""
    return f"{root()}/news"


def word(stamp: str) -> str:
    """What is answered while this is the newest. Pure."""
    return hashlib.blake2b(stamp.encode(), digest_size=8).hexdigest()


class News:
    """Answers at one address; everything else is the application's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._looked = float("-inf")
        self._answer: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] != "http" or scope["path"] != address():
            await self._app(scope, receive, send)
            return
        newest = await self._newest()
        answer = Response(status_code=_NOTHING_TO_SAY)
        if newest is not None:
            answer = PlainTextResponse(newest)
        answer.headers["Cache-Control"] = "no-store"
        await answer(scope, receive, send)

    async def _newest(self) -> str | None:
        """The word, a quarter of a second old at most; None while the store can't be read."""
        async with self._lock:
            if time.monotonic() - self._looked >= data.LOOK_SECONDS:
                self._answer = await asyncio.to_thread(_look)
                self._looked = time.monotonic()
            return self._answer


def _look() -> str | None:
    try:
        return word(data.newest())
    except SentinelError:
        return None  # the blotter says so, and looks again by itself
