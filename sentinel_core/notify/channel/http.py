"""One HTTP request in bounded time: the status is known even if the body never ends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from sentinel_core.base.tls import trusted_authorities
from sentinel_core.notify.channel.attempt import Attempt, TooLateError
from sentinel_core.notify.channel.classify import by_status
from sentinel_core.notify.channel.outcome import Delivery
from sentinel_core.notify.channel.quiet import quiet

_BODY_LIMIT = 64 * 1024
_REASON_SECONDS = 1.0
_HEADERS = {"User-Agent": "Sentinel"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer; header names in lower case. `complete`: the whole body was read."""

    status: int
    headers: Mapping[str, str]
    text: str
    complete: bool

    @property
    def ok(self) -> bool:
        """True for a 2xx status."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def refused(self, who: str) -> Delivery:
        """The outcome if `who` has not accepted the message."""
        return by_status(who, self.status, self.headers, self.text, datetime.now(UTC))


def request(
    attempt: Attempt,
    method: str,
    url: str,
    *,
    timeout: float | None = None,
    reads_success: bool = False,
    client: Mapping[str, Any] | None = None,
    **content: Any,
) -> Answer:
    """Make one request. Raises httpx's errors, and TooLateError when the time has run out.

    `timeout` is the block's own; the shorter limit applies. A body may never end: that of a success
    is read only if `reads_success`, that of a refusal for one second. Redirects are not followed:
    they would send a secret to an address that nobody configured.
    """
    until = time.monotonic() + min(timeout or attempt.left, attempt.left)
    # httpx logs the whole URL of a request, which for a webhook is its password.
    given: dict[str, Any] = {"headers": _HEADERS, **(client or {})}
    if not {"verify", "transport"} & given.keys():
        given["verify"] = trusted_authorities()
    with quiet("httpx"), httpx.Client(**given) as session:
        attempt.at_the_end(session.close)
        left = until - time.monotonic()
        if left <= 0:  # creating the client can take that long; sockets refuse a negative timeout
            raise TooLateError
        asked = session.build_request(
            method, url, timeout=left, extensions={"trace": _watch(attempt)}, **content
        )
        response = session.send(asked, stream=True)
        try:
            if not response.is_success:
                until = min(until, time.monotonic() + _REASON_SECONDS)
            wanted = reads_success or not response.is_success
            text, complete = _body(response, until) if wanted else ("", False)
        finally:
            response.close()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, text, complete)


def _watch(attempt: Attempt) -> Any:
    """Begin the attempt once the connection stands, just before the request is sent."""

    def watch(event: str, info: Mapping[str, Any]) -> None:
        if not event.endswith("send_request_headers.started"):
            return
        if getattr(info.get("request"), "method", b"") != b"CONNECT":  # that is for a proxy
            attempt.begin()

    return watch


def _body(response: httpx.Response, until: float) -> tuple[str, bool]:
    """As much of the body as arrives in time, and whether that is all of it."""
    taken, complete = bytearray(), False
    # Each read may take only what is left by now, not what was left when the request was made.
    response.request.extensions["timeout"]["read"] = max(0.01, until - time.monotonic())
    try:
        for chunk in response.iter_bytes():
            taken += chunk
            if len(taken) > _BODY_LIMIT or time.monotonic() > until:
                break
        else:
            complete = True
    except (httpx.TransportError, httpx.DecodingError):
        pass  # the status is known already, and that is what counts
    return bytes(taken[:_BODY_LIMIT]).decode("utf-8", "replace"), complete
