"""The mean of the scores, and the share of the extreme ones."""

from pathlib import Path

import pandas as pd
import polars
import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text

from sentinel_core import NoHistory
from triggers.model.prediction_distribution import PredictionDistribution
from triggers.sources.data_source import FileData, SqlData


def of(scores: list[object], **settings):
    frame = pd.DataFrame({"score": scores})
    return PredictionDistribution(**settings).check_frame(frame, NoHistory())[0]


@pytest.mark.parametrize(
    ("scores", "triggered", "said"),
    [
        ([0.4, 0.6], False, "mean score 0.5 (as expected)"),
        ([0.1, 0.3], False, "mean score 0.2 (expected 0.3 to 0.7)"),
        ([0.1], False, "expected 0.3 to 0.7"),  # the limit itself
        ([0.05, 0.1], True, "outside of 0.1 to 0.9"),
        ([0.92, 0.94], True, "outside of 0.1 to 0.9"),
        ([0.96] + [0.5] * 9, False, "10.0% above 0.95 (allowed are 10.0%)"),
        ([0.96] * 2 + [0.5] * 9, True, "18.2% above 0.95 (more than 10.0%)"),
        ([0.95] * 5 + [0.1] * 5, False, "0.0% above 0.95"),
    ],
)
def test_scores_by_hand(scores, triggered, said) -> None:
    output = of(scores)
    assert output.triggered is triggered
    assert said in output.message
    assert output.suggestion.startswith("Retrain") is triggered


@pytest.mark.parametrize(
    ("scores", "problem", "said"),
    [
        ([], "no_data", "there are 0 predictions"),
        ([None, None], "no_data", "there are 0 predictions in 2 rows"),
        ([0.5, float("inf")], "error", "1 score is infinite"),
        (["high", "low"], "error", "numbers are needed"),
    ],
)
def test_scores_that_cannot_be_judged(scores, problem, said) -> None:
    output = of(scores)
    assert (output.problem, said in output.message) == (problem, True), output.message


def test_rows_without_a_score_are_named_and_not_counted() -> None:
    output = of([0.5, None, 0.5, float("nan")])
    assert output.metrics["mean"] == 0.5
    assert "2 predictions" in output.message
    assert "2 rows without a score" in output.message


def test_a_column_of_another_name_and_one_that_is_missing() -> None:
    assert of([0.5], column="fake_score").problem == "error"


def test_the_same_in_polars_sqlite_and_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scores = [0.96, 0.96, 0.2, None]
    pd.DataFrame({"score": scores}).to_parquet("s.parquet")
    engine = create_engine(f"sqlite:///{tmp_path}/s.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE s (score REAL)"))
        for score in scores:
            connection.execute(text("INSERT INTO s VALUES (:score)"), {"score": score})
    engine.dispose()
    frame = polars.DataFrame({"score": scores})
    outputs = [PredictionDistribution().check_frame(frame, NoHistory())[0]]
    for source in (
        SqlData(kind="sql", url=f"sqlite:///{tmp_path}/s.db", table="s"),
        FileData(kind="file", path="s.parquet", engine="duckdb"),
    ):
        outputs += PredictionDistribution(source=source).check(NoHistory())
    for output in outputs:
        assert output.metrics["mean"] == pytest.approx(2.12 / 3)
        assert output.metrics["extreme_share"] == pytest.approx(2 / 3)
        assert output.metrics["without_score"] == 1


def test_limits_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected_min"):
        PredictionDistribution(min_mean=0.5)
