"""Adds deployments and definitions to a `prefect.yaml`, and changes no byte that is there, but for
a `[]`, `~` or `null` that stands where the list of deployments comes, and a file of blanks.

Text is inserted at two places: behind the last deployment, and behind the last definition or before
`deployments`. What came of it is then read and compared with what was meant, so that a file written
in a way that was not foreseen is refused instead of damaged.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentinel_core.base.errors import ProjectError
from sentinel_core.project.layout import Part, anchors, comments_above, comments_below, parts
from sentinel_core.project.template import RULE, Piece, definitions, in_full, renamed
from sentinel_core.rulefile.source import DEFINITIONS
from sentinel_core.rulefile.yaml_lines import UnreadableError, compose, construct

DEPLOYMENTS = "deployments"
_OWN = "sentinel-"  # before the names of anchors that are taken
_NOTHING = re.compile(r"\[\s*\]|~|null|Null|NULL")
_NO_VALUE = re.compile(
    r"\s*(#|---(\s+#|\s*$)|$)"
)  # a line: blank, a comment, or a document's start


def load(path: Path, text: str) -> dict[str, Any]:
    """The values of a rule file; none for a file without anything but comments and a `---`.

    Raises UnreadableError when it is not YAML, ProjectError when it is no mapping of lines.
    """
    if all(_NO_VALUE.match(line) for line in text.splitlines()):
        return {}
    data = construct(path, compose(path, text, DEPLOYMENTS))
    if not isinstance(data, dict) or not parts(text):
        raise ProjectError(
            f"{path}: expected keys on lines of their own, like `deployments:`: write it so, and "
            "run `sentinel init` again"
        )
    return data


def merged(path: Path, text: str, new: Sequence[Piece]) -> str:
    """The text of the rule file with these deployments. Raises ProjectError or UnreadableError."""
    if not new:
        return text
    old = text = text if text.strip() else ""  # tabs are blank, and yet nothing can follow them
    data = load(path, text)
    places = parts(text) if data else {}
    list_ = places.get(DEPLOYMENTS)
    if list_ is not None and _NOTHING.fullmatch(text, *list_.value):
        start, end = list_.value
        text = text[:start].rstrip(" ") + text[end:]
        places = parts(text)
        list_ = places[DEPLOYMENTS]
    if list_ is not None and list_.kind not in ("list", "empty"):
        line = text.count("\n", 0, list_.start) + 1
        raise ProjectError(
            f"{path}:{line}: deployments: expected a list with one `- name: …` on each line, or "
            "nothing: write it so, and run `sentinel init` again"
        )
    name, wanted = _definitions(data, text, places)
    texts = [renamed(p.text, {RULE: name}) if name else in_full(p.text) for p in new]
    result = _insert(text, places, texts, wanted)
    _verify(path, old, result, new, wanted)
    return result


def _definitions(
    data: dict[str, Any], text: str, places: dict[str, Part]
) -> tuple[str | None, list[Piece]]:
    """The anchor for rules, and the definitions to add for it. None where there is no place."""
    place, last = places.get(DEFINITIONS), places.get(DEPLOYMENTS)
    if place and (place.kind != "mapping" or (last and place.start > last.start)):
        return None, []
    existing = data.get(DEFINITIONS) or {}
    taken = anchors(text) if data else set()
    ours = definitions()
    for name in (RULE, _OWN + RULE):
        if name in taken and existing.get(name) == ours[RULE].value:
            return name, []
        if name not in taken and name not in existing:
            others = [p for key, p in ours.items() if key != RULE]
            free = [p for p in others if p.name not in taken and p.name not in existing]
            rule = Piece(name, renamed(ours[RULE].text, {RULE: name}), ours[RULE].value)
            return name, [rule, *(free if len(free) == len(others) else [])]
    return None, []


def _insert(text: str, places: dict[str, Part], deployments: list[str], wanted: list[Piece]) -> str:
    """The text with new lines; the later place first, so that the earlier one stays where it is."""
    line = "\r\n" if "\r\n" in text else "\n"
    root = next(iter(places.values())).column if places else 0
    list_, defined = places.get(DEPLOYMENTS), places.get(DEFINITIONS)
    end = max((part.end for part in places.values()), default=len(text))
    items = [_indented(item, _inner(list_, root)) for item in deployments]
    if list_ is None:
        items = [_indented(f"{DEPLOYMENTS}:\n", root) + items[0], *items[1:]]
    pieces = [_indented(piece.text, _inner(defined, root)) for piece in wanted]
    if wanted and defined is None:
        pieces = [_indented(f"{DEFINITIONS}:\n", root) + "".join(pieces)]
        if list_ is None:
            items = [*pieces, *items]
    text = _added(text, list_, end, "\n".join(items), root, line)
    if wanted and defined is not None:
        text = _added(text, defined, end, "".join(pieces), root, line, gap=False)
    elif wanted and list_ is not None:
        at = comments_above(text, list_.start, root)
        at = at if at > 0 else list_.start
        text = text[:at] + ("".join(pieces) + "\n").replace("\n", line) + text[at:]
    return text


def _inner(part: Part | None, root: int) -> int:
    return part.inner_column if part and part.inner_column is not None else root + 2


def _indented(text: str, column: int) -> str:
    lines = (f"{' ' * column}{line}" if line.strip() else line for line in text.splitlines())
    return "\n".join(lines) + "\n"


def _added(
    text: str, part: Part | None, end: int, new: str, root: int, line: str, *, gap: bool = True
) -> str:
    """The text with new lines behind a part, or at the end of the values."""
    at = comments_below(text, part.end if part else end, root)
    before = text[:at]
    if before and before[-1] not in "\r\n":
        before += line
    empty = part is not None and part.kind == "empty"
    if gap and before.strip() and not empty and not (part and part.keeps_blank_lines):
        before += line
    if gap and text[at:] and text[at] not in "\r\n":
        new += "\n"
    return before + new.replace("\n", line) + text[at:]


def _verify(
    path: Path, old: str, new: str, added: Sequence[Piece], wanted: Sequence[Piece]
) -> None:
    """Raise ProjectError unless the new text holds what the old one held, and what was added."""
    try:
        after = _texts(load(path, new))
    except UnreadableError:
        after = {}
    # The line break that ends the last line belongs to a text in it (`|`).
    if not any(after == _expected(load(path, text), added, wanted) for text in (old, f"{old}\n")):
        raise ProjectError(
            f"{path} is written in a way to which nothing can be added without changing what it "
            "says: add the deployments by hand, as `sentinel init` writes them into an empty folder"
        )


def _expected(
    before: dict[str, Any], added: Sequence[Piece], wanted: Sequence[Piece]
) -> dict[str, str]:
    """What the values of a file become, as text."""
    values = [*(before.get(DEPLOYMENTS) or []), *(piece.value for piece in added)]
    expected = {**before, DEPLOYMENTS: values}
    if wanted:
        defined = {piece.name: piece.value for piece in wanted}
        expected[DEFINITIONS] = {**(before.get(DEFINITIONS) or {}), **defined}
    return _texts(expected)


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """The values as text: a number that is `.nan` equals nothing, itself included."""
    return {key: repr(value) for key, value in values.items()}
