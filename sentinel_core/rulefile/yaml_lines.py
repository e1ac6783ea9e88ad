"""A YAML file as values and as nodes with their lines, within limits. Raises UnreadableError only.

Prefect reads rule files with PyYAML, by the rules of YAML 1.1: another parser would read some
values differently.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sentinel_core.base.errors import RuleFileError
from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.yaml_words import MOST_DIGITS, key_text

MOST_BYTES = 4 * 2**20
MOST_VALUES = 500_000  # after aliases: a file of a few lines can stand for billions
DEEPEST = 60


class UnreadableError(RuleFileError):
    """A file that is no rule file at all. Without a line, the message goes on after the path."""

    def __init__(self, path: Path, line: int | None, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}" if line else f"{path} {message}")
        self.line = line
        self.message = message


def read_text(path: Path) -> str:
    """The text of the file. Raises UnreadableError when it can't be read."""
    try:
        if path.is_dir():
            raise UnreadableError(path, None, "is a folder: name the rule file in it")
        size = path.stat().st_size
        if size > MOST_BYTES:
            message = f"has {size / 2**20:.1f} MB; a rule file may have {MOST_BYTES >> 20} MB"
            raise UnreadableError(path, None, message)
        content = path.read_bytes()
    except OSError as error:
        message = (
            f"can't be read: {error.strerror or error}. Name the rule file, or run this in the "
            "folder of your prefect.yaml"
        )
        raise UnreadableError(path, None, message) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"expected text in UTF-8, found the byte 0x{content[error.start]:02x}"
        raise UnreadableError(path, line, message) from error


def compose(path: Path, text: str, key: str) -> yaml.Node:
    """The file as nodes, which know their lines; it must have `key`. Raises UnreadableError."""
    try:
        _refuse_depth(path, text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from error
    if root is None:
        raise UnreadableError(path, None, f"is empty: expected a mapping with the key `{key}`")
    size = _Size(path).of(root)
    if size > MOST_VALUES:
        message = f"is too large: its aliases stand for {size:,} values, more than {MOST_VALUES:,}"
        raise UnreadableError(path, None, message)
    return root


def _not_yaml(path: Path, error: yaml.YAMLError) -> UnreadableError:
    line, text = None, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        text = " ".join(filter(None, (error.context, error.problem)))
        if mark := error.problem_mark or error.context_mark:
            line = mark.line + 1
    return UnreadableError(path, line, f"{'' if line else 'is '}not YAML: {clean_text(text)}")


def _refuse_depth(path: Path, text: str) -> None:
    """Composing recurses, libyaml even past the end of the stack: count the depth first."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise UnreadableError(path, line, f"nested deeper than {DEEPEST} levels")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, as in Prefect; libyaml's does the same ten times faster."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            problem = f"a number of more than {MOST_DIGITS:,} digits"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        number: int = super().construct_yaml_int(node)
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


class _Size:
    """Counts the values of a file with every alias expanded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[int, int] = {}
        self.open: set[int] = set()

    def of(self, node: yaml.Node) -> int:
        if not isinstance(node, yaml.CollectionNode):
            return 1
        if (known := self.known.get(id(node))) is not None:
            return known
        line = node.start_mark.line + 1
        if id(node) in self.open:
            raise UnreadableError(self.path, line, "an anchor that contains itself")
        if len(self.open) >= DEEPEST:
            raise UnreadableError(self.path, line, f"nested deeper than {DEEPEST} levels")
        self.open.add(id(node))
        children = _children(node)
        size = self.known[id(node)] = 1 + sum(self.of(child) for child in children)
        self.open.discard(id(node))
        return size


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for item in node.value:
        if isinstance(item, tuple):
            yield from item
        else:
            yield item


def construct(path: Path, root: yaml.Node) -> Any:
    """The nodes as Python values. Raises UnreadableError."""
    loader = _Loader("")
    try:
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from error
    except (ValueError, OverflowError, TypeError) as error:  # 2026-99-99, !!int of a word
        raise UnreadableError(
            path, None, f"has a value that does not match its type: {error}"
        ) from error
    finally:
        loader.dispose()


def child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    """The node under a key or an index, and its line; None when there is none."""
    found = pair(node, part)
    return (found[1], (found[0] or found[1]).start_mark.line + 1) if found else None


def pair(node: yaml.Node, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """The key and the value under a key or an index, which has no key; None when there is none."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if isinstance(node, yaml.MappingNode):
        # Merged keys come first once the file is constructed: the last one counts.
        for key, value in reversed(node.value):
            if key_text(key) == str(part):
                return key, value
    return None


def duplicate_keys(root: yaml.Node) -> Iterator[tuple[str, int, int]]:
    """Keys that a mapping has twice, with both lines: YAML silently keeps the last."""
    done: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in done or not isinstance(node, yaml.CollectionNode):
            continue
        done.add(id(node))
        waiting.extend(_children(node))
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                line = key.start_mark.line + 1
                if key.value in lines:
                    yield key.value, lines[key.value], line
                lines[key.value] = line
