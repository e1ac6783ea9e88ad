"""The hosts on the page System."""

from datetime import UTC, datetime, timedelta

import streamlit as st
from sqlalchemy import Engine, insert

from sentinel_core.decide.hosts import Host, Sample
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import HOST
from sentinel_core.store.record.hosts import note_host
from tests.support.app_pages import RunPage, words
from viewer.hosts import POINTS, lately, state, table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def host(*cpu: float | None, at: datetime = NOON) -> Host:
    """One sample a minute, the last one then."""
    times = [at - timedelta(minutes=len(cpu) - 1 - n) for n in range(len(cpu))]
    return Host("w-1", tuple(Sample(t, c, 50, 95) for t, c in zip(times, cpu, strict=True)))


def test_a_row_says_what_is_wrong_in_words() -> None:
    [row] = table([host(None, 90)], NOON, UTC)
    assert (row["Host"], row["State"]) == ("w-1", "above the limit: CPU, Disk")
    assert (row["CPU"], row["CPU, 24 h"], row["Disk, 24 h"]) == (90, [90], [95, 95])
    gone = host(1, at=NOON - timedelta(minutes=11))
    assert state(gone, NOON, UTC) == "not heard of since 11:49:00"


def test_what_was_not_measured_is_not_said_to_be_within_its_limit() -> None:
    assert state(host(None), NOON, UTC) == "above the limit: Disk; CPU not measured yet"
    new = Host("w-1", (Sample(NOON, None, 50, 50),))
    assert state(new, NOON, UTC) == "within its limits; CPU not measured yet"


def test_a_day_is_drawn_in_so_many_parts_and_no_peak_is_lost() -> None:
    values = [1.0] * 1440
    values[700] = 99.0
    drawn = lately(host(*values), "cpu")
    assert len(drawn) == POINTS
    assert max(drawn) == 99
    assert lately(host(None), "cpu") == []


def test_the_page_has_the_hosts_of_the_store(page: RunPage, store: Engine) -> None:
    assert "No run has told of its host" in words(page("system"))
    note_host(store, "worker-7", Sample(datetime.now(UTC), 12.0, 34.0, 56.0))
    st.cache_data.clear()
    app = page("system")
    [frame] = [f.value for f in app.dataframe if "Host" in f.value.columns]
    assert list(frame["Host"]) == ["worker-7"]
    assert "hosts are shown" not in words(app)


def test_the_page_says_how_many_hosts_it_does_not_show(page: RunPage, store: Engine) -> None:
    with writing(store) as connection:
        sample = {"at": datetime.now(UTC), "cpu": 1.0, "memory": 1.0, "disk": 1.0}
        connection.execute(insert(HOST), [{"host": f"w-{n:02}", **sample} for n in range(73)])
    note_host(store, "worker-7", Sample(datetime.now(UTC), 12.0, 34.0, 99.0))
    st.cache_data.clear()
    app = page("system")
    [frame] = [f.value for f in app.dataframe if "Host" in f.value.columns]
    assert list(frame["Host"])[:2] == ["worker-7", "w-00"]
    assert "50 of 74 hosts are shown" in words(app)
