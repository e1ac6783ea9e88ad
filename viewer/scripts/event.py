"""One event's whole story: /event?event=ID."""

import streamlit as st

from viewer import event_page

event_page.draw(st.query_params.get("event"))
