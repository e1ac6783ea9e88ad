"""Numbers from real databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text

from sentinel_core.model.alert import AlertOutput, as_outputs
from sentinel_core.model.trigger import NoHistory
from triggers.metric.metric_threshold import MetricThreshold
from triggers.sources.errors import SourceError
from triggers.sources.metrics_sql import SqlMetrics

QUEUES = [("mail", 12), ("bills", 3), ("print", None)]


@pytest.fixture
def shop(database_url: str) -> Iterator[str]:
    """A database with queues in it, of each kind."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE queue (name text, depth numeric(10,2))"))
        for name, depth in QUEUES:
            connection.execute(
                text("INSERT INTO queue VALUES (:name, :depth)"), {"name": name, "depth": depth}
            )
    yield database_url
    engine.dispose()


def measured(url: str, query: str, **more: Any) -> list[AlertOutput]:
    check = {key: more.pop(key) for key in ("ticker", "unit") if key in more}
    source = {"kind": "sql", "url": url, "query": query, **more}
    rule = MetricThreshold.model_validate({"source": source, "threshold": 10, **check})
    return as_outputs(rule.measure(NoHistory()))


def test_a_number_is_read(shop: str) -> None:
    (output,) = measured(shop, "SELECT sum(depth) AS depth FROM queue", ticker="all")
    assert (output.ticker, output.metrics["value"], output.triggered) == ("all", 15, True)
    assert output.message == "the query's value is 15, > 10"


def test_the_value_column_names_the_number(shop: str) -> None:
    query = "SELECT min(name) AS first, sum(depth) AS depth FROM queue"
    (output,) = measured(shop, query, value_column="depth", unit="jobs")
    assert output.message == "depth is 15 jobs, > 10 jobs"


def test_every_row_is_a_series_and_a_bad_one_stops_no_other(shop: str) -> None:
    query = "SELECT name, depth FROM queue"
    outputs = measured(shop, query, ticker_column="name")
    assert {one.ticker: one.problem or one.triggered for one in outputs} == {
        "mail": True,
        "bills": False,
        "print": "no_data",
    }
    query = "SELECT name, CASE WHEN name = 'mail' THEN 'many' ELSE '3' END AS depth FROM queue"
    outputs = measured(shop, query, ticker_column="name")
    assert {one.ticker: one.problem for one in outputs} == {
        "mail": "error",
        "bills": None,
        "print": None,
    }


def test_parameters_reach_the_query(shop: str) -> None:
    query = "SELECT name, depth FROM queue WHERE name IN :names AND depth > :least"
    outputs = measured(
        shop, query, ticker_column="name", parameters={"names": ["mail", "bills"], "least": 5}
    )
    assert [one.ticker for one in outputs] == ["mail"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT depth FROM queue WHERE name = 'fax'", "the query returned no rows"),
        ("SELECT sum(depth) AS depth FROM queue WHERE name = 'fax'", "is null"),
    ],
)
def test_no_row_and_no_value_are_no_data(shop: str, query: str, said: str) -> None:
    (output,) = measured(shop, query)
    assert (output.problem, output.triggered) == ("no_data", False)
    assert said in output.message


def test_rows_with_one_ticker_are_in_error_and_the_others_are_not(shop: str) -> None:
    query = "SELECT name, 5 AS depth FROM queue UNION ALL SELECT 'mail', 50"
    outputs = measured(shop, query, ticker_column="name")
    assert {one.ticker: one.problem for one in outputs} == {
        "mail": "error",
        "bills": None,
        "print": None,
    }


@pytest.mark.parametrize(
    ("query", "source", "said"),
    [
        ("SELECT depth FROM queue", {}, "3 rows and nothing distinguishes them: set ticker_column"),
        ("SELECT 1 AS a, 2 AS b", {}, "set value_column: which of ['a', 'b']"),
        ("SELECT 1 AS a", {"ticker_column": "a"}, "set value_column: which of []"),
        ("SELECT 1 AS a", {"value_column": "b"}, "no column ['b']; it returns ['a']"),
        ("SELECT 1 AS a", {"ticker_column": "t"}, "no column ['t']"),
        ("SELECT NULL AS t, 1 AS a", {"ticker_column": "t"}, "row 1: the ticker column t is"),
        ("SELECT '  ' AS t, 1 AS a", {"ticker_column": "t"}, "row 1: the ticker column t is"),
        ("SELECT 1 FROM nowhere", {}, "the query failed"),
        ("DELETE FROM queue", {}, "failed"),
    ],
)
def test_a_query_that_gives_no_numbers_fails_the_check(
    shop: str, query: str, source: dict[str, Any], said: str
) -> None:
    with pytest.raises(SourceError) as caught:
        measured(shop, query, **source)
    assert said in str(caught.value)


def test_ten_thousand_rows_are_ten_thousand_series(shop: str) -> None:
    digits = " CROSS JOIN ".join(
        f"(SELECT 0 AS {n} UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL "
        f"SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 "
        f"UNION ALL SELECT 9) AS d{n}"
        for n in "abcd"
    )
    query = f"SELECT a * 1000 + b * 100 + c * 10 + d AS t, a AS n FROM {digits}"
    assert len(measured(shop, query, ticker_column="t")) == 10_000
    with pytest.raises(SourceError, match="more than 10,000 rows"):
        measured(shop, f"{query} UNION ALL SELECT -1, 1", ticker_column="t")


def test_the_database_is_named_by_an_environment_variable(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_RULE_SHOP_URL", shop)
    (output,) = measured("env:SENTINEL_RULE_SHOP_URL", "SELECT count(*) AS n FROM queue")
    assert output.metrics["value"] == 3


def test_postgresqls_not_a_number_is_no_data(postgres_url: str) -> None:
    (output,) = measured(postgres_url, "SELECT 'NaN'::numeric AS n")
    assert output.problem == "no_data"
    (output,) = measured(postgres_url, "SELECT 'Infinity'::float AS n")
    assert output.problem == "error"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"url": ""}, "url"),
        ({"query": ""}, "query"),
        ({"ticker_column": ""}, "ticker_column"),
        ({"value_column": ""}, "value_column"),
        ({"parameters": [1]}, "parameters"),
        ({"statement_timeout_seconds": 0}, "statement_timeout_seconds"),
        ({"statement_timeout_seconds": 31}, "statement_timeout_seconds"),
    ],
)
def test_a_source_that_cannot_work_is_refused_when_it_is_written(
    source: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        measured(**{"url": "sqlite:///x.db", "query": "SELECT 1", **source})
    assert said in str(caught.value)


def test_a_row_without_a_ticker_stops_no_other() -> None:
    source = SqlMetrics(kind="sql", url="env:X", query="SELECT", ticker_column="t")
    rows = [{"t": "a", "n": 1}, {"t": None, "n": 2}, {"t": " ", "n": 3}, {"t": "b", "n": 4}]
    first, second, nameless = source.readings(rows)
    assert [(one.ticker, one.value) for one in (first, second)] == [("a", 1), ("b", 4)]
    assert (nameless.ticker, nameless.problem) == ("", "error")
    assert nameless.note == "is not checked for 2 rows; row 2: the ticker column t is empty"
