"""Plain words of a YAML file that YAML 1.1 reads differently from YAML 1.2. Pure.

Prefect reads rule files by YAML 1.1. People write them by YAML 1.2, which most other tools follow:
there `ON` and `22:30` are text, and `0700` is seven hundred.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from sentinel_core.rulefile.phrases import shorten

_Path = tuple[str | int, ...]

_RESOLVER: Any = Resolver()
_TAG = "tag:yaml.org,2002:"
_READ = {_TAG + name for name in ("bool", "int", "float", "timestamp")}
_KEYS = {*_READ, _TAG + "null"}
_NAMED = {"true": True, "false": False, "null": None, "~": None, "": None}
_WHOLE = (
    (re.compile(r"[-+]?[0-9]+"), 10),
    (re.compile(r"0o[0-7]+"), 8),
    (re.compile(r"0x[0-9a-fA-F]+"), 16),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
MOST_DIGITS = 1_000  # of a whole number: Python shows no more than 4,300 in decimal


@dataclass(frozen=True, slots=True)
class Word:
    """A plain scalar with two readings: `value` by YAML 1.1 and as JSON, `other` by YAML 1.2."""

    raw: str
    value: Any
    other: Any

    @property
    def explained(self) -> str:
        """What is said of the word where its value is refused."""
        if isinstance(self.value, str) and not isinstance(self.other, str):
            return self.warning
        raw, read = shorten(self.raw), _written(self.value)
        return f'the file says `{raw}`, which YAML 1.1 reads as {read}: quote it ("{raw}")'

    @property
    def warning(self) -> str:
        """What is said of the word where its value may be meant."""
        if isinstance(self.value, str) and not isinstance(self.other, str):
            return (
                f"the file says `{shorten(self.raw)}`, which YAML 1.1 reads as text: write "
                f"{self.other} for the number, or quote it if text is meant"
            )
        return f"{self.explained}, or write {_written(self.value)} if that is meant"

    @property
    def as_key(self) -> str:
        """What is said of the word where it is a key."""
        raw = shorten(self.raw)
        return f'YAML 1.1 reads the key `{raw}` as {_written(self.value)}: quote it ("{raw}")'


def _written(value: object) -> str:
    """A value as it is written in YAML."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else shorten(str(value))


def word_of(node: yaml.Node | None) -> Word | None:
    """The word in a value, None for any that both versions read alike or that is in quotes."""
    if not _is_plain(node):
        return None
    value, other = read_1_1(node), read_1_2(node.value)
    if node.tag == _TAG + "str":
        # An explicit `!!str` is meant.
        implicit = _RESOLVER.resolve(yaml.ScalarNode, node.value, (True, False))
        return Word(node.value, value, other) if implicit == node.tag and other != value else None
    if node.tag not in _READ or _same(value, other):
        return None
    return Word(node.value, value, other)


def word_of_key(node: yaml.Node | None) -> Word | None:
    """The word in a key of a mapping, None when the key is the text that was written."""
    word = word_of(node)
    return word if word and key_text(node) != word.raw else None


def null_of(node: yaml.Node | None) -> Word | None:
    """A null that is written out, like `~`: both versions read it so, and text may be meant."""
    if _is_plain(node) and node.tag == _TAG + "null" and node.value:
        return Word(node.value, None, None)
    return None


def key_text(key: yaml.Node | None) -> str | None:
    """The key as it is in JSON, `True` for `ON`; None for a key that is no scalar."""
    if not isinstance(key, yaml.ScalarNode):
        return None
    return str(SafeConstructor().construct_object(key)) if key.tag in _KEYS else key.value


def read_1_1(node: yaml.ScalarNode) -> Any:
    """The value by YAML 1.1, dates in ISO format as in JSON."""
    value = SafeConstructor().construct_object(node) if node.tag in _READ else node.value
    return value.isoformat() if isinstance(value, date) else value


def read_1_2(raw: str) -> Any:
    """The value of a plain scalar by the core schema of YAML 1.2."""
    if raw.lower() in _NAMED and raw in (raw.lower(), raw.capitalize(), raw.upper()):
        return _NAMED[raw.lower()]
    for form, base in _WHOLE:
        if form.fullmatch(raw) and len(raw) <= MOST_DIGITS:
            return int(raw, base)
    if _FLOAT.fullmatch(raw) and math.isfinite(number := float(raw)):
        return number
    if _SPECIAL.fullmatch(raw):
        return float(raw.replace(".", ""))
    return raw


def _is_plain(node: yaml.Node | None) -> TypeGuard[yaml.ScalarNode]:
    return isinstance(node, yaml.ScalarNode) and not node.style


def _same(value: object, other: object) -> bool:
    """True if both readings are one value; `1.0` and `1` are, `True` and `1` are not."""
    both_nan = all(isinstance(one, float) and math.isnan(one) for one in (value, other))
    kinds = isinstance(value, bool), isinstance(other, bool)
    return both_nan or (value == other and kinds[0] == kinds[1])


def words_below(node: yaml.Node, path: _Path = ()) -> Iterator[tuple[_Path, Word, bool]]:
    """Each word of a value with its path below it, and whether it is a key.

    Call it after the file is constructed, which puts merged keys in their place. An alias is looked
    into once for each of its places; a part without words only once.
    """
    yield from _words(node, path, set())


def _words(node: yaml.Node, path: _Path, clean: set[int]) -> Iterator[tuple[_Path, Word, bool]]:
    if id(node) in clean:
        return
    found = False
    if isinstance(node, yaml.MappingNode):
        last = {key_text(key): (key, value) for key, value in node.value}
        for name, (key, value) in last.items():
            if name is None:
                continue
            if word := word_of_key(key):
                found = True
                yield (*path, name), word, True
            for item in _words(value, (*path, name), clean):
                found = True
                yield item
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            for item in _words(value, (*path, index), clean):
                found = True
                yield item
    elif word := word_of(node):
        found = True
        yield path, word, False
    if not found:
        clean.add(id(node))
