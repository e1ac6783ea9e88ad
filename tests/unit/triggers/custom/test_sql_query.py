"""Rows as alerts: tables of rows for what is pure, real databases for the rest."""

import sqlite3
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.model.alert import Importance
from sentinel_core.model.trigger import NoHistory, PastEvaluation
from sentinel_core.store.state.rules import latest_evaluations
from tests.support.recorded import NOON, a_rule, a_run, fire, observe
from triggers.custom._text import as_json, placeholders, render
from triggers.custom.sql_query import SqlQuery, gone
from triggers.sources.errors import SourceError


class StoredPast:
    """A rule's past as the event store of this test has it."""

    def __init__(self, engine: Engine, deployment_id: uuid.UUID) -> None:
        self.engine, self.deployment_id = engine, deployment_id

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        rows = latest_evaluations(self.engine, self.deployment_id, limit, ticker)
        return [PastEvaluation(row["at"], row["ticker"], row["triggered"]) for row in rows]


class Past:
    """A rule's past, newest first, as the event store would tell it."""

    def __init__(self, *evaluations: PastEvaluation) -> None:
        self.evaluations = evaluations

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        return self.evaluations[:limit]


class NoStore:
    """A past nobody can read just now."""

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        raise HistoryUnavailableError("the event store is away")


def past(minutes_ago: int, ticker: str, triggered: bool) -> PastEvaluation:
    return PastEvaluation(NOON - timedelta(minutes=minutes_ago), ticker, triggered)


def query(**settings) -> SqlQuery:
    return SqlQuery(**{"url": "sqlite:///x", "query": "SELECT 1", **settings})


