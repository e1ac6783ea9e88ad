"""Cells of a table as numbers, each judged by itself. Pure."""

import re
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

from triggers.sources.columns import DecimalSign, ThousandsSign

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+", re.ASCII)
_COMMA = re.compile(r"\d,\d", re.ASCII)
_SIGNS = re.compile(r"\d[,.' \u2019\u00a0\u2009\u202f_]\d", re.ASCII)
_ALIKE = str.maketrans("\u2019\u00a0\u2009\u202f", "'   ")  # typographic apostrophe, narrow spaces


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose content can't be told from its neighbours'; `why` completes `row 3 …`."""

    why: str


def is_text(column: "pd.Series") -> bool:
    """True if every cell is text or missing, as the type of the column says."""
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype)


def blank(column: "pd.Series") -> "pd.Series":
    """True for each cell without content."""
    empty: pd.Series = column.isna()
    if column.dtype.kind in "fiubM":
        return empty
    if is_text(column):
        return empty | column.str.strip().eq("").fillna(value=False).astype(bool)
    return empty | column.map(lambda cell: isinstance(cell, str) and not cell.strip()).astype(bool)


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a column writes numbers as text: the signs that a rule gives, None where it does not.

    With `decimal_commas` met in the column and no sign given, `1.234` may mean either number, and
    is refused.
    """

    decimal: DecimalSign | None = None
    thousands: ThousandsSign | None = None
    decimal_commas: bool = False

    @property
    def given(self) -> bool:
        """True if the rule names a sign."""
        return self.decimal is not None or self.thousands is not None


def number(cell: object, style: NumberStyle) -> float | Unreadable:
    """A cell as a number; NaN when it is empty."""
    if isinstance(cell, Unreadable):
        return cell
    if isinstance(cell, str):
        return _number_of_text(cell.strip(), style)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return float("nan")
    kind = type(cell).__name__
    if isinstance(cell, Real | Decimal) and not kind.startswith("bool"):
        try:
            return float(cell)
        except (OverflowError, ValueError):
            return Unreadable("is beyond every number that can be compared")
    nested = "nested" if isinstance(cell, list | dict | tuple) or kind == "ndarray" else None
    return Unreadable(f"holds {sample(cell)}, which is {nested or 'not a number'}")


def _number_of_text(text: str, style: NumberStyle) -> float | Unreadable:
    if not style.given and style.decimal_commas and _GROUPED.fullmatch(text):
        return Unreadable(
            f"holds {sample(text)}, while other rows have a comma for the decimal sign: write all "
            "numbers as 1234.5, or give columns.decimal and columns.thousands"
        )
    plain = _with_a_point(text, style)
    if _NUMBER.fullmatch(plain) or _INFINITE.fullmatch(plain):
        return float(plain)
    if not text or text.lower().lstrip("+-") == "nan":
        return float("nan")
    return Unreadable(f"holds {sample(text)}, which is not a number{_advice(text, style)}")


def _with_a_point(text: str, style: NumberStyle) -> str:
    """`1.234,5` as `1234.5`; text that is no number in this style as text that is none in any."""
    whole, sign, rest = text.partition(style.decimal or ".")
    if style.decimal == "," and "." in rest:
        return ""
    if style.thousands is not None:
        first, *groups = whole.translate(_ALIKE).split(style.thousands)
        if groups and not re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", ",".join([first, *groups]), re.A):
            return ""
        whole = first + "".join(groups)
    if style.decimal == "," and "." in whole:
        return ""
    return f"{whole}.{rest}" if sign else whole


def _advice(text: str, style: NumberStyle) -> str:
    if style.given:
        between = f"{style.thousands!r} between" if style.thousands else "nothing between"
        return f" with {style.decimal or '.'!r} for the decimal sign and {between} thousands"
    if _SIGNS.search(text):
        return (
            ": write 1234.5, with a point and nothing between thousands, or give columns.decimal "
            "and columns.thousands"
        )
    return ""


def has_decimal_commas(column: "pd.Series") -> bool:
    """True if a cell of the column is text such as `1,5` or `1.234,50`."""
    # One search over all of them is five times as fast as one for each.
    return _COMMA.search("\n".join(cell for cell in column if isinstance(cell, str))) is not None


def sample(cell: object) -> str:
    """A cell for a message, cut short."""
    return repr(str(cell)[:40])
