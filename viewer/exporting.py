"""The line below a table of events: paging and the CSV export."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from sentinel_core.store.read.event_list import EXPORT_LIMIT, Cursor
from viewer import data, export_files
from viewer.filters import Choice

Following = Callable[[], object]


def paging(cursors: list[Any], following: Following, *, sorts: bool = True) -> None:
    """Buttons that lead to the newest, newer and older rows, inside of a horizontal container.

    `following` returns where the next page begins; it is called again when the button is pressed,
    since rows may have arrived meanwhile. `sorts` is true where a menu orders the rows of all
    pages.
    """
    st.button("Newest", on_click=cursors.clear, disabled=not cursors, key="newest")
    st.button("Newer", on_click=_back, args=(cursors,), disabled=not cursors, key="newer")
    last = following() is None
    st.button("Older", on_click=_on, args=(cursors, following), disabled=last, key="older")
    menu = "; the menu above the table sorts all pages" if sorts else ""
    st.markdown(
        f":gray[page {len(cursors) + 1} · a click on a column's header sorts this page only{menu}]",
        width="content",
    )


def _on(cursors: list[Any], following: Following) -> None:
    if (place := following()) is not None:
        cursors.append(place)


def _back(cursors: list[Any]) -> None:
    if cursors:
        cursors.pop()


def buttons(wanted: Choice) -> None:
    """The buttons that download the filtered events."""
    name = f"sentinel-events-{data.now():%Y%m%d-%H%M%S}"
    st.download_button(
        "CSV",
        data=lambda: data.exported(wanted, export_files.write_csv),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="csv",
        help=f"The filtered events, at most {EXPORT_LIMIT:,}; a last line says if there are "
        "more. Messages are cut at 2,000 characters.",
    )
    st.download_button(
        "Parquet",
        data=lambda: data.exported(wanted, export_files.write_parquet),
        file_name=f"{name}.parquet",
        mime="application/vnd.apache.parquet",
        icon=":material/download:",
        on_click="ignore",
        key="parquet",
        help=f"The same for programs, at most {EXPORT_LIMIT:,}; `sentinel.cut` in the file's "
        "metadata says if there are more.",
    )


def foot(cursors: list[Cursor], following: Following, wanted: Choice, key: str) -> None:
    """Paging and export below a list of events."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"foot-{key}", gap="small"):
        paging(cursors, following)
        buttons(wanted)
