"""Choices of the filter row as the query of an address, and back as the controls' values. Pure."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import parse_qs, urlencode

from sentinel_core.store.read.overview import Facets
from viewer import filters
from viewer.filters import Choice
from viewer.rows import COLUMNS

_TIMES = ("since", "until")
_TEXTS = ("ticker", "storm", "q")
_MOST_TEXT = 200
_MOST_PAIRS = 500


def query_of(choice: Choice, columns: Sequence[str]) -> str:
    """What differs from the page as it opens, as an address has it; times in UTC."""
    pairs: dict[str, Any] = {}
    for field in fields(Choice):
        value = getattr(choice, field.name)
        if field.name == "me" or value == field.default:
            continue
        pairs[field.name] = value.astimezone(UTC).isoformat() if field.name in _TIMES else value
    if tuple(columns) != COLUMNS:
        pairs["columns"] = tuple(columns)
    return urlencode(pairs, doseq=True)


def values_of(query: str, known: Facets, where: tzinfo) -> dict[str, Any]:
    """The value of every control for a saved query; what is not offered any more is left out."""
    given = _parsed(query)
    values: dict[str, Any] = {}
    for name, offered in filters.offered(known).items():
        chosen = [value for value in given.get(name, []) if value in offered]
        if name in filters.SINGLE:
            values[name] = chosen[0] if chosen else filters.SINGLE[name]
        else:
            values[name] = chosen or (list(COLUMNS) if name == "columns" else [])
    for name in _TEXTS:
        values[name] = given.get(name, [""])[0][:_MOST_TEXT].replace("\x00", "")
    for name in _TIMES:
        values[name] = _time(given.get(name, [""])[0], where)
    return values


def _parsed(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, max_num_fields=_MOST_PAIRS)
    except ValueError:
        return {}


def _time(text: str, where: tzinfo) -> datetime | None:
    """The time as a control shows it: without a zone, in that of whoever looks."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(where).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
