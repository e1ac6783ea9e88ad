"""Finds values in a JSON document and compares them with expectations. Pure."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MISSING: Any = object()
"""A value that is not in a document, as null may be in it."""


class JsonField(BaseModel):
    """One value in a JSON body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        "", description="names and list positions joined by dots; empty: the whole body"
    )
    equals: Any = Field(description="the JSON value expected there")


def json_difference(body: str, expected: JsonField) -> str | None:
    """What differs from the expectation, in words; None when the body holds the value."""
    name = expected.path or "the body"
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return "the body is not JSON"
    found = value_at(found, expected.path)
    if found is MISSING:
        return f"{name} is missing in the JSON body"
    if _same(found, expected.equals):
        return None
    return f"{name} is {_short(found)}, expected {_short(expected.equals)}"


def is_json(body: str) -> bool:
    """True if a body is one JSON document."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def value_at(document: Any, path: str) -> Any:
    """The value at names and list positions joined by dots, or MISSING."""
    found = document
    for part in path.split(".") if path else []:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return MISSING
    return found


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 equals 1.0 but not true, unlike in Python."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - a line's worth
