"""Classifies failures: retry or not, when, and whether the message may have arrived. Pure.

Texts are not shortened here: redaction would miss a secret that was cut in two.
"""

import re
import socket
import urllib.error
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

import httpx
from pydantic import ValidationError

from sentinel_core.notify.channel.outcome import Delivery, Outcome, failed

A_DAY = 86_400.0

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# Slack's codes for its own temporary errors; every other code is permanent.
_SLACK_TRY_AGAIN = {
    "accesslimited",
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_added_to_org",
}
_SLACK_PERHAPS_SENT = {"fatal_error", "internal_error"}  # documented: a part may have succeeded

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_APPRISE_STATUS = re.compile(r"\berror[=:]\s*([1-5][0-9]{2})\b")
_APPRISE_CONNECTION = re.compile(r"connection error", re.IGNORECASE)

# Raised while a connection is made: nothing of the message has left.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.WriteTimeout,
    ConnectionRefusedError,
    socket.gaierror,
)
# The block's values can't be sent, or no request can be made of them.
_UNSENDABLE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_UNMAKEABLE = (ValueError, TypeError, KeyError)


def is_temporary(status: int) -> bool:
    """True if an HTTP status means that a later attempt may succeed."""
    return status in _TRY_AGAIN or not (
        HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def by_status(
    who: str, status: int, headers: Mapping[str, str], text: str, now: datetime
) -> Delivery:
    """The outcome of a provider's answer that does not accept the message."""
    error = f"{who} answered {status}: {text.strip() or 'no reason given'}"
    if not is_temporary(status):
        return failed(error)
    return Delivery(
        Outcome.RETRY,
        error,
        retry_after_seconds=retry_after(headers.get("retry-after"), now),
        unknown=status == HTTPStatus.GATEWAY_TIMEOUT,  # the server behind the gateway may have it
    )


def by_slack_error(word: str) -> Delivery:
    """The outcome of an error code in the body of a 200 answer of Slack's Web API."""
    error = f"Slack answered: {word}"
    if word not in _SLACK_TRY_AGAIN:
        return failed(error)
    return Delivery(Outcome.RETRY, error, unknown=word in _SLACK_PERHAPS_SENT)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds or an HTTP date as seconds from `now`, a day at most; None for anything else."""
    value = (value or "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), A_DAY)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(seconds, A_DAY) if seconds > 0 else None


def by_exception(error: BaseException, *, begun: bool, now: datetime) -> Delivery:
    """The outcome of an exception. `begun`: sending had already begun."""
    text = f"{type(error).__name__}: {str(error) or 'no reason given'}"
    chain = tuple(_chain(error))
    for link in chain:
        if (answer := _answer(link)) is not None:
            status, headers = answer
            delivery = by_status("the provider", status, headers, str(error), now)
            # A client that calls a success an error has lost its answer on the way.
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                return delivery
    if any(isinstance(link, _UNSENDABLE) for link in chain) or (
        # A certificate that can't be verified is both, but may be renewed.
        not begun and isinstance(error, _UNMAKEABLE) and not isinstance(error, OSError)
    ):
        return failed(text)
    before = any(isinstance(link, _BEFORE_SENDING) for link in chain)
    return Delivery(Outcome.RETRY, text, unknown=begun and not before)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes; clients wrap each other's."""
    for _ in range(10):
        if error is None:
            return
        yield error
        inside = getattr(error, "reason", None)  # urllib's URLError
        hidden = error.__cause__ or error.__context__
        error = inside if isinstance(inside, BaseException) else hidden


def _answer(error: BaseException) -> tuple[int, Mapping[str, str]] | None:
    """Status and headers (lower case), where an exception carries the provider's answer."""
    urllibs = isinstance(error, urllib.error.HTTPError)
    response: Any = error if urllibs else getattr(error, "response", None)
    status = getattr(response, "code" if urllibs else "status_code", None)
    if not isinstance(status, int):
        return None
    headers = getattr(response, "headers", None) or {}
    return status, {str(name).lower(): str(value) for name, value in headers.items()}


def by_smtp(stage: str, code: int, text: str) -> Delivery:
    """The outcome of a mail server's refusal at `stage`: 4xx is temporary, 5xx permanent."""
    error = f"the mail server refused the {stage}: {code} {text.strip() or 'no reason given'}"
    permanent = code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Delivery(Outcome.FAILED if permanent else Outcome.RETRY, error)


def by_smtp_recipients(refused: Mapping[str, tuple[int, str]]) -> Delivery:
    """The outcome when every recipient was refused: temporary if at least one refusal is."""
    error = f"the mail server refused the recipient {refusals(refused)}"
    temporary = any(code < HTTPStatus.INTERNAL_SERVER_ERROR for code, _ in refused.values())
    return Delivery(Outcome.RETRY if temporary else Outcome.FAILED, error)


def refusals(refused: Mapping[str, tuple[int, str]]) -> str:
    """The refused recipients with their reasons, on one line."""
    return "; ".join(f"{who}: {code} {text.strip()}" for who, (code, text) in refused.items())


def by_apprise_log(log: str) -> Delivery:
    """The outcome of a failure in Apprise, by its log, the only trace of the provider's answer.

    Apprise logs a refused connection and a lost answer alike, hence `unknown`.
    """
    text = log.strip() or "Apprise gave no reason"
    statuses = [int(status) for status in _APPRISE_STATUS.findall(log)]
    if statuses and not any(is_temporary(status) for status in statuses):
        return failed(text)
    lost = HTTPStatus.GATEWAY_TIMEOUT in statuses or _APPRISE_CONNECTION.search(log) is not None
    return Delivery(Outcome.RETRY, text, unknown=lost or not statuses)


def is_permanent_load_error(error: BaseException) -> bool:
    """True if the block itself is missing or invalid; False if Prefect's API was unavailable.

    Prefect raises ValueError for a missing block. A saved value that the block refuses raises
    pydantic's ValidationError or an error of the provider's client. Invalid JSON comes from a
    proxy in front of Prefect.
    """
    if isinstance(error, JSONDecodeError | OSError):
        return False
    if any(isinstance(link, ValidationError) for link in _chain(error)):
        return True
    return (
        isinstance(error, ValueError | TypeError | KeyError | ImportError)
        or type(error).__name__ == "UnknownBlockType"  # its package is not installed
    )
