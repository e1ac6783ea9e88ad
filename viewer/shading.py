"""Rows with a background, worked out once for everybody who sees the same rows.

pandas takes longer for it than Streamlit takes for the rest of the table: 17 ms for 50 rows.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_KEPT = 200  # tables


def shaded(frame: pd.DataFrame, shades: Sequence[str]) -> "Styler | pd.DataFrame":
    """The table with a CSS style for each row; the table itself if no row has one."""
    if not any(shades):
        return frame
    content = repr((list(frame.columns), frame.to_numpy().tolist(), list(shades)))
    return _shaded(hashlib.blake2b(content.encode(), digest_size=16).digest(), frame, shades)


@st.cache_resource(show_spinner=False, max_entries=_KEPT)
def _shaded(of: bytes, _frame: pd.DataFrame, _shades: Sequence[str]) -> "Styler":  # noqa: ARG001 (the key)
    styler: Any = _frame.style.apply(lambda _column: list(_shades), axis=0)
    styler._compute()
    # Streamlit asks for both whenever it draws the table. Without cells it shows the values as they
    # are, which is what pandas would say of them, cell by cell.
    done = {**styler._translate(False, False), "body": []}
    styler._compute = lambda: styler
    styler._translate = lambda *_: done
    return cast("Styler", styler)
