"""The output of commands: tables, JSON, outcomes, and text from outside on one line."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.text import shorten

_PIPED = 100_000  # columns: what a program reads is neither cut nor folded
_GAP = 2  # columns between two cells
_LEAST = 25  # columns that are left to the last one on a narrow terminal


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
    least: Sequence[str] = (),
    indent: int = 0,
) -> None:
    """A table for people, numbers to the right; without a header where `columns` are empty names.

    Where a terminal is too narrow, the columns named in `least` are left out, the first one first,
    until a row fits. Then the last column is cut so that a row stays on its line; or the columns
    named in `folded` go on in further lines.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED)
    columns, cells = _fitting(columns, [_cells(row) for row in rows], least, console.width - indent)
    table = Table(
        box=None,
        pad_edge=False,
        show_header=any(columns),
        title=Text(title, style="bold") if title else None,
        title_justify="left",
    )
    for n, name in enumerate(columns):
        gives_way = n == len(columns) - 1 if folded is None else name in folded
        numbers = cells and all(isinstance(row[n], _Number) for row in cells)
        table.add_column(
            Text(name),
            justify="right" if numbers else "left",
            no_wrap=not gives_way,
            overflow="ellipsis" if folded is None else "fold",
            min_width=_LEAST if gives_way and folded is None and not numbers else None,
        )
    for row in cells:
        # Text, not str: names in [brackets] are no markup.
        table.add_row(*(Text(cell, no_wrap=folded is None) for cell in row))
    with console.capture() as printed:
        console.print(Padding(table, (0, 0, 0, indent), expand=False))
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


class _Number(str):
    """The cell of a number."""


def _cells(row: Sequence[object]) -> list[str]:
    return [
        _Number(f"{value:,}") if isinstance(value, int | float) else one_line(value, 2_500)
        for value in row
    ]


def _fitting(
    columns: Sequence[str], rows: list[list[str]], least: Sequence[str], width: int
) -> tuple[Sequence[str], list[list[str]]]:
    """The table without as many of its least important columns as make its rows fit."""
    kept = list(range(len(columns)))
    for name in (name for name in least if name in columns):
        wide = [max(cell_len(row[n]) for row in [columns, *rows]) for n in kept]
        wide[-1] = min(wide[-1], _LEAST)  # it gives way
        if sum(wide) + _GAP * (len(wide) - 1) <= width:
            break
        kept.remove(columns.index(name))
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def print_changes(
    changed: Sequence[Mapping[str, Any]],
    unchanged: Sequence[Mapping[str, Any]] = (),
    *,
    ok: bool = True,
    **more: Any,
) -> None:
    """The JSON of every command that changes something: what it changed, and what it left.

    Each part has an `id` or a `name`; one that was left also has a `code` and a `sentence`.
    """
    print_json({"ok": ok, "changed": list(changed), "unchanged": list(unchanged), **more})


def print_outcomes(
    what: str,
    ids: Iterable[int],
    done: Collection[int],
    did: str,
    refused: Mapping[int, str],
    *,
    as_json: bool = False,
) -> int:
    """A line for each id, in this order; the exit code: 1 when something was not done."""
    ids = list(ids)
    missing = f"there is no such {what}"
    left = [key for key in ids if key not in done]
    if as_json:
        print_changes(
            [{"id": key, "sentence": did} for key in ids if key in done],
            [
                {
                    "id": key,
                    "code": "already" if key in refused else "missing",
                    "sentence": refused.get(key, missing),
                }
                for key in left
            ],
            ok=not left,
        )
        return 1 if left else 0
    for key in ids:
        print(f"{what} {key}: {did if key in done else refused.get(key, missing)}")
    return 1 if left else 0
