"""Prefect's API: whether it answers and how fast, its version, and its clock."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    temporary_settings,
)

from sentinel_core.base.errors import PrefectUnreachableError
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.prefect_io.client import SKEW, prefect_api
from sentinel_core.wording.text import flat, without_userinfo

COMPONENT = "prefect"
_finding = Reporter(COMPONENT)
SUPPORTED = SpecifierSet(">=3.8.8,<3.9")  # as pyproject.toml has it; a test compares
_SLOW_SECONDS = 2.0


def look() -> list[Finding]:
    """The findings on Prefect's API; one alone when it does not answer."""
    # Which version it is, is reported: the client itself would refuse to say anything more.
    unchecked = {PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False}
    try:
        with temporary_settings(unchecked), prefect_api() as client:
            return _findings(client)
    except PrefectUnreachableError as error:
        return [_finding("API", State.DOWN, str(error))]
    except (httpx.HTTPError, ValueError) as error:
        shown = without_userinfo(PREFECT_API_URL.value() or "")
        return [
            _finding(
                "API",
                State.DOWN,
                f"what answers at {shown} is no Prefect API, or it is out of "
                f"order: {flat(without_userinfo(str(error)), 200)}",
                "correct PREFECT_API_URL, or look at the log of Prefect's server",
            )
        ]


def _findings(client: SyncPrefectClient) -> list[Finding]:
    began, here = time.monotonic(), datetime.now(UTC)
    answer = client.hello()
    took = time.monotonic() - began
    server = str(client.api_version())
    return [
        _api(str(client.api_url), took),
        _version(server, client.client_version()),
        _clock(answer.headers.get("date"), here + timedelta(seconds=took / 2)),
    ]


def _api(url: str, seconds: float) -> Finding:
    shown = without_userinfo(url.rstrip("/"))
    slow = seconds > _SLOW_SECONDS
    return _finding(
        "API",
        State.DEGRADED if slow else State.OK,
        f"{shown} answers in {seconds * 1000:,.0f} ms",
        "see what keeps Prefect's server or its database busy" if slow else "",
        url=shown,
        seconds=seconds,
    )


def _version(server: str, client: str) -> Finding:
    """Server and client should be the same release, of those that Sentinel is tested with."""
    data = {"server": server, "client": client, "supported": str(SUPPORTED)}
    unsupported = [
        f"{who} {version}"
        for who, version in (("server", server), ("client", client))
        if not _is_supported(version)
    ]
    if unsupported:
        return _finding(
            "version",
            State.DEGRADED,
            f"{' and '.join(unsupported)}: Sentinel is tested with {SUPPORTED}",
            f'install "prefect{SUPPORTED}" there',
            **data,
        )
    if server != client:
        return _finding(
            "version",
            State.DEGRADED,
            f"the server is {server}, the client here {client}",
            "bring both to the same release, the server first",
            **data,
        )
    return _finding("version", State.OK, f"{server}, server and client", **data)


def _is_supported(version: str) -> bool:
    try:
        return Version(version) in SUPPORTED
    except InvalidVersion:
        return False


def _clock(stamp: str | None, here: datetime) -> Finding:
    """The difference of the clocks: runs end by the server's, and are due by the worker's."""
    try:
        there = parsedate_to_datetime(stamp or "").astimezone(UTC)
    except ValueError:
        return _finding(
            "clock",
            State.UNKNOWN,
            "not checked: the answer has no Date header",
            "let the proxy in front of Prefect's server pass it on",
        )
    seconds = (there - here).total_seconds()
    if abs(seconds) <= SKEW.total_seconds():  # the header is of whole seconds
        return _finding("clock", State.OK, "the server's is this machine's", skew_seconds=seconds)
    ahead = "ahead of" if seconds > 0 else "behind"
    return _finding(
        "clock",
        State.DEGRADED,
        f"the server's is {abs(seconds):,.0f} s {ahead} this machine's",
        "set both by NTP: runs count as late, or as too early, by the difference",
        skew_seconds=seconds,
    )
