"""The blotter, or one event with `?event=ID`, the address in notifications."""

import streamlit as st

from viewer import blotter, event_page

if "event" in st.query_params:
    event_page.draw(st.query_params["event"])
else:
    blotter.draw()
