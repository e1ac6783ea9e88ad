"""The pages and what they share. The script that viewer/app.py serves."""

from pathlib import Path

import streamlit as st

from viewer.places import BLOTTER, PLACES, PRODUCT

# Local files: icons by name are fetched from a server on the internet.
ICON = Path(__file__).with_name("icon.svg")
WORDMARK = Path(__file__).with_name("wordmark.svg")

st.set_page_config(page_title=PRODUCT, page_icon=str(ICON), layout="wide")
# Hides Streamlit's own CSV export of tables, which would pass formulas to spreadsheets.
st.html("<style>[data-testid='stElementToolbar'] {display: none}</style>")
st.logo(str(WORDMARK), size="large")
st.navigation(
    [
        st.Page(
            place.script,
            title=place.title,
            icon=place.icon,
            url_path=place.address,
            default=place is BLOTTER,
        )
        for place in PLACES
    ],
    position="top",
).run()
