"""`sentinel rules check`; and for other commands a rule file without errors, or a rule of it."""

import sys
from dataclasses import asdict
from pathlib import Path

from sentinel_core.base.errors import RuleFileError
from sentinel_core.cli.options import RULE_FILE, Json, RuleFilePath
from sentinel_core.cli.output import print_json
from sentinel_core.rulefile.check import Declared, Report
from sentinel_core.rulefile.check import check as check_file
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.rulefile.sla_rule import deployment_names
from sentinel_core.rulefile.source import read
from sentinel_core.wording.text import counted


def check(file: RuleFilePath = RULE_FILE, *, as_json: Json = False) -> int:
    """Check a whole rule file, and name everything that is wrong with it at once.

    Loads the flows, whose files are looked for in the rule file's folder; asks Prefect's API
    whether work pools and notification blocks exist, when it can be reached. Exits with 1 when
    there is an error.
    """
    report = check_file(file)
    if as_json:
        print_json(
            {
                "file": str(file),
                "ok": not report.errors,
                "deployments": [item.entry.name for item in report.declared],
                "problems": [asdict(problem) for problem in report.problems],
                "unchecked": report.unchecked,
                "notes": report.notes,
            }
        )
    else:
        _print_problems(report)
        for note in report.notes:
            print(f"warning: {note}", file=sys.stderr)
        if not report.errors:
            rules = sum(item.is_rule for item in report.declared)
            others = len(report.declared) - rules
            words = f" and {counted(others, 'other deployment')}" if others else ""
            print(f"{file}: {counted(rules, 'rule')}{words}, no errors")
    return 1 if report.errors else 0


def checked(file: Path, *, only: str | None = None, ask_prefect: bool = True) -> Report:
    """The report of a file without errors. Raises RuleFileError after printing the errors."""
    return without_errors(file, check_file(file, only=only, ask_prefect=ask_prefect))


def without_errors(file: Path, report: Report) -> Report:
    """The report, whose warnings are printed. Raises RuleFileError after printing the errors."""
    _print_problems(report)
    if report.errors:
        raise RuleFileError(f"{file} has {counted(len(report.errors), 'error')}: nothing was done")
    return report


def _print_problems(report: Report) -> None:
    for problem in report.problems:
        print(f"{problem.level}: {problem}", file=sys.stderr)
    for sentence in report.unchecked:
        print(f"note: {sentence}", file=sys.stderr)


def find_rule(name: str, file: Path) -> Declared:
    """The rule of this name in a file without errors about it. Raises RuleFileError."""
    names = deployment_names(read(file))
    if name not in names:
        raise RuleFileError(f"{file} has no rule {name!r}{did_you_mean(name, names)}")
    report = checked(file, only=name, ask_prefect=False)
    rule = next(item for item in report.declared if item.entry.name == name)
    if not rule.is_rule:
        raise RuleFileError(f"{name} is a plain flow, not a rule: run it with Prefect")
    return rule
