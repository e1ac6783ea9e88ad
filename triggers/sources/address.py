"""The URL and the headers of a request as a rule writes them: secrets are filled in later.

So that neither a password nor a machine's address has to stand in the rule file.
"""

from collections.abc import Mapping
from typing import Annotated

import httpx
from pydantic import AfterValidator

from triggers.sources.allowed import host_warning
from triggers.sources.errors import SourceError
from triggers.sources.secret import (
    ENVIRONMENT,
    is_reference,
    reference_warning,
    value_of,
    well_formed,
)
from triggers.sources.unusable import Warnings

SERVER = ("PREFECT_API_URL",)
"""Variables that are an address of Sentinel's own and no secret: a URL may begin with them."""


Headers = dict[str, Annotated[str, AfterValidator(well_formed)]]
"""Header values, or references to them."""


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
        raise ValueError("credentials do not belong in a URL; use headers with block: or env:NAME")
    return url


def full_url(url: str) -> str:
    """`url`, its beginning read from the environment where it says `env:NAME/path`.

    Raises SourceError when the variable may not be read, is not set or holds no usable URL.
    """
    if not url.startswith(ENVIRONMENT):
        return url
    reference, slash, path = url.partition("/")
    beginning = value_of("url", reference, SERVER).rstrip("/")
    name = reference.removeprefix(ENVIRONMENT)
    try:
        return usable_url(f"{beginning}{slash}{path}")
    except ValueError as error:
        unreadable = isinstance(error.__cause__, httpx.InvalidURL)  # which quotes the value
        said = "not a URL" if unreadable else str(error)
        raise SourceError(f"url, from the environment variable {name}: {said}") from error


def header_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with each `env:NAME` and `block:TYPE/NAME` read. Raises SentinelError."""
    return {
        name: value_of(f"header {name}", value).strip() if is_reference(value) else value
        for name, value in headers.items()
    }


def secret_headers(headers: Mapping[str, str]) -> frozenset[str]:
    """The names of headers whose values are not in the rule."""
    return frozenset(name for name, value in headers.items() if is_reference(value))


def request_warnings(url: str, headers: Mapping[str, str]) -> Warnings:
    """What of a request the settings here would refuse."""
    found: Warnings = []
    if url.startswith(ENVIRONMENT):
        said = reference_warning(url.partition("/")[0], SERVER)
    else:
        said = host_warning(httpx.URL(url).host)
    if said:
        found.append(("url", said))
    for name, value in headers.items():
        if said := reference_warning(value):
            found.append(("headers", f"{name}: {said}"))
    return found
