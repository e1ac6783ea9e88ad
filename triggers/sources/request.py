"""One HTTP request under one deadline, with a bounded body. Reads; judges nothing."""

import asyncio
import math
import ssl
from collections.abc import Mapping
from time import monotonic
from typing import Any

import httpx
from pydantic import BaseModel

from sentinel_core.base.tls import trusted_authorities
from sentinel_core.model.fault import Fault
from triggers.sources.certificates import earliest_end
from triggers.sources.decoding import UndecodableError, decode
from triggers.sources.errors import SourceError
from triggers.sources.failure import reason
from triggers.sources.guard import Guard

BODY_LIMIT = 1 << 20  # bytes read at most: enough for a health page
_LONGEST_TYPE = 100  # characters of a content type that are kept


class Probe(BaseModel):
    """The result of one request. `failure` says why there is no complete answer; else None.

    `latency_ms` runs from the start until the last response's headers are there: name lookup, TLS
    and redirects included, the body not. `certificate_days` is the shortest remaining life of all
    certificates met on the way, those of the chains included (negative: expired); None without TLS.
    `certificate_of` names that one, unless it is a service's own. `body_fault` says why the body
    is no text; `body` then has replacement characters for what can't be read. `fault` is the kind
    of the failure where that says what to do next.
    """

    url: str
    asked: str = ""
    status: int | None = None
    latency_ms: float | None = None
    certificate_days: float | None = None
    certificate_of: str = ""
    content_type: str = ""
    body: str = ""
    body_cut: bool = False
    body_fault: str = ""
    failure: str | None = None
    fault: Fault | None = None


async def ask(
    url: str,
    *,
    method: str,
    headers: Mapping[str, str],
    follow_redirects: bool,
    verify: bool | ssl.SSLContext,
    timeout_seconds: float,
    body_limit: int = BODY_LIMIT,
    secret_headers: frozenset[str] = frozenset(),
    content: bytes | None = None,
) -> Probe:
    """Send one request; whatever the network or the server does becomes a Probe.

    `secret_headers` are not sent on to another host that a redirect names. Raises AccessError for
    a host that rules may not ask, SourceError for headers that HTTP does not allow.
    """
    guard = Guard(secret_headers)
    seen: dict[str, Any] = {"url": url, "asked": url}
    started = monotonic()

    async def note_certificate(response: httpx.Response) -> None:
        ending = earliest_end(response)
        if ending is not None and ending.days < seen.get("certificate_days", math.inf):
            seen["certificate_days"], seen["certificate_of"] = ending.days, ending.of

    # identity: a small compressed body could unpack to more than memory holds
    asked = {"user-agent": "sentinel-health-check", "accept-encoding": "identity", **headers}
    try:
        trust = trusted_authorities() if verify is True else verify
        # The client's own timeouts start anew with each byte; this one does not.
        async with (
            asyncio.timeout(timeout_seconds),
            httpx.AsyncClient(
                verify=trust,
                timeout=timeout_seconds,
                follow_redirects=follow_redirects,
                event_hooks={"request": [guard.before_async], "response": [note_certificate]},
            ) as client,
            client.stream(
                method, url, headers=asked, content=content, extensions={"trace": guard.trace_async}
            ) as response,
        ):
            seen["latency_ms"] = (monotonic() - started) * 1000
            seen["status"] = response.status_code
            seen["url"] = str(response.url.copy_with(userinfo=b""))
            seen["content_type"] = response.headers.get("content-type", "")[:_LONGEST_TYPE]
            seen |= await _read(response, body_limit)
    except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
        # Its text quotes the header, which may be a secret.
        raise SourceError(
            "the request's headers are not valid HTTP: a name or a value has characters that no "
            "header may have, such as a line break or an accent"
        ) from error
    except (TimeoutError, httpx.TimeoutException):
        part = "no complete answer" if "status" in seen else "no answer"
        seen["failure"] = f"{part} within {timeout_seconds:g} s"
        seen["fault"] = Fault.TIMEOUT
    except (httpx.RequestError, ssl.SSLError) as error:  # refused after the handshake: as it is
        seen["failure"] = reason(error)
        if isinstance(error, httpx.NetworkError):
            seen["fault"] = Fault.CONNECTION
    return Probe.model_validate(seen)


async def _read(response: httpx.Response, limit: int) -> dict[str, Any]:
    """The body's first part as text, whether there was more, and why it is no text."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            break
    cut = len(body) > limit
    part = bytes(body[:limit])
    try:
        text = decode(part, response.headers.get("content-type", ""), cut=cut)
    except UndecodableError as error:
        shown = part.decode("utf-8", errors="replace")
        return {"body": shown, "body_cut": cut, "body_fault": str(error)}
    return {"body": text, "body_cut": cut}
