"""The output of commands: tables, JSON, outcomes, and text from outside on one line."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.text import shorten

_PIPED = 100_000  # columns: what a program reads is neither cut nor folded
_LEAST = 20  # columns that are left to the last one on a narrow terminal


def print_json(value: Any) -> None:
    """JSON with times as ISO 8601 and ids as text."""
    print(json.dumps(value, default=lambda v: v.isoformat() if isinstance(v, datetime) else str(v)))


def one_line(value: object, limit: int = 200) -> str:
    """Text from outside on one line of a terminal."""
    return shorten(" ".join(clean_text(str(value)).split()), limit)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    folded: Collection[str] | None = None,
    indent: int = 0,
) -> None:
    """A table for people, numbers to the right; without a header where `columns` are empty names.

    Where a terminal is too narrow, the last column is cut so that a row stays on its line; or the
    columns named in `folded` go on in further lines.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED)
    rows = list(rows)
    table = Table(
        box=None,
        pad_edge=False,
        show_header=any(columns),
        title=Text(title, style="bold") if title else None,
        title_justify="left",
    )
    for n, name in enumerate(columns):
        gives_way = n == len(columns) - 1 if folded is None else name in folded
        numbers = rows and all(isinstance(row[n], int | float) for row in rows)
        table.add_column(
            Text(name),
            justify="right" if numbers else "left",
            no_wrap=not gives_way,
            overflow="ellipsis" if folded is None else "fold",
            min_width=_LEAST if gives_way and folded is None and not numbers else None,
        )
    for row in rows:
        cells = [f"{v:,}" if isinstance(v, int | float) else one_line(v, 2_500) for v in row]
        # Text, not str: names in [brackets] are no markup.
        table.add_row(*(Text(cell, no_wrap=folded is None) for cell in cells))
    with console.capture() as printed:
        console.print(Padding(table, (0, 0, 0, indent), expand=False))
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def print_outcomes(
    what: str, ids: Iterable[int], done: Collection[int], did: str, refused: Mapping[int, str]
) -> int:
    """A line for each id, in this order; the exit code: 1 when something was not done."""
    code = 0
    for key in ids:
        if key in done:
            print(f"{what} {key}: {did}")
            continue
        code = 1
        print(f"{what} {key}: {refused.get(key, f'there is no such {what}')}")
    return code
