"""Finds and reads files of rule tests; each mistake has its line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sentinel_core.base.errors import RuleTestError
from sentinel_core.rulefile.phrases import did_you_mean, dotted, kind, plain_message, shorten
from sentinel_core.rulefile.source import Problem, RuleFile, Where, read
from sentinel_core.rulefile.yaml_lines import UnreadableError
from sentinel_core.ruletest.form import RuleTest, RuleTestFile, known_keys
from sentinel_core.ruletest.rules import shown

SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class Case:
    """One test of a file: its form, or its problems."""

    file: RuleFile
    rule_file: Path
    index: int
    name: str
    form: RuleTest | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def id(self) -> str:
        """`tests/rules/disk.yaml: a full disk opens an event`."""
        return f"{self.file.path}: {self.name}"

    def line(self, path: Where = ()) -> int | None:
        """The line of something in this test."""
        return self.file.line(("tests", self.index, *path))

    def add_problem(self, path: Where, message: str) -> None:
        """Add a problem at a place of this test."""
        if reading := self.file.reading(("tests", self.index, *path)):
            message += f"; {reading}"
        self.problems.append(
            Problem(str(self.file.path), self.line(path), self.name, dotted(path), message)
        )

    def is_about(self, text: str | None) -> bool:
        """True if this text is in the name of the test or of its rule."""
        rule = self.form.rule if self.form else ""
        return text is None or text.lower() in f"{self.name}\n{rule}".lower()


@dataclass(slots=True)
class CaseFile:
    """A file of tests. `problems` are those of the file itself, not of one test."""

    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def find_files(places: Sequence[Path]) -> list[Path]:
    """The YAML files among these and in these folders, each once. Raises RuleTestError."""
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = (p for p in sorted(place.rglob("*")) if p.suffix in SUFFIXES and p.is_file())
            found.update(dict.fromkeys(inside))
        elif place.exists():
            found[place] = None
        elif place.suffix in SUFFIXES:
            raise RuleTestError(f"there is no file {place}")
    return list(found)


def read_tests(path: Path, rule_file: Path | None = None) -> CaseFile | None:
    """The tests of a file; None when they are about another rule file than `rule_file`."""
    found = CaseFile()
    name = shown(path)
    try:
        file = read(Path(name), "tests")
    except UnreadableError as error:
        found.problems.append(Problem(name, error.line, None, "", error.message))
        return found
    try:
        top = RuleTestFile.model_validate(file.data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            file.complain(None, item["loc"], _message(item, list(RuleTestFile.model_fields)))
    found.problems += file.problems  # keys that are written twice are among them
    if found.problems:
        return found
    about = (path.parent / top.rule_file).resolve()
    if rule_file is not None:
        if "rule_file" in top.model_fields_set and about != rule_file.resolve():
            return None
        about = rule_file.resolve()
    names: dict[str, Case] = {}
    for index, item in enumerate(top.tests):
        case = _case(file, about, index, item)
        earlier = names.setdefault(case.name, case)
        if earlier is not case:
            line = earlier.line(("name",))
            case.add_problem(("name",), f"expected a unique name: line {line} has the same")
        found.cases.append(case)
    return found


def _case(file: RuleFile, rule_file: Path, index: int, item: Any) -> Case:
    name = item.get("name") if isinstance(item, dict) else None
    case = Case(file, rule_file, index, name if isinstance(name, str) else f"test #{index + 1}")
    case.name = " ".join(shorten(case.name, 200).split()) or f"test #{index + 1}"
    if not isinstance(item, dict):
        case.add_problem((), f"expected a mapping with name and rule, got {kind(item)}")
        return case
    try:
        form = RuleTest.model_validate(item)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            path = tuple(part for part in wrong["loc"] if part != "[key]")
            if "[key]" in wrong["loc"] and wrong["type"] == "string_type":
                got = kind(wrong["input"])
                message = f"expected text as ticker, got {got}: put it in quotes"
            else:
                message = _message(wrong, known_keys(path[:-1]))
                # Without the branches of unions, which pydantic adds.
                path = tuple(part for part in path if not str(part).startswith("function-"))
            case.add_problem(path, message)
        return case
    for path, message in form.mistakes():
        case.add_problem(path, message)
    case.form = form
    return case


def _message(item: ErrorDetails, known: Sequence[str]) -> str:
    """The message of an error, reworded where pydantic's would puzzle."""
    if item["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(item['loc'][-1], known)}"
    if item["type"] == "missing":
        return "missing"
    if item["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"expected a mapping, got {kind(item['input'])}"
    got = f", got {kind(item['input'])}" if item["msg"].startswith("Input should be ") else ""
    return plain_message(item) + got
