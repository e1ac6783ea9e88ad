"""What the dialogs that change something share: who does it, and what is said afterwards."""

from datetime import timedelta

import streamlit as st

from viewer import access, data
from viewer.escape import plain

_WHO = "who"
_RESULT = "result"
_RESULT_SHOWN_FOR = timedelta(minutes=1)
ROUND = "round"
"""Session key of a counter that each action increases, which clears selections."""


def show_result() -> None:
    """Show the result of the last action, for a minute."""
    text, at = st.session_state.get(_RESULT, ("", None))
    if at and data.now() - at < _RESULT_SHOWN_FOR:
        st.markdown(f":green-badge[:material/check: {text}]", width="content")


def signed_in() -> str | None:
    """The verified name of whoever looks; None without a login."""
    return access.person().name


def whoever() -> str:
    """The signed-in person, else the name that was last given here, else that of the settings."""
    return signed_in() or str(st.session_state.get(_WHO, data.settings().user))


def asked_name(action: str) -> str:
    """The name under which an action is recorded: of the login, else as typed in a field."""
    if by := signed_in():
        st.caption(f"In the name of {plain(by)}")
        return by
    default = st.session_state.get(_WHO, data.settings().user)
    return st.text_input("Your name", default, max_chars=100, key=f"{action}-by") or ""


def remember_name(name: str) -> None:
    """Remember the name given, which the next dialog offers."""
    st.session_state[_WHO] = name


def keep_result(text: str) -> None:
    """Keep the result of an action for `show_result`, and clear selections."""
    st.session_state[_RESULT] = (text, data.now())
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def forget_result() -> None:
    """Forget the result of the last action, as the next one begins."""
    st.session_state.pop(_RESULT, None)
