"""The template of a project: its files, and its `prefect.yaml` in pieces."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sentinel_core.project.layout import Part, comments_above, parts
from sentinel_core.rulefile.yaml_lines import compose, construct

RULE_FILE = "prefect.yaml"
RULE = "rule"
_FOLDER = Path(__file__).parent / "template"
_DOT = "dot_"  # files whose names begin with a dot would be overlooked, or obeyed, in here
_ALIAS = re.compile(r"<<: \*rule\b")


@dataclass(frozen=True, slots=True)
class Piece:
    """A deployment or a definition: its lines without indentation, and what it stands for."""

    name: str
    text: str
    value: Any

    @property
    def entrypoint(self) -> str:
        """The entrypoint of a deployment."""
        return str(self.value["entrypoint"])

    @property
    def is_rule(self) -> bool:
        """True for a rule, whose flow is a file of the project; false for housekeeping."""
        return ":" in self.entrypoint


@cache
def files() -> dict[str, bytes]:
    """Every file of the template by its path in a project."""
    found = sorted(path for path in _FOLDER.rglob("*") if path.is_file())
    names = {path: path.relative_to(_FOLDER).as_posix().replace(_DOT, ".") for path in found}
    return {name: path.read_bytes() for path, name in names.items() if "__pycache__" not in name}


@cache
def deployments() -> dict[str, Piece]:
    """The deployments of the template's rule file by name, in their order."""
    return _pieces("deployments")


@cache
def definitions() -> dict[str, Piece]:
    """The definitions of the template's rule file by key, in their order."""
    return _pieces("definitions")


def _pieces(key: str) -> dict[str, Piece]:
    text = files()[RULE_FILE].decode()
    path = Path(RULE_FILE)
    value = construct(path, compose(path, text, key))[key]
    part = parts(text)[key]
    names = [item["name"] for item in value] if isinstance(value, list) else list(value)
    values = value if isinstance(value, list) else list(value.values())
    column = part.inner_column or 0
    texts = [_lines(text, child, column) for child in part.children]
    return {name: Piece(name, *rest) for name, *rest in zip(names, texts, values, strict=True)}


def _lines(text: str, part: Part, column: int) -> str:
    lines = text[comments_above(text, part.start, column) : part.end].splitlines()
    return "\n".join(line[column:] for line in lines) + "\n"


def in_full(text: str) -> str:
    """A rule's lines without the anchor: what `<<: *rule` stands for, in its place."""
    rule = definitions()[RULE].text.splitlines()[1:]
    return _ALIAS.sub("\n".join(rule).strip(), text)


def renamed(text: str, names: dict[str, str]) -> str:
    """Lines with other names for their anchors, and for the keys that define them."""
    for old, new in names.items():
        text = re.sub(rf"(?<=[&*]){old}\b", new, text)
        text = re.sub(rf"^{old}: &", f"{new}: &", text, flags=re.MULTILINE)
    return text
