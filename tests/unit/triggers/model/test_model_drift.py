"""Drift of figures by hand, and features against a reference."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from sentinel_core import NoHistory
from tests.support import data_tables
from triggers.model.feature_drift import Features, Limits
from triggers.model.model_drift import ModelDrift
from triggers.sources.data_source import FileData
from triggers.sources.errors import NoDataError, SourceError

BASELINE = {"accuracy": 0.8, "f1": 0.5}


def drift(current, baseline=None, **settings):
    baseline = BASELINE if baseline is None else baseline
    return ModelDrift(baseline=baseline, **settings).evaluate(current, baseline)


@pytest.mark.parametrize(
    ("current", "expected", "triggered"),
    [
        ({"accuracy": 0.8, "f1": 0.5}, 0, False),
        ({"accuracy": 0.72, "f1": 0.4}, 0.15, False),  # (10 % + 20 %) / 2: equal is fine
        ({"accuracy": 0.72, "f1": 0.399}, 0.151, True),
        ({"accuracy": 0.96, "f1": 0.6}, 0.2, True),  # upwards counts as well
        ({"accuracy": 0.0, "f1": 0.0, "other": 9}, 1, True),
    ],
)
def test_the_mean_relative_change(current, expected, triggered) -> None:
    output = drift(current)
    assert output.metrics["drift"] == pytest.approx(expected)
    assert output.triggered is triggered
    assert output.suggestion.startswith("Retrain") is triggered


def test_a_negative_baseline_counts_by_its_size() -> None:
    output = drift({"r2": -0.5, "x": 1}, {"r2": -1.0, "x": 1})
    assert output.metrics["drift"] == pytest.approx(0.25)


def test_a_baseline_of_zero_is_left_out_and_said() -> None:
    output = drift({"bias": 0.2, "f1": 0.5}, {"bias": 0.0, "f1": 0.5})
    assert output.metrics["drift"] == 0
    assert "Left out, as their baseline is 0: bias is 0.2 now" in output.message
    assert output.metadata["left_out"] == {"bias": 0.2}


def test_zero_that_stays_zero_has_not_changed() -> None:
    assert drift({"bias": 0.0, "f1": 0.4}, {"bias": 0.0, "f1": 0.5}).metrics["drift"] == (
        pytest.approx(0.1)
    )


def test_only_zeros_that_changed_cannot_be_judged() -> None:
    with pytest.raises(SourceError, match="every figure of the baseline is 0"):
        drift({"bias": 0.2}, {"bias": 0.0})


@pytest.mark.parametrize(
    ("current", "error", "said"),
    [
        ({"accuracy": 0.8}, NoDataError, "there is no f1"),
        ({"accuracy": None, "f1": 1}, NoDataError, "accuracy is null"),
        ({"accuracy": "good", "f1": 1}, SourceError, "accuracy is 'good', not a number"),
        ({"accuracy": float("inf"), "f1": 1}, SourceError, "accuracy is infinite"),
        ([1, 2], NoDataError, "there is no accuracy"),
    ],
)
def test_figures_that_are_missing_or_no_numbers(current, error, said) -> None:
    with pytest.raises(error, match=said):
        drift(current)


def test_figures_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("now.json").write_text(json.dumps({"scores": {"accuracy": 0.4, "f1": 0.5}}))
    Path("before.csv").write_text("accuracy,f1,model\n0.8,0.5,v1\n")
    output = ModelDrift(
        source=FileData(kind="file", path="now.json", document_path="scores"),
        baseline=FileData(kind="file", path="before.csv"),
    ).check(NoHistory())[0]
    assert output.metrics["drift"] == pytest.approx(0.25)
    missing = ModelDrift(source=FileData(kind="file", path="none.json"), baseline=BASELINE)
    assert missing.check(NoHistory())[0].problem == "error"


def reference(folder: Path, frame: pd.DataFrame) -> FileData:
    frame.to_parquet(folder / "reference.parquet")
    return FileData(kind="file", path=str(folder / "reference.parquet"))


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Features:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"price": random.normal(size=500), "shop": ["a", "b"] * 250})
    return Features(reference=reference(tmp_path, frame))


def check(features: Features, frame: object):
    outputs = ModelDrift(features=features, dataset="model").check_frame(frame, NoHistory())
    return {output.ticker: output for output in outputs}


def test_each_feature_is_a_series(features: Features) -> None:
    random = np.random.default_rng(2)
    now = pd.DataFrame({"price": random.normal(3, size=300), "shop": ["a", "b"] * 150})
    found = check(features, now)
    assert found["model.price"].triggered
    assert found["model.price"].suggestion.startswith("Retrain")
    assert not found["model.shop"].triggered
    evidence = found["model.price"].metadata
    assert (evidence["reference_size"], evidence["current_size"]) == (500, 300)
    assert evidence["ks_p_value"] < 1e-6
    assert found["model.shop"].metadata["chi2_p_value"] == 1


def test_limits_of_the_other_distances(features: Features) -> None:
    now = pd.DataFrame({"price": np.linspace(-2, 2, 200), "shop": ["a"] * 200})
    strict = Limits(psi=None, ks_p_value=0.05, wasserstein=0.01, chi2_p_value=0.01)
    found = check(features.model_copy(update={"limits": strict}), now)
    assert "Wasserstein" in found["model.price"].message
    assert "chi² p" in found["model.shop"].message


@pytest.mark.parametrize(
    ("make", "problem", "said"),
    [
        (lambda: {"price": [1.0] * 5}, "error", "'shop'"),
        (lambda: {"price": [1.0] * 5, "shop": [1, 2, 3, 4, 5]}, "error", "numbers in one sample"),
        (lambda: {"price": [1.0] * 5, "shop": [None] * 5}, "no_data", "0 values"),
        (lambda: {"price": [1.0], "shop": ["a"]}, "no_data", "1 value"),
    ],
)
def test_a_feature_that_cannot_be_compared_is_a_problem_of_its_own(
    features: Features, make, problem, said
) -> None:
    found = check(features, pd.DataFrame(make()).astype({"price": float}))
    assert found["model.shop"].problem == problem
    assert said in found["model.shop"].message


def test_infinite_values_are_an_error(features: Features) -> None:
    now = pd.DataFrame({"price": [1.0, float("inf")], "shop": ["a", "b"]})
    assert "1 value is infinite" in check(features, now)["model.price"].message


def test_samples_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = data_tables.sqlite_source(tmp_path)
    features = Features(reference=source, current=source, names=["price"])
    outputs = ModelDrift(features=features).check(NoHistory())
    assert [output.metrics["psi"] for output in outputs] == [0]


def test_a_check_without_anything_to_compare_is_refused() -> None:
    with pytest.raises(ValidationError, match="give a baseline of figures, or features"):
        ModelDrift()
