"""Making what comes from outside harmless: text without control characters, finite JSON.

Values are cleaned once, where they enter; later stages (database, Slack, HTML) rely on it.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

MESSAGE_LIMIT = 32_768  # characters; the longest message kept, longer ones end in an ellipsis
METADATA_LIMIT = 262_144  # characters of JSON
METADATA_DEPTH = 32  # PostgreSQL and browsers cope with far more; people do not
TEXT_LIMIT = 1_000  # characters kept of an object in metadata that JSON has no word for

# C0 and C1 controls but tab and newline, lone surrogates, and the marks that reorder text
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def clean_text(text: str) -> str:
    """`text` with every character that could break a database, a terminal or a page as U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def clean_line(text: str) -> str:
    """Clean text on one line: every run of whitespace becomes one space, none at the ends."""
    return " ".join(clean_text(text).split())


def clean_message(text: str) -> str:
    """Clean text of at most MESSAGE_LIMIT characters; what was longer ends in an ellipsis."""
    text = clean_text(text).strip()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def clean_json(value: Any) -> Any:
    """`value` as JSON that every database and page takes: finite, clean text, text keys.

    What JSON has no word for becomes text: evidence must not cost an alert. Raises ValueError for
    what is nested too deeply or too large.
    """
    if isinstance(value, dict) and not value:
        return {}
    cleaned = _JsonCleaner().clean(value)
    size = len(json.dumps(cleaned))
    if size > METADATA_LIMIT:
        raise ValueError(
            f"metadata is {size:,} characters of JSON, more than {METADATA_LIMIT:,}: "
            "keep the evidence, link to the rest"
        )
    return cleaned


class _JsonCleaner:
    """Anything as harmless JSON. The count of nodes bounds what shares or contains itself."""

    def __init__(self) -> None:
        self.left = METADATA_LIMIT

    def clean(self, value: Any, depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"metadata has more than {METADATA_LIMIT:,} values")
        if depth > METADATA_DEPTH:
            raise ValueError(f"metadata is nested deeper than {METADATA_DEPTH} levels")
        if value is None or isinstance(value, bool | int | float | str):
            return _clean_scalar(value)
        if isinstance(value, Mapping):
            return {
                clean_text(_shown(key)): self.clean(item, depth + 1) for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(item, depth + 1) for item in value]
        return self.clean(_simpler(value), depth + 1)


def _clean_scalar(value: Any) -> Any:
    """Plain, also where it was of a subclass: databases know the plain types only."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value if value is None or isinstance(value, bool) else int(value)


def _simpler(value: Any) -> Any:
    """NumPy and pandas values as Python's, times and models as JSON, the rest as text."""
    if callable(listed := getattr(value, "tolist", None)):
        return listed()
    if isinstance(value, Iterator):  # may have no end
        return _shown(value)
    try:
        return to_jsonable_python(value, fallback=_shown)
    except (ValueError, TypeError, RecursionError):
        return _shown(value)


def _shown(value: Any) -> str:
    try:
        text = str(value)
    except Exception as error:
        raise ValueError(f"metadata has a {type(value).__name__} without text: {error}") from error
    return text if isinstance(value, str) else text[:TEXT_LIMIT]
