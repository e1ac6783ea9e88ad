"""A table as text with aligned columns. Pure."""

from collections.abc import Sequence

from sentinel_core.message.document import Cell, Table
from sentinel_core.wording.text import shorten

WIDEST = 40  # characters of a column


def grid(table: Table) -> str:
    """The columns' names, a line below them, and the rows; numbers are right-aligned."""
    rows = [[shorten(cell.text, WIDEST) for cell in row] for row in table.rows]
    names = [shorten(name, WIDEST) for name in table.columns]
    count = max([len(names), *(len(row) for row in rows)], default=0)
    names += [""] * (count - len(names))
    widths = [
        max([len(names[n]), *(len(row[n]) for row in rows if n < len(row))]) for n in range(count)
    ]
    right = [_numbers(table.rows, n) for n in range(count)]
    lines = [_line(names, widths, right), "  ".join("─" * width for width in widths)]
    lines += [_line(row + [""] * (count - len(row)), widths, right) for row in rows]
    return "\n".join(lines)


def _numbers(rows: Sequence[Sequence[Cell]], column: int) -> bool:
    cells = [row[column] for row in rows if column < len(row) and row[column].text]
    return bool(cells) and all(cell.is_number for cell in cells)


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = [
        text.rjust(width) if to_right else text.ljust(width)
        for text, width, to_right in zip(texts, widths, right, strict=True)
    ]
    return "  ".join(cells).rstrip()
