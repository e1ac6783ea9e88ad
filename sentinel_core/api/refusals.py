"""Answers to requests that no route has seen, with as little read of them as possible."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from sentinel_core.api.errors import answer, failed
from sentinel_core.base.errors import SentinelError

# A client that is still sending when its connection is closed may never see the answer.
_DRAINED_BYTES = 16 * 1024 * 1024
_DRAINED_SECONDS = 2.0


def has_body(headers: Headers) -> bool:
    """True for a request with a body, or one that says that it has one."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def refuse(
    status: int,
    code: str,
    sentence: str,
    headers: Mapping[str, str],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer with an error."""
    await _send(answer(status, code, sentence, headers), scope, receive, send)


async def refuse_failed(error: SentinelError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when the store or Prefect failed."""
    await _send(failed(error), scope, receive, send)


async def _send(response: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008})
        return
    given = Headers(scope=scope)
    if not has_body(given):
        await response(scope, receive, send)
        return
    response.headers["Connection"] = "close"
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if "expect" not in given:  # one that expects to be asked sends nothing
        await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    """Read on for a moment, and keep nothing."""
    read = 0
    try:
        async with asyncio.timeout(_DRAINED_SECONDS):
            while read < _DRAINED_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
