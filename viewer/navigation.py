"""The pages and what they share. The script that viewer/app.py serves."""

from pathlib import Path

import streamlit as st

# A local file: icons by name are fetched from a server on the internet.
ICON = Path(__file__).with_name("icon.svg")

st.set_page_config(page_title="Sentinel", page_icon=str(ICON), layout="wide")
# Hides Streamlit's own CSV export of tables, which would pass formulas to spreadsheets.
st.html("<style>[data-testid='stElementToolbar'] {display: none}</style>")
st.navigation(
    [st.Page("pages/blotter.py", title="Blotter", icon=":material/notifications:", default=True)],
    position="top",
).run()
