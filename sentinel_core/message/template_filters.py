"""What templates can do with a value. Each result is bounded, whatever it is given."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

from sentinel_core.wording import text as words
from sentinel_core.wording.sparkline import sparkline

RESULT_LIMIT = 20_000  # characters of any text
_ITEMS = 1_000
_TIME_FORMAT = re.compile(r"(%[aAbBdeHIjmMpSyYZ%]|[^%]){1,60}")


class Example(str):
    """In an example event, what nobody can know of metadata: it may be a number, or have parts."""

    __slots__ = ()


def _text(value: Any) -> str:
    """The text of a value; a missing one is an error that names it."""
    return words.shorten(str.__str__(str(value)), RESULT_LIMIT)


def _on_text(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: words.shorten(change(_text(value)), RESULT_LIMIT)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SecurityError("this filter takes a list")
    return list(islice(value, _ITEMS))


def replace(value: Any, old: Any, new: Any) -> str:
    """Every `old` in a text as `new`."""
    text, old, new = _text(value), _text(old), _text(new)
    if not old:
        return text
    grown = len(text) + text.count(old) * max(len(new) - len(old), 0)
    if grown > RESULT_LIMIT:
        raise SecurityError(f"replace would make more than {RESULT_LIMIT:,} characters")
    return text.replace(old, new)


def join(value: Any, between: Any = "") -> str:
    """The elements of a list as one text."""
    pieces, length, between = [], 0, _text(between)
    for item in _items(value):
        pieces.append(_text(item))
        length += len(pieces[-1]) + len(between)
        if length > RESULT_LIMIT:
            break
    return words.shorten(between.join(pieces), RESULT_LIMIT)


def map_(value: Any, *, attribute: str) -> list[Any]:
    """One entry of each element: `events|map(attribute='rule')|join(', ')`."""
    items = _items(value)
    if not all(isinstance(item, Mapping) and attribute in item for item in items):
        raise SecurityError(f"not every element has {attribute!r}")
    return [item[attribute] for item in items]


def length(value: Any) -> int:
    """How many characters or elements."""
    if isinstance(value, Undefined):
        str(value)
    return len(value) if hasattr(value, "__len__") else len(_items(value))


def when(value: Any, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """A time in UTC, in a form of your own: `event.timestamp|when('%H:%M')`."""
    if isinstance(value, Undefined):
        str(value)
    if not isinstance(value, datetime):
        raise SecurityError("`when` takes a time")
    if not _TIME_FORMAT.fullmatch(form):
        raise SecurityError(f"{words.shorten(form, 60)!r} is no form for a time")
    return value.astimezone(UTC).strftime(form)


def number(value: Any) -> float:
    """A number, also from text."""
    if isinstance(value, Example):
        return 1.0
    return value if isinstance(value, int | float) else float(_text(value))


def rounded(value: Any, digits: int = 0) -> float:
    """Rounded to so many digits."""
    return round(number(value), max(min(int(digits), 15), -15))


def bars(value: Any) -> str:
    """Numbers as a line of bars."""
    return sparkline([number(item) for item in _items(value)])


FILTERS: dict[str, Callable[..., Any]] = {
    "upper": _on_text(str.upper),
    "lower": _on_text(str.lower),
    "title": _on_text(str.title),
    "capitalize": _on_text(str.capitalize),
    "trim": _on_text(str.strip),
    "replace": replace,
    "join": join,
    "map": map_,
    "length": length,
    "count": length,
    "items": lambda value: [[key, item] for key, item in islice(dict(value).items(), _ITEMS)],
    "sum": lambda value: sum(number(item) for item in _items(value)),
    "min": lambda value: min(_items(value)),
    "max": lambda value: max(_items(value)),
    "abs": lambda value: abs(number(value)),
    "int": lambda value: int(number(value)),
    "float": lambda value: float(number(value)),
    "round": rounded,
    "figure": lambda value: words.figure(number(value)),
    "span": lambda value: words.span(number(value)),
    "shorten": lambda value, limit=80: words.shorten(_text(value), max(int(limit), 1)),
    "when": when,
    "sparkline": bars,
}
