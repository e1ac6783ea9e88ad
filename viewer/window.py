"""What the browser's window tells the blotter, and is told: window.js has the other half.

The window writes into a text field that nobody sees. Anybody can write anything there: what is not
understood is left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from viewer.keys import MEANINGS
from viewer.live import BUTTON
from viewer.news import address
from viewer.places import EVENT

_FIELD, _PLACE, _LINK = "window", "out-of-sight", "open-event"
_MOST_TEXT = 4_000
_WIDEST = 10_000  # pixels
_HIDDEN = f"<style>.st-key-{_PLACE}, .st-key-{_LINK} {{display: none}}</style>"
_SCRIPT = f"<script>\n{Path(__file__).with_name('window.js').read_text('utf-8')}</script>"


@dataclass(frozen=True, slots=True)
class Told:
    """What the window told: the width of the page in pixels, if it has yet, and the keys pressed
    lately, each with a number that grows."""

    width: int | None = None
    pressed: tuple[tuple[float, str], ...] = ()


def listen() -> Told:
    """Draw what nobody sees; what the window told."""
    st.html(_HIDDEN)
    with st.container(key=_PLACE):
        st.html(_SCRIPT, unsafe_allow_javascript=True)
        text = st.text_input("Window", max_chars=_MOST_TEXT, key=_FIELD)
    return read(text or "")


def tell(
    told: Told,
    cursor: int | None,
    opened: tuple[float, int] | None,
    news: str | None,
    critical: Sequence[int] | None,
    alerts: Sequence[str],
) -> None:
    """Tell the window what was understood of what it told, which row has the cursor, and the ids of
    the newest critical events.

    `opened`: the number of the last key that opened an event, and the event. It is told for as long
    as the page is shown, for an answer may be overtaken by the next; the window opens it once.
    `news`: the word for what is drawn, with which the window asks for more; None: it does not ask.
    """
    if opened:
        _link(opened[1])
    now = {
        "width": told.width,
        "heard": told.pressed[-1][0] if told.pressed else 0,
        "row": cursor,
        "open": opened[0] if opened else 0,
        "news": news,
        "asks": address(),
        "draws": f".st-key-{BUTTON} button",
        "critical": None if critical is None else list(critical),
        "title": "title" in alerts,
        "ring": "sound" in alerts,
    }
    script = f"<script>\nwindow.sentinelWindow?.now({json.dumps(now)})</script>"
    st.html(script, unsafe_allow_javascript=True)


def _link(event: int) -> None:
    """Draw a link to the page of an event, which nobody sees and the window clicks.

    Not `st.switch_page`, after which the blotter asks for news until the browser hears of the other
    page: an answer to that empties the other page.
    """
    with st.container(key=_LINK):
        st.page_link(EVENT.script, label="Open", query_params={"event": str(event)})


def read(text: str) -> Told:
    """What the window wrote. Pure."""
    try:
        told = json.loads(text[:_MOST_TEXT])
    except (ValueError, RecursionError):
        return Told()
    if not isinstance(told, dict):
        return Told()
    width, keys = told.get("width"), told.get("keys")
    known = isinstance(width, int) and 0 < width <= _WIDEST
    pressed = [item for item in keys if _is_press(item)] if isinstance(keys, list) else []
    return Told(width if known else None, tuple((at, key) for at, key in pressed))


def _is_press(item: object) -> bool:
    if not isinstance(item, list) or len(item) != len(("at", "key")):
        return False
    at, key = item
    return isinstance(at, int | float) and isinstance(key, str) and key in MEANINGS
