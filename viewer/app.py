"""Navigation only. `streamlit run viewer/app.py` from the repository root."""

from pathlib import Path

import streamlit as st

# A file of our own: icons by name are fetched from a server on the internet
ICON = Path(__file__).with_name("icon.svg")

st.set_page_config(page_title="Sentinel", page_icon=str(ICON), layout="wide")
# Tables offer a CSV of their own that would hand formulas to a spreadsheet; ours does not.
st.html("<style>[data-testid='stElementToolbar'] {display: none}</style>")
st.navigation(
    [st.Page("pages/blotter.py", title="Blotter", icon=":material/notifications:", default=True)],
    position="top",
).run()
