"""Completeness, validity and consistency: a table computed by hand, in every form it may have."""

import sys
import types
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera
import pytest

from sentinel_core import AlertOutput, NoHistory
from tests.support import data_tables
from tests.support.data_tables import FRAMES, pandas_frame
from triggers.data.data_quality import DataQuality
from triggers.sources.data_source import SqlData
from triggers.sources.table import CellRule, ColumnProfile, Profile

ABOVE_ZERO = CellRule(column="price", min=0)


def of_frame(frame: object, **settings) -> AlertOutput:
    return DataQuality(**settings).check_frame(frame, NoHistory())[0]


def of_source(source: object, **settings) -> AlertOutput:
    return DataQuality(source=source, **settings).check(NoHistory())[0]


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # rules read below the working directory only


def as_computed(output: AlertOutput) -> None:
    assert output.problem is None, output.message
    assert output.metrics["completeness"] == pytest.approx(1 - 2 / 15)
    assert output.metrics["validity"] == pytest.approx(1 - 2 / 15)  # the marker, and −40
    assert output.metrics["consistency"] == pytest.approx(1 - 1 / 5)
    assert output.triggered
    assert "completeness 0.8667 (limit 0.9), validity 0.8667, consistency 0.8000" in output.message
    shops = [row["shop"] for row in output.metadata["examples"]]
    assert sorted(shops) == ["d", "invalid"]


@pytest.mark.parametrize("make", FRAMES.values(), ids=list(FRAMES))
def test_the_table_computed_by_hand_as_a_frame(make) -> None:
    as_computed(of_frame(make(), rules=[ABOVE_ZERO]))


@pytest.mark.usefixtures("_here")
def test_the_same_table_in_files_and_in_sqlite(tmp_path: Path) -> None:
    for source in (
        data_tables.file_source(data_tables.csv_file(tmp_path)),
        data_tables.file_source(data_tables.parquet(tmp_path)),
        data_tables.file_source(data_tables.json_file(tmp_path)),
        data_tables.file_source(data_tables.parquet(tmp_path), engine="duckdb"),
        data_tables.file_source(data_tables.csv_file(tmp_path), engine="duckdb"),
        data_tables.sqlite_source(tmp_path),
    ):
        as_computed(of_source(source, rules=[ABOVE_ZERO]))


