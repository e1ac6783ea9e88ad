"""The page of everything that was done: by checks, people, deliveries and Sentinel itself."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from sentinel_core.store.read import activity as store_activity
from sentinel_core.store.read.activity import ActivityPage, Place
from sentinel_core.store.read.activity_sources import ActivityFilter, Level, Source
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.labels import audit_words, system_words
from viewer import controls, data, exporting, filters, rows
from viewer.bound import (
    ROW_HEIGHT,
    bound,
    choice,
    height,
    not_understood,
    readable,
    search,
    time_column,
)
from viewer.escape import plain

SIZES = ("15", "50", "100")
LEVELS = tuple(level.value for level in Level)
SOURCES = tuple(source.value for source in Source)
TYPES = {
    (Source.CHECK, "open"): "event opened",
    (Source.CHECK, "escalate"): "importance raised",
    (Source.CHECK, "resolve"): "event resolved",
    (Source.DELIVERY, "sent"): "message sent",
    (Source.DELIVERY, "failed"): "message failed",
}
_OFFERED = {"range": tuple(filters.RANGES), "level": LEVELS, "by": SOURCES, "size": SIZES}
_FREE = ("q", "since", "until")
_LEVEL_COLOURS = {"error": "#d1242f", "warning": "#9a6700", "info": "#57606a"}
_PLACES, _CHOICE = "activity places", "activity choice"
_COLUMNS = (
    "Time",
    "Level",
    "Type",
    "Message",
    "User",
    "Rule",
    "Ticker",
    "Importance",
    "Event",
)


def draw() -> None:
    """Draw the page."""
    with readable("Activity"):
        span, wanted, size = _controls()
        chosen = (span, wanted, size)
        if st.session_state.get(_CHOICE) != chosen:
            st.session_state[_CHOICE], st.session_state[_PLACES] = chosen, []
        places: list[Place] = st.session_state[_PLACES]
        page = _page(_within(span, wanted), size, places[-1] if places else None)
        zone = plain(st.context.timezone or "UTC")
        st.markdown(f":gray[what checks, people, deliveries and the system did, times in {zone}]")
        if page.entries:
            _table(page.entries)
        elif page.following:
            st.info("Nothing here; *Older* looks further back.", icon=":material/search_off:")
        else:
            st.info("Nothing happened that matches.", icon=":material/search_off:")
        with st.container(horizontal=True, vertical_alignment="center", key="foot", gap="small"):
            exporting.paging(places, lambda: page.following, sorts=False)


def _page(wanted: ActivityFilter, size: int, after: Place | None) -> ActivityPage:
    return store_activity.activity(data.engine(), wanted, size=size, after=after)


def _within(span: str, wanted: ActivityFilter) -> ActivityFilter:
    """The filter with the time window, which ends now, unless times were given."""
    length: timedelta | None = filters.RANGES.get(span)
    if length is None or wanted.since or wanted.until:
        return wanted
    return ActivityFilter(wanted.sources, wanted.levels, data.now() - length, None, wanted.text)


def _controls() -> tuple[str, ActivityFilter, int]:
    where = data.local_zone()
    not_understood("activity", lambda given: filters.not_among(given, _OFFERED, _FREE))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        span = st.segmented_control(
            "Range",
            tuple(filters.RANGES),
            default="7d",
            required=True,
            label_visibility="collapsed",
            **bound("range"),
        )
        levels = _pills("level", LEVELS)
        sources = _pills("by", SOURCES)
        text = search("Search message, user, rule")
        with st.popover("Dates", icon=":material/calendar_month:"):
            since = st.datetime_input("Not before", value=None, **bound("since"))
            until = st.datetime_input("Before", value=None, **bound("until"))
        size = choice("Size", SIZES, 1, 80)
    wanted = ActivityFilter(
        sources=frozenset(Source(name) for name in sources),
        levels=frozenset(Level(name) for name in levels),
        since=controls.aware(since, where),
        until=controls.aware(until, where),
        text=text.strip(),
    )
    return span, wanted, int(size)


def _pills(name: str, options: tuple[str, ...]) -> tuple[str, ...]:
    chosen = st.pills(
        name, options, selection_mode="multi", label_visibility="collapsed", **bound(name)
    )
    return tuple(chosen or ())


def _table(entries: list[dict[str, Any]]) -> None:
    column = st.column_config
    frame = pd.DataFrame([row(entry) for entry in entries], columns=list(_COLUMNS))
    st.dataframe(
        frame,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(frame)),
        placeholder="",
        column_config={
            "Time": time_column(),
            "Level": column.MultiselectColumn(
                options=list(_LEVEL_COLOURS), color=list(_LEVEL_COLOURS.values()), width=76
            ),
            "Type": column.TextColumn(width=130),
            "Message": column.TextColumn(width=480),
            "User": column.TextColumn(width=90),
            "Rule": column.TextColumn(width=150),
            "Ticker": column.TextColumn(width=90),
            "Importance": column.MultiselectColumn(
                options=list(COLOURS), color=list(COLOURS.values()), width=84
            ),
            "Event": column.LinkColumn(width=64, display_text=r"event=(\d+)"),
        },
    )


def row(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """One entry as a row of the table."""
    event, importance = entry["event_id"], entry["importance"]
    kind = TYPES.get((entry["source"], entry["type"]), entry["type"].replace("-", " "))
    detail = entry.get("detail") or {}
    return (
        entry["at"],
        [entry["level"]],
        kind,
        rows.one_line(_message(entry)),
        entry["user"],
        entry["rule_name"] or str(detail.get("rule", "")),
        entry["ticker"] or "",
        [importance] if importance else [],
        f"./event?event={event}" if event else None,
    )


def _message(entry: Mapping[str, Any]) -> str:
    if entry["source"] is Source.PERSON:
        return audit_words(entry["detail"])
    if entry["source"] is Source.SYSTEM:
        return system_words(entry["type"], entry["detail"])
    parts = [str(entry["message"] or ""), str(entry["reason"] or "")]
    return " · ".join(part for part in parts if part)
