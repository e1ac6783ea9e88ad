"""Finished markup cut to a length, so that what is left is still whole markup. Pure."""

import re

from sentinel_core.message.content import Medium
from sentinel_core.message.escaping import JOINER

# What cannot be closed at the end: a backslash, half an entity, half a link.
_HALF = {
    Medium.SLACK: re.compile(r"(?:&[^;\s]{0,8}|<[^>\n]{0,2100})$"),
    Medium.MARKDOWN: re.compile(
        r"(?<!\\)(?:\\\\)*"  # escaped characters open nothing
        r"(?:\\|&[^;\s]{0,8}|<[^>\n]{0,2100}|\[[^\[\]\n]{0,400}(?:\]|\]\([^)\n]{0,2100})?)$"
    ),
}
# Marks that format (group 1); links and what is escaped are passed over.
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
    """At most `limit` characters of markup that end in no open entity, link or formatting."""
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
    """The text without what stands open at its very end."""
    if medium not in _HALF:
        return text
    while (shorter := _HALF[medium].sub("", text.rstrip(" \n*~`_"))) != text:
        text = shorter
    return text


def _closing(medium: Medium, text: str) -> str:
    """The marks that close what is open at the end of a text."""
    if medium not in _MARKS:
        return ""
    if text.count("```") % 2:
        return "\n```"
    opened: list[str] = []
    for mark in _MARKS[medium].findall(text.rpartition("\n")[2]):
        if mark in opened:
            del opened[opened.index(mark) :]
        elif mark and "`" not in opened:  # inside of code nothing else is a mark
            opened.append(mark)
    return "".join(reversed(opened))
