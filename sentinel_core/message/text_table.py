"""A table as text with aligned columns. Pure."""

from collections.abc import Sequence

from sentinel_core.message.document import Table
from sentinel_core.wording.text import shorten

WIDEST = 40  # characters of a column


def grid(table: Table) -> str:
    """The columns' names, a line below them, and the rows; numbers are right-aligned."""
    texts = [table.columns, *([cell.text for cell in row] for row in table.rows)]
    lines = [[shorten(text, WIDEST) for text in line] for line in texts]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [str.rjust if table.is_numeric(n) else str.ljust for n in range(len(widths))]

    def shown(line: Sequence[str]) -> str:
        cells = zip(aligned, line, widths, strict=True)
        return "  ".join(align(text, width) for align, text, width in cells).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([shown(lines[0]), rule, *(shown(line) for line in lines[1:])])
