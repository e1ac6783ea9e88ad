"""Truncates markup without breaking it. Pure."""

import re

from sentinel_core.message.content import Medium
from sentinel_core.message.escaping import JOINER

# Incomplete markup that can't be closed: a backslash, half an entity, half a link.
_HALF = {
    Medium.SLACK: re.compile(r"(?:&[^;\s]{0,8}|<[^>\n]{0,2100})$"),
    Medium.MARKDOWN: re.compile(
        r"(?<!\\)(?:\\\\)*"  # escaped characters open nothing
        r"(?:\\|&[^;\s]{0,8}|<[^>\n]{0,2100}|\[[^\[\]\n]{0,400}(?:\]|\]\([^)\n]{0,2100})?)$"
    ),
}
# Formatting marks (group 1); links and escaped characters are skipped.
_MARKS = {
    Medium.SLACK: re.compile(
        rf"<[^>\n]*>|((?:(?<=\S)[*~`]|[*~`](?=\S)|(?<!\w)_(?=\w)|(?<=\w)_(?!\w))(?!{JOINER}))"
    ),
    Medium.MARKDOWN: re.compile(
        r"\\.|\]\([^)\n]*\)|<[^>\n]*>"
        r"|((?<=\S)(?:\*\*|\*|~~|`)|(?:\*\*|\*|~~|`)(?=\S)|(?<!\w)_(?=\w)|(?<=\w)_(?!\w))"
    ),
}


def truncate(medium: Medium, text: str, limit: int) -> str:
    """At most `limit` characters of markup, without an open entity, link or format at the end."""
    if len(text) <= limit:
        return text
    room = limit - 1
    while True:
        kept = _without_half(medium, text[:room])
        ending = "…" + _closing(medium, kept)
        if len(kept) + len(ending) <= limit:
            return kept + ending
        room = limit - len(ending)


def _without_half(medium: Medium, text: str) -> str:
    """The text without incomplete markup at its end."""
    if medium not in _HALF:
        return text
    while (shorter := _HALF[medium].sub("", text.rstrip(" \n*~`_"))) != text:
        text = shorter
    return text


def _closing(medium: Medium, text: str) -> str:
    """The marks that close the open formatting at the end of a text."""
    if medium not in _MARKS:
        return ""
    if text.count("```") % 2:
        return "\n```"
    opened: list[str] = []
    for mark in _MARKS[medium].findall(text.rpartition("\n")[2]):
        if mark in opened:
            del opened[opened.index(mark) :]
        elif mark and "`" not in opened:  # code contains no other marks
            opened.append(mark)
    return "".join(reversed(opened))
