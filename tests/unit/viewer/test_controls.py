"""The filter row gives times in the zone of whoever looks, not in the machine's."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import labels_of_popovers


@pytest.fixture
def machine_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _filter_row_in_tokyo() -> None:
    from zoneinfo import ZoneInfo

    import streamlit as st

    from sentinel_core.store.read.overview import Facets
    from viewer import controls

    st.session_state["drawn"], _ = controls.draw(Facets((), (), ()), ZoneInfo("Asia/Tokyo"))


@pytest.mark.usefixtures("machine_in_new_york")
def test_a_time_that_is_typed_is_one_in_the_viewers_zone() -> None:
    app = AppTest.from_function(_filter_row_in_tokyo)
    app.query_params["since"] = "2026-11-20T12:00"
    app.query_params["until"] = "2026-11-20T18:30"
    app.run()
    assert not app.exception
    choice = app.session_state["drawn"]
    assert choice.since == datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    assert choice.until == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "label"),
    [("2026-11-20T12:00", "Filters (1)"), ("2026-11-20T12:00:00Z", "Filters"), ("soon", "Filters")],
)
def test_the_filters_are_counted_that_are_understood(since: str, label: str) -> None:
    app = AppTest.from_function(_filter_row_in_tokyo)
    app.query_params["since"] = since
    app.run()
    assert label in labels_of_popovers(app.main)
