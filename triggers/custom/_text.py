"""Database values as text and JSON, and the one template form a rule may use. Pure."""

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

_LONGEST_VALUE = 1_000  # characters kept of one value
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


def placeholders(template: str) -> list[str]:
    """The columns a template names. Raises ValueError for braces other than a plain `{column}`."""
    for match in _PLACEHOLDER.finditer(template):
        if match.group() in ("{", "}"):
            raise ValueError(
                f"only plain column names stand in braces, as in {{column}}, and a brace itself is "
                f"written twice: {template[match.start() : match.start() + 40]!r}"
            )
    return [match.group(1) for match in _PLACEHOLDER.finditer(template) if match.group(1)]


def render(template: str, values: Mapping[str, Any]) -> str:
    """`template` with each `{column}` replaced by its value; never evaluates anything.

    Raises KeyError for a column that `values` lacks.
    """

    def replaced(match: re.Match[str]) -> str:
        if name := match.group(1):
            return as_text(values[name])
        return match.group()[0]

    return _PLACEHOLDER.sub(replaced, template)


def as_text(value: Any) -> str:
    """A database value for people."""
    plain = as_json(value)
    if plain is None:
        return "NULL"
    return plain if isinstance(plain, str) else _shortened(json.dumps(plain, ensure_ascii=False))


def as_json(value: Any) -> Any:  # noqa: PLR0911 - a table with one line for each kind
    """A database value as JSON: what JSON lacks becomes text, long text is cut."""
    match value:
        case None | bool():
            return value
        case int() if abs(value) < 2**63:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case float():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return _shortened("0x" + bytes(value)[:_LONGEST_VALUE].hex())
        case dict() | list() | tuple():
            text = json.dumps(value, default=str, ensure_ascii=False)
            # JSON has no NaN; parsing it back turns it into text
            plain = json.loads(text, parse_constant=str)
            return plain if len(text) <= _LONGEST_VALUE else _shortened(text)
        case _:
            return _shortened(_spelled(value))


def _spelled(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write out integers of thousands of digits
        return f"an integer of {value.bit_length()} bits"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