def test_the_same_table_in_postgresql(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data_tables.fill(postgres_url)
    monkeypatch.setenv("SENTINEL_RULE_DB", postgres_url)
    for fields in (
        {"table": "orders"},
        {"table": "public.orders"},
        {"query": "SELECT * FROM orders;"},
    ):
        source = SqlData(kind="sql", url="env:SENTINEL_RULE_DB", **fields)
        as_computed(of_source(source, rules=[ABOVE_ZERO]))
    patterned = of_source(source, rules=[CellRule(column="shop", pattern="[a-z]")])
    assert patterned.metrics["invalid_cells"] == 1


@pytest.mark.parametrize(
    ("settings", "triggered"),
    [
        ({"completeness": 0.9}, True),
        ({"completeness": 0.86}, False),
        ({"completeness": None, "consistency": 0.8}, False),  # equal to its limit
        ({"completeness": None, "consistency": 0.81}, True),
        ({"completeness": None, "validity": 14 / 15}, False),
        ({"completeness": None, "validity": 0.95}, True),
        ({"completeness": None}, False),
    ],
)
def test_each_share_has_its_limit(settings, triggered) -> None:
    output = of_frame(pandas_frame(), **settings)
    assert output.triggered is triggered
    assert all(word in output.message for word in ("completeness", "validity", "consistency"))


def test_a_limit_that_is_met_exactly_is_met() -> None:
    frame = pd.DataFrame({"a": [None, *range(9)]})
    assert of_frame(frame).metrics["completeness"] == pytest.approx(0.9)
    assert not of_frame(frame).triggered


def test_a_share_just_below_its_limit_does_not_look_like_it() -> None:
    columns = [ColumnProfile("a", nulls=100_001)]
    output = DataQuality().evaluate(Profile(1_000_000, 0, columns))[0]
    assert output.triggered
    assert "completeness 0.899999 (limit 0.9)" in output.message


def test_columns_by_themselves_on_request() -> None:
    outputs = DataQuality(per_column=True, dataset="orders").check_frame(
        pandas_frame(), NoHistory()
    )
    found = {output.ticker: output for output in outputs}
    assert set(found) == {"orders", "orders.id", "orders.shop", "orders.price"}
    assert found["orders.shop"].metrics["completeness"] == pytest.approx(0.8)
    assert found["orders.shop"].metrics["validity"] == pytest.approx(0.8)
    assert [name for name, output in found.items() if output.triggered] == [
        "orders",
        "orders.shop",
        "orders.price",
    ]


@pytest.mark.usefixtures("_here")
def test_duplicates_by_some_columns_only(tmp_path: Path) -> None:
    rows = [{"id": 1, "shop": "a", "price": 1.0}, {"id": 1, "shop": "b", "price": None}]
    source = SqlData(kind="sql", url=data_tables.sqlite_url(tmp_path, rows), table="orders")
    for output in (
        of_frame(pandas_frame(rows), unique_by=["id"]),
        of_source(source, unique_by=["id"]),
    ):
        assert output.metrics["consistency"] == pytest.approx(0.5)
        assert output.metrics["null_cells"] == 1
    assert of_frame(pandas_frame(rows)).metrics["consistency"] == pytest.approx(1)


@pytest.mark.usefixtures("_here")
def test_some_columns_only(tmp_path: Path) -> None:
    for output in (
        of_frame(pandas_frame(), columns=["id"]),
        of_source(data_tables.sqlite_source(tmp_path), columns=["id"]),
    ):
        assert (output.metrics["cells"], output.metrics["null_cells"]) == (5, 0)


# What must never be a silent "fine".


@pytest.mark.usefixtures("_here")
def test_no_rows_are_no_data(tmp_path: Path) -> None:
    empty = SqlData(kind="sql", url=data_tables.sqlite_url(tmp_path, []), table="orders")
    for output in (of_frame(pandas_frame([])), of_source(empty)):
        assert output.problem == "no_data"
        assert "there are no rows" in output.message


def test_all_cells_empty() -> None:
    output = of_frame(pd.DataFrame({"a": [None, None], "b": [float("nan")] * 2}))
    assert output.triggered
    assert output.metrics["completeness"] == 0
    assert output.metrics["duplicate_rows"] == 1


def test_one_row() -> None:
    output = of_frame(pd.DataFrame({"a": [1]}))
    assert not output.triggered
    assert [output.metrics[name] for name in ("completeness", "validity", "consistency")] == [
        1,
        1,
        1,
    ]


def test_a_missing_column_is_an_error_that_names_it() -> None:
    for settings in (
        {"columns": ["prise"]},
        {"unique_by": ["prise"]},
        {"rules": [CellRule(column="prise", min=0)]},
    ):
        output = of_frame(pandas_frame(), **settings)
        assert output.problem == "error"
        assert "'prise'" in output.message


@pytest.mark.usefixtures("_here")
def test_a_rule_about_numbers_for_text_is_an_error(tmp_path: Path) -> None:
    rule = CellRule(column="shop", min=0)
    for output in (
        of_frame(pandas_frame(), rules=[rule]),
        of_source(
            data_tables.file_source(data_tables.parquet(tmp_path), engine="duckdb"), rules=[rule]
        ),
    ):
        assert output.problem == "error"
        assert "numbers are needed" in output.message


def test_text_among_numbers_breaks_a_rule_about_numbers_in_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": "x", "shop": "a", "price": 1.0}, {"id": 2, "shop": "b", "price": 2.0}]
    source = SqlData(kind="sql", url=data_tables.sqlite_url(tmp_path, rows), table="orders")
    assert of_source(source, rules=[CellRule(column="id", min=0)]).metrics["invalid_cells"] == 1


def test_two_columns_of_a_name_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a,a\n1,2\n")
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    for output in (of_frame(twice), of_source(data_tables.file_source("x.csv"))):
        assert output.problem == "error"
        assert "a" in output.message


def test_infinite_cells_are_values_and_named() -> None:
    frame = pd.DataFrame({"a": [1.0, float("inf"), -float("inf"), 2.0]})
    output = of_frame(frame)
    assert not output.triggered
    assert output.metrics["infinite_cells"] == 2
    assert "2 infinite (counted as values)" in output.message
    bounded = of_frame(frame, rules=[CellRule(column="a", min=0, max=10)], validity=1)
    assert (bounded.triggered, bounded.metrics["invalid_cells"]) == (True, 2)


def test_what_is_no_frame_is_an_error() -> None:
    output = of_frame([1, 2])
    assert output.problem == "error"
    assert "list is no data frame" in output.message


@pytest.mark.usefixtures("_here")
def test_a_file_that_is_missing_or_ragged_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ragged.csv").write_text("a,b\n1,2,3\n4,5,6\n")
    for path, said in (("none.csv", "no such file"), ("ragged.csv", "more fields")):
        output = of_source(data_tables.file_source(path))
        assert output.problem == "error"
        assert said in output.message


@pytest.mark.parametrize(
    ("rule", "invalid"),
    [
        (CellRule(column="shop", allowed=["a", "d"]), 1),
        (CellRule(column="id", allowed=[1, 2, 3]), 1),
        (CellRule(column="price", max=20), 1),
        (CellRule(column="price", min=0, max=20), 2),
    ],
)
@pytest.mark.usefixtures("_here")
def test_declared_rules_in_frames_sqlite_and_duckdb(tmp_path: Path, rule, invalid) -> None:
    for output in (
        of_frame(pandas_frame(), rules=[rule], invalid_markers=[]),
        of_source(data_tables.sqlite_source(tmp_path), rules=[rule], invalid_markers=[]),
        of_source(
            data_tables.file_source(data_tables.parquet(tmp_path), engine="duckdb"),
            rules=[rule],
            invalid_markers=[],
        ),
    ):
        assert output.metrics["invalid_cells"] == invalid


@pytest.mark.usefixtures("_here")
def test_a_pattern_in_frames_and_duckdb_and_not_in_sqlite(tmp_path: Path) -> None:
    rule = CellRule(column="shop", pattern="[a-z]")
    duck = data_tables.file_source(data_tables.parquet(tmp_path), engine="duckdb")
    for make in FRAMES.values():
        assert of_frame(make(), rules=[rule]).metrics["invalid_cells"] == 1
    assert of_source(duck, rules=[rule]).metrics["invalid_cells"] == 1
    assert "SQLite" in of_source(data_tables.sqlite_source(tmp_path), rules=[rule]).message


@pytest.fixture
def schema_module(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType("team_schemas")
    column = pandera.Column(float, pandera.Check.ge(0), nullable=True)
    module.orders = pandera.DataFrameSchema({"price": column})  # type: ignore[attr-defined]
    module.more = pandera.DataFrameSchema(  # type: ignore[attr-defined]
        {"price": column, "currency": pandera.Column(str)}
    )
    monkeypatch.setitem(sys.modules, "team_schemas", module)
    return "team_schemas"


def test_a_pandera_schema_as_the_declared_rules(schema_module: str) -> None:
    output = of_frame(pandas_frame(), pandera_schema=f"{schema_module}:orders", validity=0.9)
    assert output.triggered
    assert output.metrics["invalid_cells"] == 2  # −40, and the marker
    assert {row["id"] for row in output.metadata["examples"]} == {2, 4}


def test_a_column_that_a_pandera_schema_misses_is_an_alert(schema_module: str) -> None:
    output = of_frame(pandas_frame(), pandera_schema=f"{schema_module}:more", completeness=None)
    assert output.triggered
    assert "currency" in output.message


def test_a_pandera_schema_that_is_not_there_is_an_error() -> None:
    output = of_frame(pandas_frame(), pandera_schema="team_schemas_that_are_none:x")
    assert output.problem == "error"
    assert "there is no pandera schema" in output.message


def test_without_a_source_the_check_says_so() -> None:
    assert [field for field, _ in DataQuality().check_warnings()] == ["source"]
