"""The dialog that acknowledges: it lists the exact events and asks for a name."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.record.change import COMMENT_LIMIT
from sentinel_core.wording.text import counted
from viewer import data, rows
from viewer.escape import plain

_RESULT = "result"
_RESULT_SHOWN_FOR = timedelta(minutes=1)
ROUND = "round"
"""Session key of a counter that each acknowledgement increases, which clears selections."""


def show_result() -> None:
    """Show the result of the last acknowledgement or approval, for a minute."""
    text, at = st.session_state.get(_RESULT, ("", None))
    if at and data.now() - at < _RESULT_SHOWN_FOR:
        st.markdown(f":green-badge[:material/check: {text}]", width="content")


def signed_in() -> str | None:
    """The name of the signed-in person; None without authentication."""
    try:
        if not st.user.is_logged_in:
            return None
    except AttributeError:  # Streamlit raises it if no authentication is configured
        return None
    return str(st.user.get("name") or st.user.get("email") or "") or None


def whoever() -> str:
    """The signed-in person, else the name that was last given here, else that of the settings."""
    return signed_in() or str(st.session_state.get("who", data.settings().user))


@st.dialog("Acknowledge", width="large")
def ask(events: Sequence[Mapping[str, Any]]) -> None:
    """Ask for a comment and acknowledge exactly these events, whatever has arrived since."""
    st.session_state.pop(_RESULT, None)
    st.dataframe(
        rows.chosen(events),
        hide_index=True,
        height=min(36 * (len(events) + 1), 330),
        column_config={
            "id": st.column_config.NumberColumn(width=60, format="%d"),
            "Time": st.column_config.DatetimeColumn(
                format="MM-DD HH:mm:ss", timezone=st.context.timezone or "UTC", width=110
            ),
            "Importance": st.column_config.TextColumn(width=80),
            "Rule": st.column_config.TextColumn(width=140),
            "Ticker": st.column_config.TextColumn(width=90),
            "Message": st.column_config.TextColumn(width="large"),
        },
        key="acknowledge-list",
    )
    comment = st.text_input(
        "Comment (optional)", max_chars=COMMENT_LIMIT, key="acknowledge-comment"
    )
    by = signed_in()
    if by:
        st.caption(f"Acknowledged by {plain(by)}")
    else:
        default = st.session_state.get("who", data.settings().user)
        by = st.text_input("Your name", default, max_chars=100, key="acknowledge-by")
    label = f"Acknowledge {counted(len(events), 'event')}"
    if st.button(label, type="primary", key="acknowledge-confirm"):
        _acknowledge(events, by, comment)


def _acknowledge(events: Sequence[Mapping[str, Any]], by: str, comment: str) -> None:
    if not by.strip():
        st.error("Say who acknowledges: the name is part of the record.")
        return
    try:
        result = data.acknowledge([event["id"] for event in events], by, comment)
    except SentinelError as error:
        st.error(f"Nothing was acknowledged: {plain(error)}.")
        return
    st.session_state["who"] = by
    keep_result(rows.acknowledged(result))
    st.rerun()


def keep_result(text: str) -> None:
    """Keep the result of an action for `show_result`, and clear selections."""
    st.session_state[_RESULT] = (text, data.now())
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
