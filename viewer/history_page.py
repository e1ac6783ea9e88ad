"""The page of everything that happened: all columns of events, by time, importance, state, text."""

from typing import Any

import streamlit as st

from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.filters import COUNT_CAP
from viewer import columns, controls, data, exporting, filters, rows
from viewer.bound import (
    ROW_HEIGHT,
    bound,
    choice,
    height,
    not_understood,
    readable,
    search,
    several,
)
from viewer.escape import number, plain
from viewer.filters import Choice

_CURSORS, _CHOICE = "history cursors", "history choice"
_RANGES = tuple(filters.RANGES)
_OFFERED = {
    "range": _RANGES,
    "importance": filters.IMPORTANCES,
    "state": filters.STATES,
    "sort": filters.SORTS,
    "size": filters.SIZES,
    "columns": rows.HISTORY_COLUMNS,
}
_FREE = ("q", "since", "until")


def draw() -> None:
    """Draw the page."""
    with readable("Events"):
        wanted, shown = _controls()
        if st.session_state.get(_CHOICE) != wanted:
            st.session_state[_CHOICE], st.session_state[_CURSORS] = wanted, []
        cursors: list[Cursor] = st.session_state[_CURSORS]
        page = data.page(wanted, cursors[-1] if cursors else None).page
        total = data.count(wanted)
        words = filters.shown_window(wanted, data.now(), data.local_zone())
        noun = "event" if total == 1 else "events"
        zone = plain(st.context.timezone or "UTC")
        st.markdown(f":gray[{number(total, COUNT_CAP)} {noun} {words}, times in {zone}]")
        if page.rows:
            _table(page.rows, shown)
        else:
            st.info("No event matches these filters.", icon=":material/search_off:")
        exporting.foot(cursors, lambda: page.following, wanted, "history")


def _controls() -> tuple[Choice, tuple[str, ...]]:
    where = data.local_zone()
    not_understood("history", lambda given: filters.not_among(given, _OFFERED, _FREE))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        span = st.segmented_control(
            "Range",
            _RANGES,
            default="7d",
            required=True,
            label_visibility="collapsed",
            **bound("range"),
        )
        text = search("Search message, ticker, rule")
        times: dict[str, Any] = {}
        with st.popover("Dates", icon=":material/calendar_month:"):
            for name, title in (("since", "Not before"), ("until", "Before")):
                moment = st.datetime_input(title, value=None, **bound(name))
                times[name] = controls.aware(moment, where)
        sort = choice("Sort", filters.SORTS, width=170)
        size = choice("Size", filters.SIZES, 1, 80)
        shown = columns.chosen(rows.HISTORY_COLUMNS, rows.HISTORY_COLUMNS)
    with st.container(horizontal=True, gap="medium", key="levels"):
        importance = several("Importance", filters.IMPORTANCES)
        state = several("State", filters.STATES)
    wanted = Choice(
        view="all",
        range=span,
        q=text,
        importance=importance,
        state=state,
        sort=sort,
        size=size,
        **times,
    )
    return wanted, shown


def _table(events: list[dict[str, Any]], shown: tuple[str, ...]) -> None:
    frame = rows.table(events, data.settings(), shown, "./event")
    link = st.column_config.LinkColumn(
        "Event", width=64, display_text=r"event=(\d+)", pinned=True, help="everything about it"
    )
    st.dataframe(
        frame,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(frame)),
        placeholder="",
        column_config={**columns.config(events), "id": link},
    )
