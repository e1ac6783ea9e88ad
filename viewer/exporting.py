"""The line below a table of events: paging and the CSV export."""

from typing import Any

import streamlit as st

from sentinel_core.store.read.event_list import EXPORT_LIMIT, Cursor
from viewer import data
from viewer.filters import Choice


def paging(cursors: list[Any], following: object) -> None:
    """Buttons that lead to the newest, newer and older rows, inside of a horizontal container."""
    st.button("Newest", on_click=cursors.clear, disabled=not cursors, key="newest")
    st.button("Newer", on_click=_back, args=(cursors,), disabled=not cursors, key="newer")
    st.button(
        "Older", on_click=cursors.append, args=(following,), disabled=following is None, key="older"
    )
    st.markdown(f":gray[page {len(cursors) + 1}]", width="content")


def _back(cursors: list[Any]) -> None:
    if cursors:
        cursors.pop()


def csv_button(wanted: Choice) -> None:
    """The button that downloads the filtered events."""
    st.download_button(
        "CSV",
        data=lambda: data.csv(wanted),
        file_name=f"sentinel-events-{data.now():%Y%m%d-%H%M%S}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="csv",
        help=f"The filtered events, at most {EXPORT_LIMIT:,}; a last line says if there are "
        "more. Messages are cut at 2,000 characters.",
    )


def foot(cursors: list[Cursor], following: Cursor | None, wanted: Choice, key: str) -> None:
    """Paging and export below a list of events."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"foot-{key}", gap="small"):
        paging(cursors, following)
        csv_button(wanted)
