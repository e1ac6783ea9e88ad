"""Text for every medium: on one line, shortened, with readable numbers."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentinel_core.model.cleaning import clean_text

_THOUSANDS = 1e3
_LARGE, _HUGE = 1e5, 1e15  # from here on no decimals; from here on no thousands either
_WORD = re.compile(r"\S+")
_ADDRESS = re.compile(r"https?://[^\s<>|\"'`\\^{}()\[\]]{1,2000}", re.ASCII)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis if the text was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def flat(text: str, limit: int = 200) -> str:
    """Text from outside on one line, so that it can't imitate a line of ours."""
    return shorten(" ".join(clean_text(text).split()), limit)


def without_userinfo(text: str) -> str:
    """`text` without user names and passwords in its addresses."""

    def bare(word: re.Match[str]) -> str:
        scheme, mark, rest = word[0].partition("://")
        _user, at, host = rest.rpartition("@")  # the last one: passwords are not always escaped
        return f"{scheme}{mark}***@{host}" if mark and at else word[0]

    return _WORD.sub(bare, text)


def fitting(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """The escaped text, cut to at most `limit` characters with an ellipsis at the end.

    It is cut before it is escaped: half an entity would be shown as letters.
    """
    whole = escape(text)
    if len(whole) <= limit:
        return whole
    short, long = 0, min(len(text), limit)
    while short < long:
        middle = (short + long + 1) // 2
        if len(escape(text[:middle] + "…")) <= limit:
            short = middle
        else:
            long = middle - 1
    return escape(text[:short] + "…")


def is_address(text: str) -> bool:
    """True if the text is a web address and nothing else, so that it may become a link."""
    return _ADDRESS.fullmatch(text) is not None


def figure(value: float) -> str:
    """A number with six digits: 1,234,568 rather than 1.23457e+06."""
    whole = value == round(value, 0) or abs(value) >= _LARGE
    return f"{value:,.0f}" if whole and abs(value) < _HUGE else f"{value:.6g}"


def with_unit(value: float, unit: str) -> str:
    """`97.2%`, `512 MB`, `151.2`."""
    return f"{figure(value)}{' ' if unit and unit != '%' else ''}{unit}"


def roughly(value: float, unit: str) -> str:
    """As `with_unit`, with four digits: for sparklines and charts."""
    return with_unit(value if abs(value) >= _THOUSANDS else float(f"{value:.4g}"), unit)


def unit_of(metadata: Mapping[str, Any]) -> str:
    """The unit of an event's values; empty if it has none."""
    return flat(str(metadata.get("unit") or ""), 20)


def value_against_threshold(metrics: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    """`97.2% against threshold 90%`, for events that carry both; else None."""
    value, threshold = metrics.get("value"), metrics.get("threshold")
    if value is None or threshold is None:
        return None
    unit = unit_of(metadata)
    return f"{with_unit(value, unit)} against threshold {with_unit(threshold, unit)}"


def listed(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: at most so many names, each on one line and cut at 60 characters."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(flat(name, 60) for name in names[:most]) + more


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 event`, `1,000 events`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
