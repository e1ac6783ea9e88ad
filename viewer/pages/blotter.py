"""The blotter, or one event of it: `?event=ID`, the address that messages link to."""

import streamlit as st

from viewer import board, detail

if "event" in st.query_params:
    detail.draw(st.query_params["event"])
else:
    board.draw()
