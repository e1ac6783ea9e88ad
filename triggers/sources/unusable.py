"""Warnings of parameters that can't work, known without checking. Reads no data."""

import re
from pathlib import Path

_WRITES = frozenset(
    (
        *("ALTER", "CREATE", "DELETE", "DROP", "GRANT", "INSERT"),
        *("MERGE", "REPLACE", "REVOKE", "TRUNCATE", "UPDATE"),
    )
)
_WRITES_WITHIN = re.compile(
    r"\b(?:(DELETE)\s+FROM|(INSERT|MERGE)\s+INTO|(UPDATE)\s+\S+\s+SET)\b", re.IGNORECASE
)
_NOT_CODE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)

Warnings = list[tuple[str, str]]
"""A field, and a sentence about it, for `Trigger.check_warnings`."""


def missing_path(field: str, what: str, path: Path) -> Warnings:
    """A warning if there is nothing at this path; the worker may have it all the same."""
    if path.exists():
        return []
    return [
        (
            field,
            f"there is no {what} {path} on this machine: the check fails where the worker has none",
        )
    ]


def writing_query(field: str, query: str) -> Warnings:
    """A warning of a query that changes data."""
    word = _write_of(query)
    if word is None:
        return []
    return [(field, f"{word} changes data, and a check only reads: give a SELECT")]


def _write_of(query: str) -> str | None:
    """The word with which a query changes data; None if it only reads."""
    code = _NOT_CODE.sub(" ", query)
    words = code.replace("(", " ").split(None, 1)
    first = words[0].upper() if words else ""
    if first in _WRITES:
        return first
    found = _WRITES_WITHIN.search(code) if first == "WITH" else None
    return next(word.upper() for word in found.groups() if word) if found else None
