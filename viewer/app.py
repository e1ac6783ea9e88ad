"""The viewer's server, which `sentinel viewer` starts with the settings in streamlit.toml."""

import streamlit as st
from starlette.middleware import Middleware

from viewer.news import News
from viewer.protection import Protection
from viewer.unknown import Unknown

app = st.App(
    "navigation.py", middleware=[Middleware(Protection), Middleware(News), Middleware(Unknown)]
)
