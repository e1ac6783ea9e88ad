"""Statuses and URLs that an HTTP answer is expected to have. Pure."""

from typing import Annotated

import httpx
from pydantic import AfterValidator


def bounds(statuses: int | str) -> tuple[int, int]:
    """`204` → (204, 204), `"200-299"` → (200, 299). Raises ValueError for anything else."""
    low, dash, high = str(statuses).partition("-")
    try:
        first, last = int(low), int(high if dash else low)
    except ValueError:
        first = last = 0
    if not 100 <= first <= last <= 599:  # noqa: PLR2004 - what HTTP calls a status
        raise ValueError(f"expected a status such as 200 or a range such as 200-299: {statuses!r}")
    return first, last


def _checked(statuses: int | str) -> int | str:
    bounds(statuses)
    return statuses


Statuses = Annotated[int | str, AfterValidator(_checked)]
"""A status such as 200, or a range such as `200-299`."""


def leads_to(url: str, expected: str) -> bool:
    """True for the URL expected, or for one that begins so if a `*` ends it."""
    if expected.endswith("*"):
        return url.startswith(expected[:-1])
    try:
        return httpx.URL(url) == httpx.URL(expected)
    except httpx.InvalidURL:
        return False
