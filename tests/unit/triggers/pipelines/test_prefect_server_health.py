"""What is an alert about Prefect's server and what is not known, as tables."""

import sqlite3
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.support.endpoint import http_endpoint
from triggers.pipelines.prefect_server_health import PrefectServerHealth
from triggers.pipelines.server_facts import Reading, database, size


@pytest.mark.parametrize(
    ("aspect", "value", "problem", "triggered"),
    [
        ("api", 2, None, False),
        ("api", 2.1, None, True),
        ("events", 120, None, False),
        ("events", 121, None, True),
        ("events", None, "no_data", False),
        ("overdue", 121, None, True),
        ("scheduler", 0, None, False),
        ("scheduler", 1, None, True),
        ("scheduler", None, "no_data", False),
        ("database", 0, None, False),
        ("database", 1, None, True),
        ("database", None, "no_data", False),
        ("size", 1e9, None, False),  # no limit was set
    ],
)
def test_a_reading_beyond_its_limit_is_an_alert_and_an_unknown_one_is_no_data(
    aspect, value, problem, triggered
):
    output = PrefectServerHealth().evaluate(Reading(aspect, "text", value))
    assert (output.ticker, output.problem, output.triggered) == (aspect, problem, triggered)


def test_the_size_of_a_database_is_compared_with_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "prefect.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE flow_run AS SELECT zeroblob(3000000) AS data")
    connection.close()
    reading = size(f"sqlite:///{file}")
    assert reading.value is not None
    assert 3 <= reading.value < 4
    limited = PrefectServerHealth(database=f"sqlite:///{file}", max_database_mb=2)
    output = limited.evaluate(reading)
    assert output.triggered
    assert output.message == "size: the database has 3 MB; the limit is 2 MB"
    assert not PrefectServerHealth(database="env:X").evaluate(reading).triggered


def test_a_limit_without_a_database_is_refused():
    with pytest.raises(ValidationError, match="name the database"):
        PrefectServerHealth(max_database_mb=100)


@pytest.mark.parametrize(("status", "value"), [(200, 0), (503, 1), (404, None), (500, None)])
def test_whether_the_server_reaches_its_database(status, value):
    with http_endpoint() as endpoint:
        endpoint.answer = status
        assert database(endpoint.url).value == value
        assert [request.path for request in endpoint.received] == ["/ready"]


def test_a_database_that_cannot_be_read_has_no_known_size(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "mysql://host/prefect", "env:SENTINEL_RULE_GONE"):
        reading = size(url)
        assert reading.value is None
        assert PrefectServerHealth().evaluate(reading).problem == "no_data"


def test_what_is_not_measured_is_said():
    everything = PrefectServerHealth(database="env:SENTINEL_RULE_DB")
    assert everything.not_measured == []
    assert PrefectServerHealth().not_measured == [
        "the size of the database, which Prefect's API does not show"
    ]
    assert "the scheduler" in PrefectServerHealth(min_ahead_seconds=None).not_measured
