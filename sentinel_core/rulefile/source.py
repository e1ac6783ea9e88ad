"""A rule file (prefect.yaml) as deployments, each value with its line.

Only a file that can't be read at all raises; everything else that is wrong is a `Problem`, so that
all of them are reported at once. check_form.py checks the form, check.py what needs the flows.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.phrases import did_you_mean, dotted, kind, shorten, shown
from sentinel_core.rulefile.placeholders import fill, has_placeholder, keep_templates
from sentinel_core.rulefile.yaml_lines import (
    UnreadableError,
    child,
    compose,
    construct,
    duplicate_keys,
    pair,
    read_text,
)
from sentinel_core.rulefile.yaml_words import null_of, word_of, word_of_key

DEFINITIONS = "definitions"
Where = tuple[str | int, ...]


def dig(value: Any, path: Sequence[str | int]) -> Any:
    """The value at `path`; None when there is none."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rule file: where it is, and what was expected there."""

    file: str
    line: int | None
    deployment: str | None
    field: str
    message: str
    level: str = "error"  # or "warning"

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

    @property
    def is_paused(self) -> bool:
        """True if no run is scheduled until somebody resumes the deployment or a schedule of it."""
        switches = [item.get("active") for item in self.schedules if isinstance(item, dict)]
        no_schedule = bool(switches) and all(active is False for active in switches)
        return self.config.get("paused") is True or no_schedule

    def is_open(self, path: Sequence[str | int]) -> bool:
        """True if the value at `path` has a placeholder that only Prefect's API can fill."""
        value = dig(self.config, path)
        return isinstance(value, str) and has_placeholder(value)

    def has_open(self, path: Sequence[str | int]) -> bool:
        """True if there is such a placeholder at `path` or anywhere below."""
        return has_placeholder(dig(self.config, path))

    def written(self, path: Sequence[str | int], value: object) -> str:
        """`value` for people; a value that came from the environment is shown as its template."""
        raw = dig(self.raw, path)
        return raw if isinstance(raw, str) and has_placeholder(raw) else shown(value)


@dataclass(slots=True)
class RuleFile:
    """A rule file that could be read, with what is wrong about its form."""

    path: Path
    data: dict[str, Any]
    root: yaml.Node
    folder: Path = field(init=False)
    """The project's folder: entrypoints and the files of rules are looked for in it."""
    problems: list[Problem] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    explained: set[Where] = field(default_factory=set)  # paths whose words an error explains

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of the value at `path`, or of its nearest enclosing value."""
        node, line = self.root, None
        for part in path:
            found = child(node, part)
            if found is None:
                break
            node, line = found
        return line

    def node(self, path: Sequence[str | int]) -> yaml.Node | None:
        """The node at `path`; None when there is none."""
        return self._find(path)[1]

    def _find(self, path: Sequence[str | int]) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The key and the value at `path`."""
        key: yaml.Node | None = None
        node = self.root
        for part in path:
            found = pair(node, part)
            if found is None:
                return None, None
            key, node = found
        return key, node

    def reading(self, path: Sequence[str | int]) -> str:
        """What YAML 1.1 makes of the key and the value at `path`; empty when it is no surprise."""
        key, node = self._find(path)
        named, word = word_of_key(key), word_of(node) or null_of(node)
        return "; ".join([*([named.as_key] if named else []), *([word.explained] if word else [])])

    def complain(
        self, entry: Entry | None, path: Sequence[str | int], message: str, *, warning: bool = False
    ) -> None:
        """Add a problem at `path`, counted from the entry or else from the top of the file.

        An error about a word that YAML 1.1 reads in its own way says what was written.
        """
        place = (*(("deployments", entry.index) if entry else ()), *path)
        line = self.line(place)
        name, level = entry.name if entry else None, "warning" if warning else "error"
        if not warning and place not in self.explained and (reading := self.reading(place)):
            message += f"; {reading}"
            self.explained.add(place)
        self.problems.append(Problem(str(self.path), line, name, dotted(path), message, level))

    def expect(self, entry: Entry, path: Sequence[str | int], wanted: type, words: str) -> bool:
        """True if the value is absent or of this type; otherwise a problem is added."""
        value = dig(entry.config, path)
        if value is None or isinstance(value, wanted):
            return True
        self.complain(entry, path, f"expected {words}, got {entry.written(path, value)}")
        return False

    def check_keys(
        self,
        entry: Entry | None,
        path: Sequence[str | int],
        mapping: Mapping[Any, Any],
        known: Sequence[str],
        what: str,
    ) -> None:
        """Note each key of `mapping` that is not among those known."""
        for key in mapping:
            if key not in known:
                hint = did_you_mean(key, known)
                self.complain(entry, (*path, str(key)), f"unknown {what}{hint}")


def read(path: Path, key: str = "deployments") -> RuleFile:
    """The file, with its problems of form noted. Raises UnreadableError without a mapping.

    `key` is the one it must have, for the message.
    """
    root = compose(path, read_text(path), key)
    duplicates = list(duplicate_keys(root))
    data = construct(path, root)
    if not isinstance(data, dict):
        message = f"expected a mapping with the key `{key}`, got {kind(data)}"
        raise UnreadableError(path, 1, message)
    file = RuleFile(path, data, root)
    for name, first, line in duplicates:
        message = f"written twice (line {first} and here): only the last one counts"
        file.problems.append(Problem(str(path), line, None, shorten(name), message))
    deployments = data.get("deployments")
    for index, item in enumerate(deployments if isinstance(deployments, list) else []):
        if isinstance(item, dict):
            plain = keep_templates(_plain(file, index, item))
            file.entries.append(Entry(index, plain, fill(plain, os.environ)))
        else:
            message = f"expected a mapping with name and entrypoint, got {kind(item)}"
            file.complain(None, ("deployments", index), message)
    file.folder = _project_folder(file)
    return file


def _project_folder(file: RuleFile) -> Path:
    """The folder the file is in; the current one where only that has the files of entrypoints.

    Entrypoints of `prefect deploy --prefect-file other/prefect.yaml` are in the current folder.
    """
    own, current = Path(os.path.abspath(file.path)).parent.resolve(), Path.cwd()  # noqa: PTH100
    named = [str(entry.config.get("entrypoint")).rpartition(":")[0] for entry in file.entries]
    files = [name for name in named if name.endswith(".py") and not Path(name).is_absolute()]
    if any((own / name).is_file() for name in files):
        return own
    return current if any((current / name).is_file() for name in files) else own


def work_pools(path: Path) -> list[str]:
    """The work pools the file's deployments name, each once. Raises RuleFileError."""
    pools = [entry.config.get("work_pool") for entry in read(path).entries]
    names = [pool.get("name") for pool in pools if isinstance(pool, dict)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))


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
