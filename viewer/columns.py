"""The columns of tables of events: how each is drawn, and the control that chooses them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from sentinel_core.wording.colours import COLOURS
from viewer import rows
from viewer.bound import bound, time_column

_TIMES = ("Last seen", "Resolved", "Acknowledged", "Run started", "Run ended")


def chosen(offered: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Draw the control; the columns to show, in the order they are offered in."""
    with st.popover("Columns", icon=":material/view_column:", key="choose-columns"):
        picked = st.pills(
            "Columns",
            offered,
            selection_mode="multi",
            default=list(usual),
            help="The address keeps your choice: copy it to share this view.",
            **bound("columns"),
        )
    return rows.in_order(picked or (), offered, usual)


def config(events: Sequence[rows.Row]) -> dict[str, Any]:
    """How each column is drawn."""
    column = st.column_config
    states = rows.state_badges(events)
    return {
        "Time": time_column(),
        "Importance": column.MultiselectColumn(
            options=list(COLOURS), color=list(COLOURS.values()), width=80
        ),
        "Rule": column.TextColumn(width=140),
        "Ticker": column.TextColumn(width=90),
        "Message": column.TextColumn(width=410),
        "State": column.MultiselectColumn(
            options=list(states), color=list(states.values()), width=96, help="Prefect state"
        ),
        "Status": column.TextColumn(
            width=100,
            help="muted: the newest message about it was held back; not delivered: a channel did "
            "not take a message about it, for good",
        ),
        "Category": column.TextColumn(width=72),
        "Occurrences": column.NumberColumn("×", format="%d", width=46, help="occurrences"),
        "Run": column.LinkColumn(width=64, display_text="Prefect", help="flow run in Prefect"),
        "id": column.LinkColumn(
            "Event", width=64, display_text=r"event=(\d+)", help="everything about the event"
        ),
        "By": column.TextColumn(help="who acknowledged it", width=90),
        **{name: time_column() for name in _TIMES},
    }
