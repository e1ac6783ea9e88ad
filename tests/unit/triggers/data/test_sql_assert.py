"""Queries that must return no row, in SQLite, PostgreSQL and over a file."""

from pathlib import Path

import pytest

from tests.support import data_tables
from triggers.data.sql_assert import SqlAssert

NEGATIVE = "SELECT * FROM orders WHERE price < 0"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return data_tables.sqlite_url(tmp_path)


def test_a_row_is_an_alert_with_the_row_as_evidence(url: str) -> None:
    output = SqlAssert(source=url, query=NEGATIVE, name="no negative price").check()
    assert output.triggered
    assert output.message == (
        "no negative price: 1 row, expected none. The first: id: 4, shop: d, price: -40.0"
    )
    assert output.metadata["examples"] == [{"id": 4, "shop": "d", "price": -40.0}]


def test_no_row_is_fine(url: str) -> None:
    output = SqlAssert(source=url, query="SELECT 1 FROM orders WHERE id > 100").check()
    assert (output.triggered, output.problem) == (False, None)
    assert output.message == "The assertion: holds, no row"


def test_parameters_are_bound(url: str) -> None:
    query = "SELECT * FROM orders WHERE shop IN :shops"
    output = SqlAssert(source=url, query=query, parameters={"shops": ["a", "d"]}).check()
    assert output.metrics["rows"] == 3


def test_more_rows_than_are_counted(url: str) -> None:
    output = SqlAssert(source=url, query="SELECT * FROM orders", most_rows=2).check()
    assert output.triggered
    assert "more than 2 rows" in output.message
    assert output.metadata["more"] is True


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM order_lines", "no such table"),
        ("SELECT absent FROM orders", "no such column"),
        ("DELETE FROM orders", "readonly"),
    ],
)
def test_a_query_that_cannot_be_run_is_an_error_never_fine(url: str, query, said) -> None:
    output = SqlAssert(source=url, query=query).check()
    assert output.problem == "error"
    assert said in output.message


def test_postgresql_stops_a_slow_query_and_the_next_step_is_named(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_RULE_DB", postgres_url)
    monkeypatch.setattr("triggers.sources.checked._PAUSE_SECONDS", 0)
    output = SqlAssert(
        source="env:SENTINEL_RULE_DB",
        query="SELECT pg_sleep(60)",
        statement_timeout_seconds=0.1,
    ).check()
    assert output.problem == "error"
    assert output.metadata["code"] == "timeout"
    assert output.suggestion.startswith("Raise the timeout")


def test_a_server_that_is_away_is_a_question_of_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("triggers.sources.checked._PAUSE_SECONDS", 0)
    output = SqlAssert(source="postgresql://127.0.0.1:1/x", query="SELECT 1").check()
    assert output.metadata["code"] == "connection"
    assert output.suggestion.startswith("Check the network")


def test_a_query_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data_tables.parquet(tmp_path)
    output = SqlAssert(source="orders.parquet", query="SELECT * FROM data WHERE price < 0").check()
    assert output.metrics["rows"] == 1


def test_a_query_over_a_file_reads_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data_tables.parquet(tmp_path)
    (tmp_path / "other.csv").write_text("a\n1\n")
    output = SqlAssert(
        source="orders.parquet", query=f"SELECT * FROM read_csv('{tmp_path}/other.csv')"
    ).check()
    assert output.problem == "error"


def test_what_the_parameters_say_before_any_check() -> None:
    warnings = SqlAssert(source="sqlite:///x.db", query="DELETE FROM t").check_warnings()
    assert [field for field, _ in warnings] == ["query"]
