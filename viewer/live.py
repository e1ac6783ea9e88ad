"""Shows what is new within a second or so: looks each second, and has the blotter drawn if needed.

Streamlit reruns a fragment at an interval or for a widget in it, and draws all of it each time. So
this fragment, which draws nothing, looks, and presses a button of the blotter's that nobody sees.
"""

import streamlit as st

from sentinel_core.base.errors import SentinelError
from viewer import data

LOOK_SECONDS = 1
_BUTTON, _SEEN = "draw-now", "seen"
_HIDDEN = f"<style>.st-key-{_BUTTON} {{display: none}}</style>"
# Something in it must differ from the last one, or the page would not run it again.
_PRESS = "<script>/* {} */ window.sentinelWindow?.press('.st-key-{} button')</script>"


def hidden_button() -> None:
    """Draw the button; it belongs into the fragment that is to be drawn."""
    st.html(_HIDDEN)
    st.button("Draw now", key=_BUTTON)


def watch() -> None:
    """Press the button if there is a new event, or somebody did something, since the last look."""
    try:
        stamp = data.stamp()
    except SentinelError:
        return  # the blotter says so, and looks again by itself
    seen = st.session_state.get(_SEEN)
    st.session_state[_SEEN] = stamp
    if seen not in (None, stamp):
        st.html(_PRESS.format(stamp, _BUTTON), unsafe_allow_javascript=True)
