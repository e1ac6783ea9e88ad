"""The blotter's server: `streamlit run viewer/app.py` from the repository root."""

import streamlit as st
from starlette.middleware import Middleware

from viewer.protection import Protection

app = st.App("navigation.py", middleware=[Middleware(Protection)])
