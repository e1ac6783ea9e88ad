"""The `prefect.yaml` text as places: where its top-level keys begin and end, and what they hold.

Built on the parser's events, whose marks are positions in the text. Aliases have a place of their
own there, which nodes don't have.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

_BREAKS = "\r\n\x85\u2028\u2029"  # what YAML 1.1 takes for the end of a line


@dataclass(frozen=True, slots=True)
class Part:
    """A key with its value, or an item of a list, as places in the text.

    `start` is where its first line begins, without the comments above; `end` is behind its last
    line. `kind` says how the value is written: `list` and `mapping` stand on lines of their own,
    `empty` is nothing at all, `other` is anything else (`[a, b]`, a text, an alias).
    """

    name: str
    start: int
    end: int
    column: int
    kind: str
    inner_column: int | None
    value: tuple[int, int]  # where it begins and ends, which may be on other lines than the key
    children: tuple["Part", ...] = ()
    keeps_blank_lines: bool = False  # ends in a text whose blank lines count (`|+`)


@dataclass(frozen=True, slots=True)
class _Value:
    """What one node is made of: its first event, and the end of its last word."""

    first: yaml.Event
    end: int
    keeps: bool
    children: tuple[tuple["_Value", "_Value"], ...] = ()  # (key, value); an item is its own key


def parts(text: str) -> dict[str, Part]:
    """The top-level keys of a YAML mapping that was composed before, in their order.

    Empty when the whole file is a mapping in braces. The last one of a key that is written twice.
    """
    events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    next(events), next(events)  # the stream, the document
    root = _read(text, events, next(events), depth=2)
    if not isinstance(root.first, yaml.MappingStartEvent) or root.first.flow_style:
        return {}
    return {part.name: part for part in (_part(text, *pair) for pair in root.children)}


def _read(text: str, events: Iterator[yaml.Event], first: yaml.Event, depth: int) -> _Value:
    """One node, its children down to `depth` levels below."""
    if not isinstance(first, yaml.CollectionStartEvent):
        keeps = isinstance(first, yaml.ScalarEvent) and first.style in ("|", ">")
        keeps = keeps and "+" in text[_mark(first.start_mark).index :][:3]
        return _Value(first, _mark(first.end_mark).index, keeps)
    values: list[_Value] = []
    while not isinstance(event := next(events), yaml.CollectionEndEvent):
        values.append(_read(text, events, event, depth - 1))
    if first.flow_style or not values:
        return _Value(first, _mark(event.end_mark).index, keeps=False)
    pairs = [(value, value) for value in values]
    if isinstance(first, yaml.MappingStartEvent):
        pairs = list(pairwise(values))[::2]
    return _Value(first, values[-1].end, values[-1].keeps, tuple(pairs if depth > 0 else ()))


def _part(text: str, key: _Value, value: _Value) -> Part:
    kind = _kind(value.first)
    inner = _mark(value.first.start_mark).column if kind in ("list", "mapping") else None
    return Part(
        name=getattr(key.first, "value", ""),
        start=line_start(text, _mark(key.first.start_mark).index),
        end=line_end(text, max(key.end, value.end)),
        column=_mark(key.first.start_mark).column,
        kind=kind,
        inner_column=inner,
        value=(_mark(value.first.start_mark).index, value.end),
        children=tuple(_part(text, *pair) for pair in value.children),
        keeps_blank_lines=value.keeps,
    )


def _kind(event: yaml.Event) -> str:
    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        return "other"  # the event begins at the anchor, not where the value does
    if isinstance(event, yaml.CollectionStartEvent) and not event.flow_style:
        return "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
    if isinstance(event, yaml.ScalarEvent) and not event.value and not event.style:
        return "empty"
    return "other"


def _mark(mark: Any) -> Any:
    """A mark of an event. The types allow for none, but the parser sets all of them."""
    return mark


def line_start(text: str, index: int) -> int:
    """Where the line of this place begins."""
    while index > 0 and text[index - 1] not in _BREAKS:
        index -= 1
    return index


def next_line(text: str, index: int) -> int:
    """Where the next line begins; the end of the text when there is none."""
    while index < len(text) and text[index] not in _BREAKS:
        index += 1
    return min(index + (2 if text[index : index + 2] == "\r\n" else 1), len(text))


def line_end(text: str, index: int) -> int:
    """Like `next_line`, but the place itself when a line begins there."""
    return index if line_start(text, index) == index else next_line(text, index)


def comments_above(text: str, start: int, column: int) -> int:
    """Where the comments begin that stand directly above a line, in the same column."""
    while start > 0:
        above = line_start(text, start - (2 if text[:start].endswith("\r\n") else 1))
        if text[above : above + column].strip(" ") or text[above + column] != "#":
            break
        start = above
    return start


def comments_below(text: str, end: int, column: int) -> int:
    """Behind the comments that follow directly and are indented by more than `column`."""
    while end < len(text):
        below = next_line(text, end)
        words = text[end:below].lstrip(" ")
        if not words.startswith("#") or below - end - len(words) <= column:
            break
        end = below
    return end


def anchors(text: str) -> set[str]:
    """The names of all anchors."""
    found = (getattr(event, "anchor", None) for event in yaml.parse(text, Loader=yaml.SafeLoader))
    return {name for name in found if name}
