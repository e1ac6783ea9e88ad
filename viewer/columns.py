"""The columns of tables of events: how each is drawn, and the control that chooses them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from sentinel_core.wording.colours import COLOURS
from viewer import rows
from viewer.bound import bound, time_column

_TIMES = ("Last seen", "Resolved", "Acknowledged", "Run started", "Run ended")
_WIDTHS = {
    "Time": 112,
    "Importance": 80,
    "Rule": 140,
    "Ticker": 90,
    "State": 96,
    "Status": 122,
    "Category": 72,
    "Occurrences": 54,
    "Run": 64,
    "Event": 64,
    "By": 90,
    **dict.fromkeys(_TIMES, 112),
}
_USUAL_WIDTH = 110  # of a column that is as wide as what is in it
_MESSAGE = (360, 875)  # the least, and the most that Streamlit draws
_COUNT = "Count"
_FRAME = 40  # the ticks before the rows, and the table's border


def message_width(available: int | None, shown: Sequence[str]) -> int:
    """The width of the messages in a table of these columns: what the others leave. Pure."""
    least, most = _MESSAGE
    if available is None:
        return least
    others = sum(_WIDTHS.get(name, _USUAL_WIDTH) for name in shown if name != "Message")
    return max(least, min(most, available - _FRAME - others))


def chosen(offered: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Draw the control; the columns to show, in the order they are offered in."""
    with st.popover("Columns", icon=":material/view_column:", key="choose-columns"):
        picked = st.pills(
            "Columns",
            offered,
            selection_mode="multi",
            default=list(usual),
            format_func=lambda name: _COUNT if name == "Occurrences" else name,
            help="The address keeps your choice: copy it to share this view.",
            **bound("columns"),
        )
    return rows.in_order(picked or (), offered, usual)


def config(events: Sequence[rows.Row], message: int = _MESSAGE[0]) -> dict[str, Any]:
    """How each column is drawn, the messages in so many pixels."""
    column, wide = st.column_config, _WIDTHS
    states = rows.state_badges(events)
    return {
        "Time": time_column(),
        "Importance": column.MultiselectColumn(
            options=list(COLOURS), color=list(COLOURS.values()), width=wide["Importance"]
        ),
        "Rule": column.TextColumn(width=wide["Rule"]),
        "Ticker": column.TextColumn(width=wide["Ticker"]),
        "Message": column.TextColumn(width=message),
        "State": column.MultiselectColumn(
            options=list(states),
            color=list(states.values()),
            width=wide["State"],
            help="Prefect state",
        ),
        "Status": column.TextColumn(
            width=wide["Status"],
            help="muted: the newest message about it was held back; not delivered: a channel did "
            "not take a message about it, for good",
        ),
        "Category": column.TextColumn(width=wide["Category"]),
        "Occurrences": column.NumberColumn(
            _COUNT, format="%d", width=wide["Occurrences"], help="occurrences"
        ),
        "Run": column.LinkColumn(
            width=wide["Run"], display_text="Prefect", help="flow run in Prefect"
        ),
        "id": column.LinkColumn(
            "Event",
            width=wide["Event"],
            display_text=r"event=(\d+)",
            help="everything about the event",
        ),
        "By": column.TextColumn(help="who acknowledged it", width=wide["By"]),
        **{name: time_column() for name in _TIMES},
    }
