"""Queries against real databases."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from tests.support.channels import saved, talking_to
from tests.support.prefect import PrefectServer
from triggers.sources.database import read_rows, resolve_url
from triggers.sources.errors import AccessError, SourceError

QUOTES = [("AAPL", "2013-03-01", 430.47, 19730300), ("IBM", "2013-03-01", 202.91, 3308300)]
SLOW_SQLITE = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n"
)


@pytest.fixture
def quotes(database_url: str) -> Iterator[str]:
    """A database with quotes in it, of each kind."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE quote (ticker text, time date, close numeric(10,2), volume bigint)")
        )
        for row in QUOTES:
            connection.execute(
                text("INSERT INTO quote VALUES (:t, :d, :c, :v)"),
                dict(zip("tdcv", row, strict=True)),
            )
    yield database_url
    engine.dispose()


def test_rows_come_back_by_column_name_in_order(quotes: str) -> None:
    rows = read_rows(quotes, "SELECT ticker, volume FROM quote ORDER BY volume")
    assert rows == [{"ticker": "IBM", "volume": 3308300}, {"ticker": "AAPL", "volume": 19730300}]


def test_colons_and_percent_signs_in_a_query_are_just_text(quotes: str) -> None:
    query = "SELECT '12:30 %s :name' AS said, ticker FROM quote WHERE ticker LIKE 'A%'"
    assert read_rows(quotes, query) == [{"said": "12:30 %s :name", "ticker": "AAPL"}]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM quote",
        "DELETE FROM quote RETURNING ticker",
        "DROP TABLE quote",
        "COMMIT; DELETE FROM quote; SELECT 1 AS a",
    ],
)
def test_a_query_that_writes_is_refused_and_changes_nothing(quotes: str, query: str) -> None:
    with pytest.raises(SourceError, match=r"read-?only|syntax error|one statement"):
        read_rows(quotes, query)
    assert len(read_rows(quotes, "SELECT * FROM quote")) == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nothing FROM quote", "nothing"),
        ("SELEKT 1", "SELEKT"),
        ("SELECT 1 AS a, 2 AS a", "same name"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(quotes: str, query: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_rows(quotes, query)


def test_more_rows_than_allowed_are_an_error_and_not_cut_off(quotes: str) -> None:
    assert len(read_rows(quotes, "SELECT * FROM quote", max_rows=2)) == 2
    with pytest.raises(SourceError, match="more than 1 rows"):
        read_rows(quotes, "SELECT * FROM quote", max_rows=1)


def test_a_query_without_an_end_is_stopped_on_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "quotes.db"
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(SourceError, match=r"longer than 0.3 s"):
        read_rows(f"sqlite:///{path}", SLOW_SQLITE, timeout_seconds=0.3)


def test_a_slow_query_is_stopped_on_postgresql(postgres_url: str) -> None:
    with pytest.raises(SourceError, match="statement timeout"):
        read_rows(postgres_url, "SELECT pg_sleep(20)", timeout_seconds=0.3)


def test_a_missing_sqlite_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(SourceError, match="no SQLite file"):
        read_rows(f"sqlite:///{path}", "SELECT 1 AS a")
    assert not path.exists()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(SourceError, match="not a database"):
        read_rows(f"sqlite:///{path}", "SELECT * FROM sqlite_master")


def test_no_password_is_shown_when_the_database_does_not_answer() -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1") as caught:
        read_rows("postgresql://me:s3cr3t@127.0.0.1:9/quotes", "SELECT 1")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3cr3t", "://s3cr3t", "postgresql://me:s3cr3t@host:port/x", "oracel://s3cr3t@h/x", ""]
)
def test_what_is_no_database_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_rows(url, "SELECT 1")
    assert ":s3cr3t" not in str(caught.value)


def test_env_names_a_variable_that_holds_the_url(
    quotes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_RULE_QUOTES_URL", quotes)
    assert resolve_url("env:SENTINEL_RULE_QUOTES_URL") == quotes
    assert resolve_url(quotes) == quotes
    assert len(read_rows("env:SENTINEL_RULE_QUOTES_URL", "SELECT * FROM quote")) == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "variable SENTINEL_RULE_QUOTES_URL, which is not set"),
        ("", "env:SENTINEL_RULE_QUOTES_URL is empty"),
        ("  ", "env:SENTINEL_RULE_QUOTES_URL is empty"),
    ],
)
def test_a_variable_that_is_not_set_is_an_error(
    value: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENTINEL_RULE_QUOTES_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("SENTINEL_RULE_QUOTES_URL", value)
    with pytest.raises(SourceError, match=said):
        resolve_url("env:SENTINEL_RULE_QUOTES_URL")


def test_a_block_holds_the_url(quotes: str, server: PrefectServer) -> None:
    with talking_to(server.api_url):
        block = saved(Secret(value=SecretStr(quotes)))
        outside = saved(Secret(value=SecretStr("sqlite:////etc/passwd")))
        wrong = saved(Secret(value=SecretStr("hunter2")))
        assert len(read_rows(f"block:{block}", "SELECT * FROM quote")) == 2
        with pytest.raises(AccessError, match="SENTINEL_SOURCE_ROOTS"):
            read_rows(f"block:{outside}", "SELECT 1")
        with pytest.raises(SourceError, match="not a database URL") as caught:
            read_rows(f"block:{wrong}", "SELECT 1")
        assert "hunter2" not in str(caught.value)
