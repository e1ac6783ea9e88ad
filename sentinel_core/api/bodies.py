"""The size of what is sent: at most 64 KiB, whether its length is declared or not."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentinel_core.api.refusals import has_body, refuse

MOST_BYTES = 64 * 1024
_SECONDS = 10.0  # for all of it
_TOO_LARGE = f"the body is larger than {MOST_BYTES // 1024} KiB"


class BodyLimit:
    """Reads a body before its route does, and refuses one that is too large or never ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope)
        if scope["type"] != "http" or not has_body(headers):
            await self._app(scope, receive, send)
            return
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > MOST_BYTES:
            await refuse(413, "too-large", _TOO_LARGE, {}, scope, receive, send)
            return
        try:
            async with asyncio.timeout(_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            late = f"the body did not arrive within {_SECONDS:g} s"
            await refuse(408, "too-slow", late, {}, scope, receive, send)
            return
        if body is None:  # the client has gone
            return
        if len(body) > MOST_BYTES:
            await refuse(413, "too-large", _TOO_LARGE, {}, scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)


async def _read(receive: Receive) -> bytes | None:
    """The body, or a little more than may be; None when the client has gone."""
    body = bytearray()
    while len(body) <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives the body once more, then what comes after it."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