@pytest.fixture
def stock(database_url: str) -> str:
    """A database of each kind with three products in a table."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE stock (product TEXT, pieces INTEGER, level TEXT)"))
        connection.execute(
            text(
                "INSERT INTO stock VALUES ('nuts', 3, 'high'), ('bolts', 0, NULL), "
                "('pins', 9, 'low')"
            )
        )
    engine.dispose()
    return database_url


def run(url: str, statement: str, history=None, **settings):
    return SqlQuery(url=url, query=statement, **settings).check(history or NoHistory())


# --- evaluating rows


def test_columns_become_ticker_message_importance_metrics_and_evidence():
    rule = query(
        ticker_column="product",
        importance_column="level",
        message="{product}: {pieces} left {{of many}}",
        metric_columns=["pieces", "missing"],
    )
    row = {"product": "nuts", "pieces": Decimal("3.5"), "level": " HIGH ", "missing": None}
    [output] = rule.evaluate([row])
    assert output.triggered
    assert output.ticker == "nuts"
    assert output.message == "nuts: 3.5 left {of many}"
    assert output.importance is Importance.HIGH
    assert output.metrics == {"pieces": 3.5}
    assert output.metadata["row"] == {
        "product": "nuts",
        "pieces": "3.5",
        "level": " HIGH ",
        "missing": None,
    }


def test_without_a_template_the_message_names_every_column():
    [output] = query().evaluate([{"a": 1, "b": None}])
    assert output.message == "a: 1, b: NULL"
    assert output.ticker == ""


@pytest.mark.parametrize(
    ("settings", "rows", "said"),
    [
        ({}, [{"a": 1}, {"a": 2}], "set ticker_column"),
        ({"ticker_column": "a"}, [{"a": "x y"}, {"a": "x  y"}], "rows with the same a"),
        ({"ticker_column": "a"}, [{"a": None}], "row 1: the ticker column a is NULL"),
        ({"ticker_column": "a"}, [{"a": "x" * 300}], "row 1 can't be an alert"),
        ({"ticker_column": "b"}, [{"a": 1}], "returns no column"),
        ({"message": "{b}"}, [{"a": 1}], "returns no column"),
        ({"metric_columns": ["b"]}, [{"a": 1}], "returns no column"),
        ({"metric_columns": ["a"]}, [{"a": float("nan")}], "'nan', not a number"),
        ({"metric_columns": ["a"]}, [{"a": Decimal("Infinity")}], "not a number"),
        ({"metric_columns": ["a"]}, [{"a": "12"}], "not a number"),
        ({"importance_column": "a"}, [{"a": "urgent"}], "'urgent', expected one of"),
    ],
)
def test_rows_that_cannot_be_told_as_alerts_are_an_error(settings, rows, said):
    with pytest.raises(SourceError, match=said):
        query(**settings).evaluate(rows)


@pytest.mark.parametrize(
    "template", ["{a.b}", "{a!r}", "{a:>99999999}", "{a[0]}", "{}", "{0}", "{a b}", "{", "a}"]
)
def test_a_template_knows_plain_columns_and_nothing_else(template):
    with pytest.raises(ValidationError, match="plain column names"):
        query(message=template)


def test_values_are_never_templates_themselves():
    assert render("{a} {b}", {"a": "{b}", "b": "{{a}}"}) == "{b} {{a}}"
    assert placeholders("{a} {{b}} {c}") == ["a", "c"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**80, str(2**80)),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), "NaN"),
        (NOON, "2026-11-20T12:00:00+00:00"),
        (date(2026, 3, 2), "2026-03-02"),
        (timedelta(hours=1), "1:00:00"),
        (b"\xff\x00", "0xff00"),
        (memoryview(b"\x01"), "0x01"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [Decimal("1"), float("nan")]}, {"a": ["1", "NaN"]}),
        ("x" * 5_000, "x" * 999 + "…"),
        (["x" * 5_000], '["' + "x" * 997 + "…"),
    ],
)
def test_every_kind_of_value_is_rendered_harmless(value, plain):
    assert as_json(value) == plain


# --- rows that are gone


@pytest.mark.parametrize(
    ("evaluations", "present", "resolved"),
    [
        ([], set(), []),
        ([past(1, "a", True)], set(), ["a"]),
        ([past(1, "a", True)], {"a"}, []),
        ([past(1, "a", False), past(2, "a", True)], set(), []),  # resolved already
        ([past(1, "", False), past(2, "a", True)], set(), ["a"]),  # nobody said so at minute 1
        ([past(1, "a", True), past(1, "b", True), past(2, "c", False)], {"b"}, ["a"]),
    ],
)
def test_a_series_ends_when_its_row_is_gone(evaluations, present, resolved):
    outputs = gone(evaluations, present)
    assert [output.ticker for output in outputs] == resolved
    assert not any(output.triggered for output in outputs)


def test_rows_found_survive_an_event_store_that_is_away(stock):
    outputs = run(stock, "SELECT product FROM stock", NoStore(), ticker_column="product")
    assert sorted(output.ticker for output in outputs) == ["bolts", "nuts", "pins"]


# --- against real databases


def test_rows_found_and_rows_gone_come_back_together(stock):
    history = Past(past(5, "nuts", True), past(5, "screws", True))
    outputs = run(
        stock,
        "SELECT product, pieces, level FROM stock WHERE pieces < :limit AND product IN :products "
        "ORDER BY pieces",
        history,
        parameters={"limit": 5, "products": ["nuts", "bolts", "pins"]},
        ticker_column="product",
        importance_column="level",
        metric_columns=["pieces"],
    )
    assert [(o.ticker, o.triggered, o.importance) for o in outputs] == [
        ("bolts", True, None),
        ("nuts", True, Importance.HIGH),
        ("screws", False, None),
    ]
    assert outputs[1].metrics == {"pieces": 3}


def test_no_rows_and_none_gone_is_an_empty_answer(stock):
    assert run(stock, "SELECT product FROM stock WHERE pieces > 100") == []


def test_without_parameters_colons_and_per_cent_signs_mean_themselves(stock):
    [output] = run(stock, "SELECT ':name 50%' AS note FROM stock WHERE product LIKE 'n%'")
    assert output.metadata["row"] == {"note": ":name 50%"}


@pytest.mark.parametrize("parameters", [{}, {"one": 1}])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM stock",
        "DELETE FROM stock RETURNING product",
        "UPDATE stock SET pieces = 0",
        "CREATE TABLE other (a INTEGER)",
        "DROP TABLE stock",
        "SELECT 1; DELETE FROM stock",
        "COMMIT; DELETE FROM stock",
        "ROLLBACK",
        "WITH gone AS (DELETE FROM stock RETURNING product) SELECT product FROM gone",
        "SET TRANSACTION READ WRITE",
        "PRAGMA query_only = OFF",
    ],
)
def test_a_check_changes_nothing(stock, statement, parameters):
    if parameters:  # bound statements take another way through the driver
        statement += " -- :one"
    with pytest.raises(SourceError):
        run(stock, statement, parameters=parameters)
    engine = create_engine(stock)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM stock")) == 3
        assert connection.scalar(text("SELECT sum(pieces) FROM stock")) == 12
    engine.dispose()


def test_a_postgresql_function_that_writes_is_refused(postgres_url):
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE hits (n INTEGER)"))
        connection.execute(
            text(
                "CREATE FUNCTION hit() RETURNS int AS 'INSERT INTO hits VALUES (1) RETURNING n' "
                "LANGUAGE sql"
            )
        )
    with pytest.raises(SourceError, match="read-only transaction"):
        run(postgres_url, "SELECT hit()")
    with pytest.raises(SourceError):
        run(postgres_url, "SELECT set_config('transaction_read_only', 'off', false), hit()")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM hits")) == 0
    engine.dispose()


@pytest.mark.parametrize("statement", ["ATTACH DATABASE '{}' AS other", "VACUUM INTO '{}'"])
def test_sqlite_cannot_be_talked_into_another_file(tmp_path: Path, statement):
    file = tmp_path / "a.db"
    file.touch()
    with pytest.raises(SourceError, match="authoriz"):
        run(f"sqlite:///{file}", statement.format(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists()


def test_more_rows_than_allowed_are_an_error_that_says_so(stock):
    with pytest.raises(SourceError, match="more than 2 rows"):
        run(stock, "SELECT product FROM stock", ticker_column="product", max_rows=2)
    assert len(run(stock, "SELECT product FROM stock", ticker_column="product", max_rows=3)) == 3


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


def test_an_endless_result_ends_at_the_limit_of_rows(database_url):
    if database_url.startswith("sqlite"):
        create_engine(database_url).connect().close()
        Path(database_url.removeprefix("sqlite:///")).touch()
    with pytest.raises(SourceError, match="more than 100 rows"):
        run(database_url, ENDLESS.format("i"), ticker_column="i")


def test_a_statement_that_takes_too_long_is_stopped(stock):
    with pytest.raises(SourceError, match=r"longer than 0.5 s|statement timeout"):
        run(stock, ENDLESS.format("count(*)"), statement_timeout_seconds=0.5)


@pytest.mark.parametrize(
    ("statement", "parameters", "said"),
    [
        ("SELECT a FROM nowhere", {}, "nowhere"),
        ("SELECT 1 AS a WHERE 1 = :n", {"m": 1}, "m"),
        ("SELECT :a AS a, :b AS b", {"a": 1}, "b"),
        ("SELECT 1 AS a, 2 AS a", {}, "two columns have the same name"),
    ],
)
def test_a_wrong_query_is_an_error(stock, statement, parameters, said):
    with pytest.raises(SourceError, match=said):
        run(stock, statement, parameters=parameters)


def test_a_database_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch):
    with pytest.raises(SourceError, match="no SQLite file"):
        run(f"sqlite:///{tmp_path / 'absent.db'}", "SELECT 1")
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(SourceError, match="refused") as caught:
        run("postgresql://me:hush@127.0.0.1:1/db", "SELECT 1")
    assert "hush" not in str(caught.value)
    with pytest.raises(SourceError, match="database URL") as caught:
        run("://me:hush@host", "SELECT 1")
    assert "hush" not in str(caught.value)
    monkeypatch.delenv("SENTINEL_RULE_NO_SUCH_DATABASE", raising=False)
    with pytest.raises(SourceError, match="SENTINEL_RULE_NO_SUCH_DATABASE"):
        run("env:SENTINEL_RULE_NO_SUCH_DATABASE", "SELECT 1")


def test_the_url_may_come_from_the_environment(stock, monkeypatch):
    url = stock.replace("postgresql+psycopg://", "postgres://")
    monkeypatch.setenv("SENTINEL_RULE_STOCK_DATABASE", url)
    [output] = run("env:SENTINEL_RULE_STOCK_DATABASE", "SELECT count(*) AS n FROM stock")
    assert output.metadata["row"] == {"n": 3}


def test_odd_postgresql_types_arrive_as_evidence(postgres_url):
    [output] = run(
        postgres_url,
        "SELECT 1.50::numeric AS price, 'NaN'::float8 AS ratio, now() AS at, "
        "interval '90 min' AS lag, '\\xdeadbeef'::bytea AS raw, ARRAY[1, 2] AS list, "
        "'{\"a\": 1}'::jsonb AS doc, gen_random_uuid() AS id, '10.0.0.1'::inet AS host, "
        "int4range(1, 5) AS span, NULL AS nothing",
        metric_columns=["price"],
    )
    row = output.metadata["row"]
    assert output.metrics == {"price": 1.5}
    assert (row["price"], row["ratio"], row["raw"]) == ("1.50", "nan", "0xdeadbeef")
    assert (row["lag"], row["list"], row["host"]) == ("1:30:00", [1, 2], "10.0.0.1")
    assert row["nothing"] is None
    assert row["span"] == "[1, 5)"


def test_sqlite_text_that_is_not_utf8_does_not_stop_a_check(tmp_path: Path):
    file = tmp_path / "a.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.execute("INSERT INTO t VALUES (CAST(x'61ff' AS TEXT))")
    connection.commit()
    connection.close()
    [output] = run(f"sqlite:///{file}", "SELECT a FROM t")
    assert output.metadata["row"] == {"a": "a\N{REPLACEMENT CHARACTER}"}


# --- with a real event store as its past


def test_an_event_opens_with_its_row_and_resolves_when_the_row_is_gone(engine, database_url):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE late (job TEXT)"))
        connection.execute(text("INSERT INTO late VALUES ('backup'), ('export')"))
    monitor = SqlQuery(url=database_url, query="SELECT job FROM late", ticker_column="job")
    rule = a_rule("late-jobs")
    past_of_rule = StoredPast(engine, rule.deployment_id)
    opened = observe(engine, rule, a_run(NOON), monitor.check(past_of_rule)).opened
    assert len(opened) == 2

    with engine.begin() as connection:
        connection.execute(text("DELETE FROM late WHERE job = 'backup'"))
    found = monitor.check(past_of_rule)
    assert [(output.ticker, output.triggered) for output in found] == [
        ("export", True),
        ("backup", False),
    ]
    observe(engine, rule, a_run(NOON + timedelta(minutes=10)), found)

    with engine.begin() as connection:
        connection.execute(text("DELETE FROM late"))
    found = monitor.check(past_of_rule)
    assert [(output.ticker, output.triggered) for output in found] == [("export", False)]
    observe(engine, rule, a_run(NOON + timedelta(minutes=20)), found)
    assert monitor.check(past_of_rule) == []
    with engine.connect() as connection:
        open_events = text("SELECT count(*) FROM alert_event WHERE resolved_at IS NULL")
        assert connection.scalar(open_events) == 0


UNACKNOWLEDGED = """
    SELECT rule_name, COUNT(*) AS events, MIN(timestamp) AS oldest
    FROM alert_event
    WHERE importance = 'critical' AND NOT is_acknowledged
    GROUP BY rule_name
    ORDER BY rule_name
