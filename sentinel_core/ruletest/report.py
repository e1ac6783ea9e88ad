"""The results of rule tests, as text and as JSON. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sentinel_core.replay.timeline import Evaluated
from sentinel_core.rulefile.source import Problem
from sentinel_core.ruletest.run import TestResult
from sentinel_core.ruletest.values import offset_words
from sentinel_core.wording.text import shorten

MOST_ROWS = 200  # of a timeline
_WIDEST = 24


@dataclass(slots=True)
class RuleTestReport:
    """The results of all tests. `problems` are those of files, not of single tests."""

    places: list[Path]
    only: str | None = None
    results: list[TestResult] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The tests that failed, and the files that could not be read."""
        files = dict.fromkeys(problem.file for problem in self.problems)
        return [*files, *(result.case.id for result in self.results if not result.ok)]

    @property
    def passed(self) -> int:
        """The number of tests that passed."""
        return sum(result.ok for result in self.results)

    def text(self) -> str:
        """Every test on a line, its differences below it, and a summary at the end."""
        lines = [f"error: {problem}" for problem in self.problems]
        file = ""
        for result in self.results:
            if str(result.case.file.path) != file:
                file = str(result.case.file.path)
                lines.append(file)
            rule = f"{result.case.form.rule}: " if result.case.form else ""
            lines.append(f"  {'ok    ' if result.ok else 'FAILED'}  {rule}{result.case.name}")
            if not result.ok:
                lines += (f"          {line}".rstrip() for line in failure(result).split("\n"))
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """`3 rule tests passed, 1 failed`, or where no tests were found."""
        count, failed = self.passed, len(self.failed)
        if not count and not failed:
            places = ", ".join(str(place) for place in self.places)
            about = f" with {self.only!r} in their name or their rule's" if self.only else ""
            return f"no rule tests{about} found: looked for *.yaml in {places}"
        passed = f"{count} rule test{'s' * (count != 1)} passed"
        return f"{passed}, {failed} failed" if failed else passed

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "passed": self.passed,
            "failed": self.failed,
            "tests": [
                {
                    "file": str(result.case.file.path),
                    "line": result.case.line(),
                    "name": result.case.name,
                    "rule": result.case.form.rule if result.case.form else None,
                    "ok": result.ok,
                    "problems": [asdict(problem) for problem in result.case.problems],
                    "differences": {one.part: list(one.lines) for one in result.differences},
                    "timeline": [dict(zip(_COLUMNS, row, strict=True)) for row in timeline(result)],
                }
                for result in self.results
            ],
            "problems": [asdict(problem) for problem in self.problems],
        }


def failure(result: TestResult) -> str:
    """The reasons of a failed test: its problems, or its differences and the timeline."""
    lines = [f"error: {problem}" for problem in result.case.problems]
    for difference in result.differences:
        lines.append(f"{difference.part}:")
        lines += [f"  {line}" for line in difference.lines]
    if result.simulation is not None:
        lines += ["timeline:", *(f"  {row}" for row in _table(timeline(result)))]
    return "\n".join(lines)


_COLUMNS = ("time", "ticker", "value", "action", "reason")
Row = tuple[str, str, str, str, str]


def timeline(result: TestResult) -> list[Row]:
    """Every decision and every action of people, in order; at most MOST_ROWS."""
    if result.simulation is None or result.case.form is None:
        return []
    start = result.case.form.start
    rows = [
        (step.observation.at, 0, _row(step, offset_words(step.observation.at - start)))
        for step in result.simulation.evaluations
    ]
    rows += [
        (at, 1, (offset_words(at - start), ticker, "", "person", done))
        for at, ticker, done in result.person_actions
    ]
    rows.sort(key=lambda row: row[:2])  # people act after the run of the same moment
    shown = [row for _, _, row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        shown.append(("…", "", "", "", f"and {len(rows) - MOST_ROWS:,} more"))
    return shown


def _row(step: Evaluated, time: str) -> Row:
    seen = step.observation
    values = [f"{name}={value:g}" for name, value in seen.metrics.items()]
    if list(seen.metrics) == ["value"]:
        values = [f"{seen.metrics['value']:g}"]
    value = " ".join(values) if seen.metrics else ""
    if seen.kind.value != "alert":
        value = f"{value} {seen.kind.value}".strip()
    elif seen.reported and not value:
        value = "triggered"
    reason = step.decision.reason
    if seen.said is not None and seen.message not in reason:  # the conditions' values
        reason = f"{reason} · {seen.message}"
    return time, seen.ticker, value, step.decision.action, reason


def _table(rows: list[Row]) -> Iterator[str]:
    cut = [(*(shorten(cell, _WIDEST) for cell in row[:-1]), row[-1]) for row in [_COLUMNS, *rows]]
    widths = [max(len(row[column]) for row in cut) for column in range(len(_COLUMNS) - 1)]
    for row in cut:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield f"{'  '.join(cells)}  {shorten(' '.join(row[-1].split()), 200)}".rstrip()
