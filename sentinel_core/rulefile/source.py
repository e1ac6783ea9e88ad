"""Reading a rule file (prefect.yaml): from bytes to deployments, each value with its line.

Only a file that can't be read at all raises; every other complaint is a `Problem`, so that all of
them can be told at once. form.py judges the form, check.py what needs the flows.
"""

import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml

from sentinel_core.base.errors import RuleFileError
from sentinel_core.message import shorten as cut
from sentinel_core.model.cleaning import clean_text

MOST_BYTES = 4 * 2**20
MOST_VALUES = 500_000  # after aliases: a file of a few lines can stand for billions
DEEPEST = 60
DEFINITIONS = "definitions"

Where = tuple[str | int, ...]
PLACEHOLDER = re.compile(r"{{\s*([\w.\-\[\]$]+)\s*}}")
TEMPLATES = "templates"
# A placeholder that is neither the environment's nor one of Prefect's blocks and variables.
_BARE = re.compile(r"{{\s*(?!\$|prefect\.(?:blocks|variables)\.)([\w.\-\[\]$]+)\s*}}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rule file: where it is, and what was expected there."""

    file: str
    line: int | None
    deployment: str | None
    field: str
    message: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [place, self.deployment, self.field, self.message]
        return ": ".join(clean_text(part) for part in parts if part)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `deployments`. `raw` is as written, `config` with `{{ $NAME }}` filled in."""

    index: int
    raw: dict[str, Any]
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The deployment's name, which is the rule's; its place in the file when it has none."""
        name = self.config.get("name")
        return name if isinstance(name, str) and name.strip() else f"deployment #{self.index + 1}"

    @property
    def schedules(self) -> list[Any]:
        """The schedules, whichever of Prefect's two keys they are under."""
        found = self.config.get("schedules")
        if found is None and self.config.get("schedule"):
            found = [self.config["schedule"]]
        return found if isinstance(found, list) else []

    def is_open(self, path: Sequence[str | int]) -> bool:
        """Does the value at `path` hold a placeholder that only Prefect's API can fill?"""
        value: Any = self.config
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return False
        return isinstance(value, str) and PLACEHOLDER.search(value) is not None

    def has_open(self, path: Sequence[str | int]) -> bool:
        """Is there such a placeholder at `path` or anywhere below?"""
        value: Any = self.config
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, dict):
            return any(self.has_open((*path, key)) for key in value)
        return PLACEHOLDER.search(str(value)) is not None

    def written(self, path: Sequence[str | int], value: object) -> str:
        """`value` for people; a value that came from the environment is shown as its template."""
        raw: Any = self.raw
        for part in path:
            try:
                raw = raw[part]
            except (KeyError, IndexError, TypeError):
                return shown(value)
        return raw if isinstance(raw, str) and PLACEHOLDER.search(raw) else shown(value)


@dataclass(slots=True)
class RuleFile:
    """A rule file that could be read, with what is wrong about its form."""

    path: Path
    data: dict[str, Any]
    root: yaml.Node
    problems: list[Problem] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of the value at `path`, or of its nearest enclosing value."""
        node, line = self.root, None
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return line

    def complain(
        self,
        entry: Entry | None,
        path: Sequence[str | int],
        message: str,
        *,
        warning: bool = False,
    ) -> None:
        """Note a problem at `path`, counted from the entry or else from the top of the file."""
        full = (*(("deployments", entry.index) if entry else ()), *path)
        self.problems.append(
            Problem(
                str(self.path),
                self.line(full),
                entry.name if entry else None,
                dotted(path),
                message,
                "warning" if warning else "error",
            )
        )


def read(path: Path) -> RuleFile:
    """The file, with its problems of form noted. Raises RuleFileError when it can't be read."""
    text = _text(path)
    root = _compose(path, text)
    twice = list(_twice(root))
    data = _construct(path, root)
    file = RuleFile(path, data if isinstance(data, dict) else {}, root)
    if not isinstance(data, dict):
        raise RuleFileError(
            f"{path}:1: expected a mapping with the key `deployments`, got {kind(data)}"
        )
    for key, first, line in twice:
        message = f"written twice (line {first} and here): only the last would count"
        file.problems.append(Problem(str(path), line, None, shorten(key), message))
    _collect_entries(file)
    return file


def work_pools(path: Path) -> list[str]:
    """The work pools the file's deployments name, each once. Raises RuleFileError."""
    pools = [entry.config.get("work_pool") for entry in read(path).entries]
    names = [pool.get("name") for pool in pools if isinstance(pool, dict)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))


