"""Working through the blotter with the keyboard: a row with a cursor, and what the keys do to it.

The cursor is of an event, not of a place: new rows above it do not move it to another event.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from viewer import access, acknowledging, changing, keys, selection, silencing
from viewer.keys import Walk
from viewer.roles import Action
from viewer.window import Told

Events = Sequence[Mapping[str, Any]]

_CURSOR, _HEARD, _OPENED = "cursor", "heard", "opened"


def begin(told: Told) -> None:
    """Let a new session answer none of the keys that an earlier one had.

    To be called as soon as the window is listened to: what is pressed while the page is drawn for
    the first time is new.
    """
    st.session_state.setdefault(_HEARD, _last(told))


def follow(told: Told, events: Events, table: str) -> Walk:
    """Move the cursor and the selection of a table, which is not yet drawn, as the keys say."""
    chosen = selection.selected(table, len(events))
    walk = keys.walk(_new(told), _cursor(events), chosen, len(events))
    if walk.at is not None:
        st.session_state[_CURSOR] = (events[walk.at]["id"], walk.at)
        if walk.action == keys.OPEN:
            st.session_state[_OPENED] = (_last(told), int(events[walk.at]["id"]))
    if list(walk.selected) != sorted(chosen):
        selection.select(table, walk.selected)
    return walk


def _last(told: Told) -> float:
    return told.pressed[-1][0] if told.pressed else 0


def _new(told: Told) -> list[str]:
    """The keys that were not answered yet."""
    heard = st.session_state.get(_HEARD, 0)
    st.session_state[_HEARD] = max(heard, _last(told))
    return [key for at, key in told.pressed if at > heard]


def _cursor(events: Events) -> int | None:
    """The row of the event with the cursor; the one in its place if it has left."""
    if _CURSOR not in st.session_state or not events:
        return None
    event, place = st.session_state[_CURSOR]
    found = [row for row, listed in enumerate(events) if listed["id"] == event]
    return found[0] if found else min(place, len(events) - 1)


def opened() -> tuple[float, int] | None:
    """The last key that opened an event, and the event: for the window, which follows the link."""
    return st.session_state.get(_OPENED)


def act(walk: Walk, events: Events) -> None:
    """Do what the last key asks for, to what is selected, else to the row with the cursor."""
    rows = walk.selected or (() if walk.at is None else (walk.at,))
    meant = [events[row] for row in rows]
    if walk.action == keys.HELP:
        show()
    elif walk.action == keys.SILENCE and access.allowed(Action.SILENCES):
        acknowledging.forget_result()
        silencing.ask(silencing.common(meant))
    elif meant and access.allowed(Action.EVENTS):
        if walk.action == keys.ACKNOWLEDGE:
            changing.ask("acknowledge", meant)
        elif walk.action == keys.SNOOZE:
            changing.ask("snooze", meant)


@st.dialog("Keys")
def show() -> None:
    """Say what the keys do."""
    lines = "\n".join(f"| `{key}` | {meaning} |" for key, meaning in keys.MEANINGS.items())
    st.markdown(f"| Key | What it does |\n|:--|:--|\n{lines}")
    st.caption("They do nothing while you type in a field, or while a dialog or a menu is open.")
