"""The page of everything that happened: all columns of events, by time, importance, state, text."""

from typing import Any

import pandas as pd
import streamlit as st

from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.labels import KINDS, RESOLUTIONS, status_words
from viewer import controls, data, exporting, filters, rows
from viewer.bound import ROW_HEIGHT, bound, choice, height, readable, search, several, time_column
from viewer.escape import number, plain
from viewer.filters import Choice

_CURSORS, _CHOICE = "history cursors", "history choice"
_RANGES = tuple(filters.RANGES)


def draw() -> None:
    """Draw the page."""
    with readable("Events"):
        wanted = _controls()
        if st.session_state.get(_CHOICE) != wanted:
            st.session_state[_CHOICE], st.session_state[_CURSORS] = wanted, []
        cursors: list[Cursor] = st.session_state[_CURSORS]
        page = data.page(wanted, cursors[-1] if cursors else None)
        total = data.count(wanted)
        words = filters.shown_window(wanted, data.now(), data.local_zone())
        noun = "event" if total == 1 else "events"
        zone = plain(st.context.timezone or "UTC")
        st.markdown(f":gray[{number(total, COUNT_CAP)} {noun} {words}, times in {zone}]")
        if page.rows:
            _table(page.rows)
        else:
            st.info("No event matches these filters.", icon=":material/search_off:")
        exporting.foot(cursors, page.following, wanted, "history")


def _controls() -> Choice:
    where = data.local_zone()
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
        sort = choice("Sort", filters.SORTS)
        size = choice("Size", filters.SIZES, 1, 80)
    with st.container(horizontal=True, gap="medium", key="levels"):
        importance = several("Importance", filters.IMPORTANCES)
        state = several("State", filters.STATES)
    return Choice(
        view="all",
        range=span,
        q=text,
        importance=importance,
        state=state,
        sort=sort,
        size=size,
        **times,
    )


def _table(events: list[dict[str, Any]]) -> None:
    settings = data.settings()
    frame = pd.DataFrame([_row(event, settings) for event in events], columns=list(_COLUMNS))
    states = rows.state_badges(events)
    column = st.column_config
    st.dataframe(
        frame,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(frame)),
        placeholder="",
        column_config={
            "Event": column.LinkColumn(width=64, display_text=r"event=(\d+)", pinned=True),
            "Importance": column.MultiselectColumn(
                options=list(COLOURS), color=list(COLOURS.values()), width=84
            ),
            "Prefect state": column.MultiselectColumn(
                options=list(states), color=list(states.values()), width=96
            ),
            "Message": column.TextColumn(width=420),
            "Run": column.LinkColumn(width=64, display_text="Prefect"),
            **{name: time_column() for name in _TIMES},
        },
    )


_TIMES = ("Opened", "Last seen", "Resolved", "Acknowledged", "Run started", "Run ended")
_COLUMNS = (
    "Event",
    "Opened",
    "Importance",
    "Rule",
    "Ticker",
    "Message",
    "Prefect state",
    "Status",
    "Category",
    "Kind",
    "Occurrences",
    "Last seen",
    "Resolved",
    "How it ended",
    "Acknowledged",
    "By",
    "Comment",
    "Assigned to",
    "Disposition",
    "Run started",
    "Run ended",
    "Retries",
    "Run",
)


def _row(event: rows.Row, settings: Any) -> tuple[Any, ...]:
    state, how = event["prefect_state_name"], event["resolution"]
    return (
        f"./event?event={event['id']}",
        event["timestamp"],
        [event["importance"]],
        event["rule_name"],
        event["ticker"],
        rows.one_line(event["message"]) or "(no message)",
        [state] if state else [],
        status_words(event),
        event["category"],
        KINDS.get(event["kind"], event["kind"]),
        event["occurrences"],
        event["last_seen"],
        event["resolved_at"],
        RESOLUTIONS.get(how, how) if how else "",
        event["acknowledged_at"],
        event["acknowledged_by"] or "",
        rows.one_line(event["comment"] or ""),
        event["assigned_to"] or "",
        event["disposition"] or "",
        event["started_at"],
        event["completed_at"],
        event["retry_count"],
        rows.run_url(event, settings),
    )
