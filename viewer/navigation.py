"""The pages and what they share. The script that viewer/app.py serves."""

from pathlib import Path

import streamlit as st

from viewer import gate
from viewer.bound import is_dark
from viewer.places import BLOTTER, PLACES, PRODUCT

# Local files: icons by name are fetched from a server on the internet.
ICON = Path(__file__).with_name("icon.svg")
WORDMARK = Path(__file__).with_name("wordmark.svg")

st.set_page_config(page_title=PRODUCT, page_icon=str(ICON), layout="wide")
# Hides Streamlit's own CSV export of tables, which would pass formulas to spreadsheets. Makes what
# is chosen legible: on a dark ground, the theme's own colour is too dark for text. A wide table
# of silences is moved by itself, not the page. And a long name in a sentence is broken where it has
# to be, or a phone would show its table cut off.
chosen = "#a5d6ff" if is_dark() else "#0550ae"
st.html(
    "<style>[data-testid='stElementToolbar'] {display: none} "
    f"button[data-selected='true'] p {{color: {chosen}}} "
    ".st-key-mutes {overflow-x: auto} "
    "[data-testid='stMarkdownContainer'] td:last-child {overflow-wrap: anywhere}</style>"
)
st.logo(str(WORDMARK), size="large")
may_read = gate.open_to()
st.navigation(
    [
        st.Page(
            # The same addresses for everybody, or a link would be answered with "not found".
            place.script if may_read else gate.draw,
            title=place.title,
            icon=place.icon,
            url_path=place.address,
            default=place is BLOTTER,
        )
        for place in PLACES
    ],
    position="top" if may_read else "hidden",
).run()
if may_read:
    gate.foot()