# -- text to data --------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise RuleFileError(f"{path} is a folder: name the rule file in it")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RuleFileError(
                f"{path} has {size / 2**20:.1f} MB; a rule file may have {MOST_BYTES >> 20} MB"
            )
        content = path.read_bytes()
    except OSError as error:
        raise RuleFileError(
            f"{path} can't be read: {error.strerror or error}. Name the rule file, or run this in "
            "the folder of your prefect.yaml"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RuleFileError(
            f"{path}:{line}: expected text in UTF-8, found the byte 0x{content[error.start]:02x}"
        ) from error


def _compose(path: Path, text: str) -> yaml.Node:
    try:
        _refuse_depth(path, text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        said = " ".join(filter(None, (error.context, error.problem)))
        raise RuleFileError(f"{place}: not YAML: {clean_text(said)}") from error
    except yaml.YAMLError as error:
        raise RuleFileError(f"{path}: not YAML: {clean_text(str(error))}") from error
    if root is None:
        raise RuleFileError(f"{path} is empty: expected a mapping with the key `deployments`")
    size = _Size(path).of(root)
    if size > MOST_VALUES:
        raise RuleFileError(
            f"{path}: its aliases stand for {size:,} values, more than {MOST_VALUES:,}"
        )
    return root


def _refuse_depth(path: Path, text: str) -> None:
    """Composing recurses, in libyaml even past the end of the stack: count before."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            place = f"{path}:{event.start_mark.line + 1}" if event.start_mark else str(path)
            raise RuleFileError(f"{place}: nested deeper than {DEEPEST} levels")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Prefect reads the file with the safe loader; libyaml's is the same and ten times faster."""


class _Size:
    """How many values a file stands for once every alias is written out."""

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
            raise RuleFileError(f"{self.path}:{line}: an anchor that contains itself")
        if len(self.open) >= DEEPEST:
            raise RuleFileError(f"{self.path}:{line}: nested deeper than {DEEPEST} levels")
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


def _construct(path: Path, root: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise RuleFileError(f"{place}: not YAML: {clean_text(str(error.problem))}") from error
    except (ValueError, OverflowError, TypeError) as error:  # 2026-99-99, !!int of a word
        raise RuleFileError(f"{path}: a value is not what its form says: {error}") from error
    finally:
        loader.dispose()


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item, item.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        # Merged keys come first once the file is constructed: the last one is the one that counts.
        for key, value in reversed(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return value, key.start_mark.line + 1
    return None


def _twice(root: yaml.Node) -> Iterator[tuple[str, int, int]]:
    """Keys written twice in one mapping, with both lines: YAML keeps the last and says nothing."""
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
        seen: dict[str, int] = {}
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                line = key.start_mark.line + 1
                if key.value in seen:
                    yield key.value, seen[key.value], line
                seen[key.value] = line


# -- data to entries ------------------------------------------------------------------------------


def _collect_entries(file: RuleFile) -> None:
    deployments = file.data.get("deployments")
    for index, item in enumerate(deployments if isinstance(deployments, list) else []):
        if isinstance(item, dict):
            plain = keep_templates(_plain(file, index, item))
            file.entries.append(Entry(index, plain, fill(plain, os.environ)))
        else:
            message = f"expected a mapping with name and entrypoint, got {kind(item)}"
            file.complain(None, ("deployments", index), message)


def _plain(file: RuleFile, index: int, item: dict[Any, Any]) -> dict[str, Any]:
    """The deployment as JSON, the way Prefect will see it."""

    def walk(value: Any, path: Where) -> Any:
        if isinstance(value, dict):
            return {str(key): walk(part, (*path, str(key))) for key, part in value.items()}
        if isinstance(value, list | tuple | set):
            return [walk(part, (*path, number)) for number, part in enumerate(value)]
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            file.complain(None, path, f"expected a finite number, got {value}")
        elif isinstance(value, bytes):
            file.complain(None, path, "expected text or a number, got binary data")
            return ""
        return value

    plain: dict[str, Any] = walk(item, ("deployments", index))
    return plain


def keep_templates(deployment: dict[str, Any]) -> dict[str, Any]:
    """A deployment whose message templates Prefect leaves as they are.

    To Prefect `{{ event.rule }}` is a placeholder of its own and, as it knows no such value, empty
    text in what it deploys. `{{ (event.rule) }}` is none, and the same to a template.
    """
    parts = [deployment, *_mappings(deployment.get("schedules"))]
    for part in [*parts, *_mappings([deployment.get("schedule")])]:
        parameters = part.get("parameters")
        templates = parameters.get(TEMPLATES) if isinstance(parameters, dict) else None
        for texts in templates.values() if isinstance(templates, dict) else ():
            for name, text in texts.items() if isinstance(texts, dict) else ():
                texts[name] = _BARE.sub(r"{{ (\1) }}", text) if isinstance(text, str) else text
    return deployment


def taken_by_prefect(template: str) -> list[str]:
    """What plain `prefect deploy` would make nothing of: `{{ event.rule }}`, as written."""
    return [match[0] for match in _BARE.finditer(template)]


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fill(value: Any, environment: Mapping[str, str]) -> Any:
    """`{{ $NAME }}` replaced from the environment, as Prefect does; unset ones stay as written."""
    if isinstance(value, str):

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            return environment.get(name[1:], match[0]) if name.startswith("$") else match[0]

        return PLACEHOLDER.sub(replaced, value)
    if isinstance(value, dict):
        return {key: fill(part, environment) for key, part in value.items()}
    if isinstance(value, list):
        return [fill(part, environment) for part in value]
    return value


# -- words ---------------------------------------------------------------------------------------


def dotted(path: Sequence[str | int]) -> str:
    """`("schedules", 0, "cron")` as `schedules[0].cron`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shorten(part)}" if text else shorten(part)
    return text


def did_you_mean(given: object, known: Sequence[str], cutoff: float = 0.6) -> str:
    """`; did you mean …?`, or the known names when nothing is near and they are few."""
    near = difflib.get_close_matches(str(given)[:80], known, 1, cutoff)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 25 else ""  # noqa: PLR2004


def kind(value: object) -> str:
    """What a value is, in YAML's words."""
    words = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    words |= {int: "a number", float: "a number", type(None): "nothing"}
    name = words.get(type(value), type(value).__name__)
    return f"{name} ({shown(value)})" if isinstance(value, str | int | float) else name


def shown(value: object) -> str:
    """A value for a message: on one line, short, without control characters."""
    return "nothing" if value is None else shorten(clean_text(repr(value)))


def shorten(text: str, most: int = 80) -> str:
    """At most `most` characters, on one line."""
    return cut(" ".join(text.split()), most)
