"""Events as a table with a background for each row, made once for everybody who sees the same.

pandas and Streamlit take longer for it than for the rest of the page: 25 ms for 50 rows.
"""

from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import streamlit as st

from viewer import data, rows
from viewer.data import Listed

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_KEPT = 60  # tables of half a megabyte each


def shaded(
    listed: Listed, columns: tuple[str, ...], dark: bool, cursor: int | None = None
) -> "Styler | pd.DataFrame":
    """These columns of the events, each row with its background; `cursor`: the row that has it."""
    return _shaded(listed.content, columns, dark, cursor, listed)


@st.cache_resource(show_spinner=False, max_entries=_KEPT)
def _shaded(
    content: bytes,  # noqa: ARG001 (the key)
    columns: tuple[str, ...],
    dark: bool,
    cursor: int | None,
    _listed: Listed,
) -> "Styler | pd.DataFrame":
    events = _listed.page.rows
    frame = rows.table(events, data.settings(), columns)
    shades = rows.shades(events, dark, cursor)
    return styled(frame, shades) if any(shades) else frame


def styled(frame: pd.DataFrame, shades: list[str]) -> "Styler":
    """The frame with a CSS style for each row, with everything done that Streamlit has done to it
    whenever it draws it."""
    styler: Any = frame.style.apply(lambda _column: shades, axis=0)
    styler._compute()
    # Without cells Streamlit shows the values as they are, which is what pandas would say of them,
    # cell by cell.
    done = {**styler._translate(False, False), "body": []}
    styler._compute = lambda: styler
    styler._translate = lambda *_: done
    words = frame.astype(str)
    object.__setattr__(frame, "astype", lambda _kind: words)
    return cast("Styler", styler)
