"""Medians and percentiles, computed by hand."""

import pytest

from triggers.pipelines.percentiles import percentile, usual


@pytest.mark.parametrize(
    ("values", "fewest", "median"),
    [
        ([], 0, None),
        ([], 3, None),
        ([5], 1, 5),
        ([5], 3, None),
        ([3, 1, 2], 3, 2),
        ([4, 1, 3, 2], 3, 2.5),
        ([0, 0, 0], 3, 0),
    ],
)
def test_the_median_of_enough_values(values, fewest, median):
    assert usual(values, fewest) == median


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 95, None),
        ([7], 95, 7),
        ([7], 0, 7),
        ([0, 0], 95, 0),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 100, 100),
        (list(range(1, 21)), 95, 19),
        ([10, 1, 5], 50, 5),
        ([10, 1, 5], 95, 10),
    ],
)
def test_the_nearest_rank(values, percent, expected):
    assert percentile(values, percent) == expected
