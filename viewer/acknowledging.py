"""What the dialogs that change something share: who does it, and what is said afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from viewer import access, data
from viewer.escape import plain

_WHO = "who"
_RESULT = "result"
_RESULT_SHOWN_FOR = timedelta(minutes=1)
UNDO_FOR = timedelta(seconds=10)
ROUND = "round"
"""Session key of a counter that each action increases, which clears selections."""


@dataclass(frozen=True, slots=True)
class Result:
    """What is said of the last action, since when, and what takes it back."""

    text: str
    at: datetime
    undo: Callable[[], None] | None = None
    failed: bool = False


def show_result() -> None:
    """Show the result of the last action for a minute, and for ten seconds a button to undo it."""
    kept = st.session_state.get(_RESULT)
    if kept is None or data.now() - kept.at >= _RESULT_SHOWN_FOR:
        return
    color, icon = ("red", "error") if kept.failed else ("green", "check")
    st.markdown(f":{color}-badge[:material/{icon}: {kept.text}]", width="content")
    if kept.undo and data.now() - kept.at < UNDO_FOR:
        st.button("Undo", key="undo", on_click=kept.undo, icon=":material/undo:")


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


def keep_result(text: str, undo: Callable[[], None] | None = None, *, failed: bool = False) -> None:
    """Keep the result of an action for `show_result`, and clear selections."""
    st.session_state[_RESULT] = Result(text, data.now(), undo, failed)
    clear_selections()


def clear_selections() -> None:
    """Select nothing any more."""
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def forget_result() -> None:
    """Forget the result of the last action, as the next one begins."""
    st.session_state.pop(_RESULT, None)
