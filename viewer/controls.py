"""The filter row. Every control is bound to a query parameter of its own name."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, cast

import streamlit as st

from sentinel_core.store.read.overview import Facets
from sentinel_core.store.read.views import View
from viewer import acknowledging, columns, filters, rows, saved_views
from viewer.bound import bound, understood
from viewer.filters import Choice


def draw(
    known: Facets, where: tzinfo, views: Sequence[View] = ()
) -> tuple[Choice, tuple[str, ...]]:
    """Draw the filter row; returns the choices made in it, and the columns to show."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        view = st.segmented_control(
            "View",
            filters.VIEWS,
            default="live",
            required=True,
            label_visibility="collapsed",
            help="live: unacknowledged critical and high, and the others while they are due",
            **bound("view"),
        )
        quick = st.segmented_control(
            "Quick",
            filters.QUICK,
            default="all",
            required=True,
            label_visibility="collapsed",
            help="critical: and high; mine: assigned to you, or acknowledged by you",
            **bound("quick"),
        )
        span = filters.DEFAULT_RANGE
        if view == "all":
            span = st.segmented_control(
                "Range",
                tuple(filters.RANGES),
                default=filters.DEFAULT_RANGE,
                required=True,
                label_visibility="collapsed",
                **bound("range"),
            )
        text = st.text_input(
            "Search",
            placeholder="Search message, ticker, rule",
            type="search",
            max_chars=200,
            label_visibility="collapsed",
            width=230,
            **bound("q"),
        )
        more = _more(known, where)
        sort = st.selectbox(
            "Sort", filters.SORTS, label_visibility="collapsed", width=170, **bound("sort")
        )
        size = st.selectbox(
            "Rows",
            filters.SIZES,
            index=1,
            label_visibility="collapsed",
            width=80,
            help="rows on a page",
            **bound("size"),
        )
        shown = columns.chosen(rows.ALL_COLUMNS, rows.COLUMNS)
        chosen_quick = None if quick == "all" else quick
        me = acknowledging.whoever() if quick == "mine" else ""
        choice = Choice(
            view=view,
            quick=chosen_quick,
            range=span,
            q=text or "",
            sort=sort,
            size=size,
            me=me,
            **more,
        )
        saved_views.draw(views, choice, shown)
    return choice, shown


def _more(known: Facets, where: tzinfo) -> dict[str, Any]:
    """The filters behind the button, whose label has the number of active ones."""
    names = ("importance", "category", "status", "kind", "state", "rule", "environment")
    times = ("since", "until")
    typed = ("ticker", "storm")
    active = sum(_is_set(name) for name in (*names, *typed, *times))
    label = f"Filters ({active})" if active else "Filters"
    kind = "primary" if active else "secondary"
    with st.popover(label, icon=":material/filter_list:", type=cast("Any", kind), key="more"):
        offered = {
            "importance": filters.IMPORTANCES,
            "category": filters.categories(known),
            "status": filters.STATUSES,
            "kind": filters.KINDS,
        }
        chosen: dict[str, Any] = {
            name: tuple(
                st.pills(name.title(), options, selection_mode="multi", **bound(name)) or ()
            )
            for name, options in offered.items()
        }
        chosen["state"] = tuple(
            st.multiselect("Prefect state", filters.STATES, **bound("state")) or ()
        )
        chosen["rule"] = tuple(st.multiselect("Rule", known.rules, **bound("rule")) or ())
        chosen["environment"] = tuple(
            st.multiselect("Environment", known.environments, **bound("environment")) or ()
        )
        ticker, storm = st.columns(2)
        chosen["ticker"] = (
            ticker.text_input("Ticker (exactly)", max_chars=200, **bound("ticker")) or ""
        )
        chosen["storm"] = (
            storm.text_input("Storm (its number)", max_chars=20, **bound("storm")) or ""
        )
        first, last = st.columns(2)
        for name, place, title in (("since", first, "Not before"), ("until", last, "Before")):
            moment = place.datetime_input(title, value=None, **bound(name))
            chosen[name] = aware(moment, where)
        st.button("Clear", on_click=_clear, args=((*names, *typed, *times),), disabled=not active)
    return chosen


def _is_set(name: str) -> bool:
    """True for a filter that narrows, also before its control has been drawn for the first time."""
    in_page = name in st.session_state
    value = st.session_state[name] if in_page else st.query_params.get(name)
    if name in ("since", "until") and not in_page:
        return bool(value) and filters.is_time(str(value))
    if name == "storm":  # anything but a number filters nothing
        return filters.storm_number(value or "") is not None
    return bool(value)


def aware(moment: datetime | None, where: tzinfo) -> datetime | None:
    """A time that was typed, as one of the viewer's zone."""
    return moment.replace(tzinfo=where) if moment else None


def _clear(names: tuple[str, ...]) -> None:
    for name in names:
        empty: Any = (
            None if name in ("since", "until") else "" if name in ("ticker", "storm") else []
        )
        st.session_state[name] = empty
    understood()
