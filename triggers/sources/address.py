"""The URL and the headers of a request as a rule writes them: `env:NAME` is filled in later.

So that neither a password nor a machine's address has to stand in the rule file.
"""

import os
from collections.abc import Mapping

import httpx

from sentinel_core import SentinelError

ENVIRONMENT = "env:"


def usable_url(url: str) -> str:
    """`url`, if a request can be sent there. Raises ValueError."""
    if url.startswith(ENVIRONMENT):
        return url  # known only on the machine that runs the check
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("expected http://host/… or https://host/…")
    if parsed.userinfo:
        raise ValueError("credentials do not belong in a URL; use headers with env:NAME")
    return url


def full_url(url: str) -> str:
    """`url`, its beginning read from the environment where it says `env:NAME/path`.

    Raises SentinelError when the variable is not set or holds no usable URL.
    """
    if not url.startswith(ENVIRONMENT):
        return url
    name, slash, path = url.removeprefix(ENVIRONMENT).partition("/")
    beginning = _variable("url", name).rstrip("/")
    try:
        return usable_url(f"{beginning}{slash}{path}")
    except ValueError as error:
        raise SentinelError(f"url, from the environment variable {name}: {error}") from error


def header_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with each value `env:NAME` read from the environment. Raises SentinelError."""
    return {
        name: _variable(f"header {name}", value.removeprefix(ENVIRONMENT))
        if value.startswith(ENVIRONMENT)
        else value
        for name, value in headers.items()
    }


def _variable(what: str, name: str) -> str:
    if name not in os.environ:
        raise SentinelError(
            f"{what} is to come from the environment variable {name}, which is not set "
            "where this check runs"
        )
    return os.environ[name]
