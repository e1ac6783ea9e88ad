"""The findings of `sentinel doctor` as people read them, and as rows for programs."""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from sentinel_core.cli.output import one_line, print_table
from sentinel_core.health.configuration import COMPONENT as SETTINGS
from sentinel_core.health.configuration import DEFAULT
from sentinel_core.health.finding import Finding, State

_NARROW = 60  # columns, below which nothing is folded any longer
_WIDEST = 100
_STATES = (State.OK, State.DEGRADED, State.DOWN, State.UNKNOWN)
_COLOURS = {
    State.OK: "green",
    State.DEGRADED: "yellow",
    State.DOWN: "bold red",
    State.UNKNOWN: "magenta",
}


def print_findings(found: Sequence[Finding], *, every: bool) -> None:
    """A block for each component; for programs one line for each finding.

    Settings that have their defaults are left out, unless `every` is true.
    """
    found = [one for one in found if every or not _is_default(one)]
    _print(found)
    _print_counts(found)


def _is_default(finding: Finding) -> bool:
    return finding.component == SETTINGS and finding.data.get("source") == DEFAULT


def _print(found: Sequence[Finding]) -> None:
    if not sys.stdout.isatty():
        print_table(
            ("component", "state", "name", "finding"),
            [(one.component, one.state.value, one.name, " -> ".join(_said(one))) for one in found],
        )
        return
    console = Console(highlight=False)
    width = max(_NARROW, min(_WIDEST, console.width))
    for component, findings in groupby(found, key=lambda one: one.component):
        console.print(Text(component, "bold"))
        for one in findings:
            _print_finding(console, one, width)


def _said(one: Finding) -> list[str]:
    return [one_line(text, 1_000) for text in (one.sentence, one.advice) if text]


def _print_finding(console: Console, one: Finding, width: int) -> None:
    margin = " " * 12
    sentence, *advice = _said(one)
    room = width - len(margin)
    lines = textwrap.wrap(f"{one_line(one.name)}: {sentence}", room, break_on_hyphens=False)
    for text in advice:
        lines += textwrap.wrap(f"-> {text}", room, subsequent_indent="   ", break_on_hyphens=False)
    first = Text.assemble("  ", (f"{one.state.value:10}", _COLOURS[one.state]), lines[0])
    console.print(first, soft_wrap=True)
    for line in lines[1:]:
        console.print(Text(margin + line), soft_wrap=True)


def _print_counts(found: Sequence[Finding]) -> None:
    counts = Counter(one.state for one in found)
    words = {State.UNKNOWN: "not checked"}
    line = ", ".join(
        f"{counts[state]} {words.get(state, state.value)}" for state in _STATES if counts[state]
    )
    print(line)
