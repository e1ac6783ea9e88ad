"""A figure against its baseline and tolerance."""

import pandas as pd
import pytest

from sentinel_core import NoHistory
from triggers.model.model_performance import ModelPerformance


@pytest.mark.parametrize(
    ("value", "triggered"), [(0.85, False), (0.80, False), (0.7999, True), (0.9, False), (0, True)]
)
def test_accuracy_below_its_baseline_by_more_than_the_tolerance(value, triggered) -> None:
    output = ModelPerformance().evaluate(value)
    assert output.triggered is triggered
    assert "0.8 (baseline 0.85, tolerance 0.05)" in output.message
    assert output.suggestion.startswith("Investigate the data") is triggered


@pytest.mark.parametrize(("value", "triggered"), [(1.0, False), (1.1, False), (1.11, True)])
def test_a_loss_should_not_rise(value, triggered) -> None:
    check = ModelPerformance(metric="loss", baseline=1, tolerance=0.1, higher_is_better=False)
    assert check.evaluate(value).triggered is triggered


@pytest.mark.parametrize(("baseline", "triggered"), [(0, False), (-0.1, False), (0.06, True)])
def test_baselines_of_zero_and_below(baseline, triggered) -> None:
    assert ModelPerformance(baseline=baseline).evaluate(0).triggered is triggered


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: {"accuracy": 0.8}, None),
        (lambda: pd.DataFrame({"accuracy": [0.8]}), None),
        (lambda: pd.DataFrame({"accuracy": []}), "no_data"),
        (lambda: pd.DataFrame({"accuracy": [0.8, 0.9]}), "error"),
        (lambda: {"f1": 0.8}, "no_data"),
        (lambda: {"accuracy": float("nan")}, "no_data"),
        (lambda: {"accuracy": float("inf")}, "error"),
        (lambda: {"accuracy": True}, "error"),
        (lambda: {"accuracy": "high"}, "error"),
    ],
)
def test_figures_that_are_there_and_that_are_not(make, problem) -> None:
    output = ModelPerformance().check_frame(make(), NoHistory())[0]
    assert (output.problem, output.triggered) == (problem, False)


def test_a_figure_deep_in_a_document() -> None:
    check = ModelPerformance(metric="test.scores.0")
    assert check.check_frame({"test": {"scores": [0.5]}}, NoHistory())[0].triggered
