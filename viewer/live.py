"""The button that has the blotter drawn at once, which nobody sees.

viewer/window.js presses it when there is anything new: Streamlit reruns a fragment only at an
interval or for a widget in it.
"""

import streamlit as st

BUTTON = "draw-now"
_HIDDEN = f"<style>.st-key-{BUTTON} {{display: none}}</style>"


def hidden_button() -> None:
    """Draw the button; it belongs into the fragment that is to be drawn."""
    st.html(_HIDDEN)
    st.button("Draw now", key=BUTTON)
