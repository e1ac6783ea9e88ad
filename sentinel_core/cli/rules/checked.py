"""A rule file without errors, or one rule of it; problems printed."""

from pathlib import Path
from typing import TYPE_CHECKING

from sentinel_core.base.errors import RuleFileError
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.rulefile.source import read
from sentinel_core.wording.text import counted

if TYPE_CHECKING:
    from sentinel_core.rulefile.check import Declared, Report


def checked(file: Path, *, only: str | None = None, ask_prefect: bool = True) -> "Report":
    """The report of a file without errors. Raises RuleFileError after printing the errors."""
    from sentinel_core.rulefile.check import check as run_check

    report = run_check(file, only=only, ask_prefect=ask_prefect)
    print_problems(report)
    if report.errors:
        raise RuleFileError(f"{file} has {counted(len(report.errors), 'error')}: nothing was done")
    return report


def print_problems(report: "Report") -> None:
    """Every problem on a line of its own, errors and warnings, on stderr."""
    import sys

    for problem in report.problems:
        print(f"{problem.level}: {problem}", file=sys.stderr)
    for sentence in report.unchecked:
        print(f"note: {sentence}", file=sys.stderr)


def summary(report: "Report") -> str:
    """`12 rules and 2 other deployments`."""
    rules = sum(item.is_rule for item in report.declared)
    others = len(report.declared) - rules
    words = counted(rules, "rule")
    return f"{words} and {counted(others, 'other deployment')}" if others else words


def find_rule(name: str, file: Path) -> "Declared":
    """The rule of this name in a file without errors about it. Raises RuleFileError."""
    names = [entry.name for entry in read(file).entries]
    if name not in names:
        raise RuleFileError(f"{file} has no rule {name!r}{did_you_mean(name, names)}")
    report = checked(file, only=name, ask_prefect=False)
    rule = next(item for item in report.declared if item.entry.name == name)
    if not rule.is_rule:
        raise RuleFileError(f"{name} is a plain flow, not a rule: run it with Prefect")
    return rule
