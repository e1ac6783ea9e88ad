"""The blotter, or one event of it: `?event=ID`, the address that messages link to."""

import streamlit as st

from viewer import blotter, event_page

if "event" in st.query_params:
    event_page.draw(st.query_params["event"])
else:
    blotter.draw()
