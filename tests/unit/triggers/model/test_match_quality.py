"""Matches and their confidence, as a summary and row by row."""

import pandas as pd
import pytest

from sentinel_core import NoHistory
from triggers.model.match_quality import MatchQuality


@pytest.mark.parametrize(
    ("summary", "triggered", "said"),
    [
        ({"matches": 10, "confidence": 0.7}, False, "10 matches, mean confidence 0.7, not below"),
        ({"matches": 10, "confidence": 0.69}, True, "mean confidence 0.69, below 0.7"),
        ({"matches": 0}, True, "0 matches, fewer than 1"),
        ({"matches": 0, "confidence": None}, True, "0 matches, fewer than 1"),
        ({"matches": 1, "confidence": 0.9}, False, "1 match,"),
    ],
)
def test_a_summary(summary, triggered, said) -> None:
    output = MatchQuality().check_frame(summary, NoHistory())[0]
    assert output.triggered is triggered
    assert said in output.message


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        ({}, "no_data"),
        ({"matches": 3}, "no_data"),
        ({"matches": -1, "confidence": 0.9}, "error"),
        ({"matches": 2.5, "confidence": 0.9}, "error"),
        ({"matches": "many", "confidence": 0.9}, "error"),
        ({"matches": 3, "confidence": float("inf")}, "error"),
    ],
)
def test_a_summary_that_makes_no_sense(summary, problem) -> None:
    assert MatchQuality().check_frame(summary, NoHistory())[0].problem == problem


@pytest.mark.parametrize(
    ("scores", "triggered", "problem"),
    [
        ([0.9, 0.5], False, None),
        ([0.9, 0.4], True, None),
        ([], True, None),
        ([None, None], False, "error"),
        ([0.9, float("inf")], False, "error"),
        (["sure"], False, "error"),
    ],
)
def test_a_table_with_a_row_for_each_match(scores, triggered, problem) -> None:
    check = MatchQuality(rows_are_matches=True)
    output = check.check_frame(pd.DataFrame({"confidence": scores}), NoHistory())[0]
    assert (output.triggered, output.problem) == (triggered, problem), output.message
