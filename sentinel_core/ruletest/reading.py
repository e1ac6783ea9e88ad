"""Finds and reads files of rule tests; each mistake has its line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sentinel_core.base.errors import RuleFileError, RuleTestError
from sentinel_core.rulefile.phrases import did_you_mean, dotted, kind, shorten
from sentinel_core.rulefile.source import Problem, RuleFile, Where, read
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

    path: Path
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
    found = CaseFile(Path(shown(path)))
    try:
        file = read(found.path)
    except RuleFileError as error:
        found.problems.append(_unreadable(found.path, error))
        return found
    top = _top(found, file)
    if top is None:
        return found
    about = _rule_file(path, top, rule_file)
    if about is None:
        return None
    names: dict[str, Case] = {}
    for index, item in enumerate(top.tests):
        case = _case(file, about, index, item)
        earlier = names.setdefault(case.name, case)
        if earlier is not case:
            line = earlier.line(("name",))
            case.add_problem(("name",), f"expected a unique name: line {line} has the same")
        found.cases.append(case)
    return found


def _unreadable(path: Path, error: RuleFileError) -> Problem:
    # The reader of rule files names the key that a rule file must have.
    text = str(error).replace("the key `deployments`", "the key `tests`")
    place, _, message = text.partition(": ")
    line = place.removeprefix(f"{path}:") if place.startswith(f"{path}:") else ""
    if line.isdigit():
        return Problem(str(path), int(line), None, "", message)
    return Problem(str(path), None, None, "", text.removeprefix(f"{path}: "))


def _top(found: CaseFile, file: RuleFile) -> RuleTestFile | None:
    """The keys of the file; None if they are invalid, with the problems added."""
    found.problems += file.problems  # keys that are written twice
    try:
        top = RuleTestFile.model_validate(file.data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            path = item["loc"]
            known = list(RuleTestFile.model_fields)
            message = _message(item, known)
            found.problems.append(
                Problem(str(file.path), file.line(path), None, dotted(path), message)
            )
        return None
    return None if found.problems else top


def _rule_file(path: Path, top: RuleTestFile, given: Path | None) -> Path | None:
    """The rule file of the tests; None if it is not the given one."""
    named = (path.parent / top.rule_file).resolve()
    if given is None:
        return named
    mine = "rule_file" not in top.model_fields_set or named == given.resolve()
    return given.resolve() if mine else None


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
        for path, message in _explained(error):
            case.add_problem(path, message)
        return case
    for path, message in form.mistakes():
        case.add_problem(path, message)
    case.form = form
    return case


def _explained(error: ValidationError) -> Iterator[tuple[Where, str]]:
    for item in error.errors(include_url=False):
        path = tuple(part for part in item["loc"] if part != "[key]")
        if "[key]" in item["loc"] and item["type"] == "string_type":
            yield path, f"expected text as ticker, got {kind(item['input'])}: put it in quotes"
        else:
            yield _without_branches(path), _message(item, known_keys(path[:-1]))


def _without_branches(path: Where) -> Where:
    """The path without the branches of unions, which pydantic adds."""
    return tuple(p for p in path if not (isinstance(p, str) and p.startswith("function-")))


def _message(item: ErrorDetails, known: Sequence[str]) -> str:
    """The message of an error, reworded where pydantic's would puzzle."""
    if item["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(item['loc'][-1], known)}"
    if item["type"] == "missing":
        return "missing"
    if item["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"expected a mapping, got {kind(item['input'])}"
    text = item["msg"].removeprefix("Value error, ")
    if text.startswith("Input should be "):
        return f"expected {text.removeprefix('Input should be ')}, got {kind(item['input'])}"
    return f"{text[:1].lower()}{text[1:]}"