"""


def test_the_event_store_itself_can_be_asked(engine, database_url):
    critical, minor = a_rule("power", "critical"), a_rule("paint", "low")
    fire(engine, critical, NOON, ticker="hall 1")
    fire(engine, critical, NOON + timedelta(minutes=1), ticker="hall 2")
    seen = fire(engine, a_rule("water", "critical"), NOON)
    fire(engine, minor, NOON)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE alert_event SET is_acknowledged = TRUE WHERE id = :id"), {"id": seen}
        )
    [output] = run(
        database_url,
        UNACKNOWLEDGED,
        ticker_column="rule_name",
        metric_columns=["events"],
        message="{events} of {rule_name} since {oldest}",
    )
    assert output.ticker == "power"
    assert output.metrics == {"events": 2}
    assert output.message.startswith("2 of power since 2026-11-20")


def test_an_aggregate_over_no_rows_is_no_data_and_not_an_alert(stock):
    empty = "FROM (SELECT 1 AS x WHERE 1 = 0) AS no_rows"
    check = SqlQuery(url=stock, query=f"SELECT max(x) AS most, sum(x) AS total {empty}")
    (output,) = check.check(NoHistory())
    assert (output.triggered, output.problem, output.ticker) == (False, "no_data", "")
    assert "nothing but NULL in most, total" in output.message
    assert SqlQuery(url=stock, query=f"{check.query} HAVING count(*) > 0").check(NoHistory()) == []
    counted = SqlQuery(url=stock, query=f"SELECT max(x) AS most, count(*) AS n {empty}")
    assert counted.check(NoHistory())[0].triggered
