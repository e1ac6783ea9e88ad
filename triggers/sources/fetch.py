"""The bytes behind a local path or an http(s) URL, within a bounded time."""

import re
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import httpx

from sentinel_core.base.tls import trusted_authorities
from sentinel_core.model.fault import REFUSALS, Fault
from triggers.sources.allowed import allowed_file, file_warning, host_warning
from triggers.sources.errors import SourceError
from triggers.sources.failure import reason
from triggers.sources.guard import Guard

MOST_BYTES = 512 * 2**20  # of a download, and of an unpacked file

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # one letter is a Windows drive


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes, and the content type that their server names."""

    data: bytes
    content_type: str = ""


def fetch(source: str, timeout_seconds: float) -> Content:
    """The content of a file (a path relative to the working directory) or of an http(s) URL.

    Raises SourceError: no such file, another scheme, an answer other than 2xx, too slow, too large;
    AccessError for a file or a host that rules may not read.
    """
    scheme = _SCHEME.match(source)
    if scheme is None:
        return _read_file(source)
    if scheme[1].lower() in ("http", "https"):
        return _download(source, timeout_seconds)
    raise SourceError(
        f"{shown(source)}: {scheme[1]} URLs are not read; "
        "give a local path, an http(s) URL or a SQL query"
    )


def is_url(source: str) -> bool:
    """True if the source is a URL, of whatever scheme, and not a local path."""
    return _SCHEME.match(source) is not None


def source_warning(source: str) -> str | None:
    """Why the settings here keep rules from this file or URL; None if they do not."""
    if not is_url(source):
        return file_warning(source)
    try:
        return host_warning(urlsplit(source).hostname or "")
    except ValueError:
        return None


def shown(source: str) -> str:
    """`source` for messages: a URL without user, password and query, which may hold secrets."""
    if "://" not in source:
        return source
    try:
        parts = urlsplit(source)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{source.partition('://')[0]}://…"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _read_file(source: str) -> Content:
    path = allowed_file(source)
    try:
        return Content(path.read_bytes())
    except FileNotFoundError as error:
        raise SourceError(f"{source}: no such file (looked in {Path.cwd()})") from error
    except IsADirectoryError as error:
        raise SourceError(f"{source}: is a folder; a file is needed") from error
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or type(error).__name__
        raise SourceError(f"{source}: cannot be read: {what}") from error


def _download(url: str, timeout_seconds: float) -> Content:
    deadline = monotonic() + timeout_seconds
    body = bytearray()
    guard = Guard()
    hooks = {"request": [guard.before]}
    try:
        with (
            httpx.Client(
                verify=trusted_authorities(),
                timeout=timeout_seconds,
                follow_redirects=True,
                event_hooks=hooks,
            ) as client,
            client.stream("GET", url, extensions={"trace": guard.trace}) as response,
        ):
            if not response.is_success:
                raise SourceError(
                    f"{shown(url)}: answered {response.status_code} {response.reason_phrase}",
                    code=Fault.REFUSED if response.status_code in REFUSALS else None,
                )
            for chunk in response.iter_bytes():
                body += chunk
                # httpx limits the wait for each piece; a server may send one byte at a time.
                if monotonic() > deadline:
                    raise SourceError(_too_slow(url, timeout_seconds), code=Fault.TIMEOUT)
                if len(body) > MOST_BYTES:
                    raise SourceError(f"{shown(url)}: is larger than {MOST_BYTES // 2**20} MiB")
    except httpx.TimeoutException as error:
        raise SourceError(_too_slow(url, timeout_seconds), code=Fault.TIMEOUT) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        away = isinstance(error, httpx.NetworkError)
        raise SourceError(
            f"{shown(url)}: cannot be read: {reason(error)}",
            code=Fault.CONNECTION if away else None,
        ) from error
    return Content(bytes(body), response.headers.get("content-type", ""))


def _too_slow(url: str, timeout_seconds: float) -> str:
    return f"{shown(url)}: did not answer completely within {timeout_seconds:g} s"
