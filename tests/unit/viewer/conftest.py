"""Pages run over a real store, without a server or a browser."""

import contextlib
from collections.abc import Iterator

import pytest
import streamlit as st
from sqlalchemy import Engine

from sentinel_core.base.errors import SentinelError
from tests.support.app_pages import RunPage, run_page
from viewer import data


@pytest.fixture
def page(store: Engine) -> Iterator[RunPage]:
    """Runs the script of a page over the store of this test."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield run_page
    with contextlib.suppress(SentinelError):
        data.engine().dispose()
