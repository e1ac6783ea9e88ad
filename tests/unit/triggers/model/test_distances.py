"""PSI, Kolmogorov–Smirnov and the rest: published values, and scipy on many random samples."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, wasserstein_distance

from triggers.model.distances import bin_shares, of_categories, of_numbers, psi

# The worked example of a well-known tutorial (GeeksforGeeks, Population Stability Index).
EXPECTED, OBSERVED = [0.40, 0.30, 0.30], [0.35, 0.25, 0.40]

# The samples of Kirkman's "Statistics to Use", whose D is 0.45.
CONTROL = [
    *(1.26, 0.34, 0.70, 1.75, 50.57, 1.55, 0.08, 0.42, 0.50, 3.20),
    *(0.15, 0.49, 0.95, 0.24, 1.37, 0.17, 6.98, 0.10, 0.94, 0.38),
]
TREATMENT = [
    *(2.37, 2.16, 14.82, 1.73, 41.04, 0.23, 1.32, 2.91, 39.41, 0.11),
    *(27.44, 4.51, 0.51, 4.50, 0.18, 14.68, 4.66, 1.30, 2.06, 1.19),
]


def test_psi_of_published_shares() -> None:
    by_hand = (
        (0.35 - 0.40) * math.log(0.35 / 0.40)  # 0.006677
        + (0.25 - 0.30) * math.log(0.25 / 0.30)  # 0.009116
        + (0.40 - 0.30) * math.log(0.40 / 0.30)  # 0.028768
    )
    assert psi(EXPECTED, OBSERVED) == pytest.approx(by_hand)
    assert psi(EXPECTED, OBSERVED) == pytest.approx(0.04456, abs=5e-6)


def test_kolmogorov_and_smirnov_of_published_samples() -> None:
    found = of_numbers(np.array(CONTROL), np.array(TREATMENT), 10)
    assert found.ks == pytest.approx(0.45)
    # Gnedenko and Korolyuk (1951), for equal sizes n = 20 and D = 9/20.
    exact = 2 * (math.comb(40, 11) - math.comb(40, 2)) / math.comb(40, 20)
    assert found.ks_p_value == pytest.approx(exact)


def test_an_empty_bin_counts_as_a_share_of_one_in_ten_thousand() -> None:
    expected = (1e-4 - 0.5) * math.log(1e-4 / 0.5) + (1 - 0.5) * math.log(1 / 0.5)
    assert psi([0.5, 0.5], [0.0, 1.0]) == pytest.approx(expected)


def test_bins_hold_equal_parts_of_the_reference() -> None:
    reference = np.arange(1, 101, dtype=float)
    expected, actual = bin_shares(reference, np.full(7, 1_000.0), 10)
    assert expected == pytest.approx([0.1] * 10)
    assert actual == pytest.approx([0.0] * 9 + [1.0])


def test_a_reference_of_few_different_values_has_a_bin_for_each() -> None:
    expected, actual = bin_shares(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 1, 2]), 10)
    assert expected == pytest.approx([0.5, 0.5, 0])
    assert actual == pytest.approx([0.2, 0.6, 0.2])


def test_a_constant_reference() -> None:
    same = of_numbers(np.ones(5), np.ones(9), 10)
    assert (same.psi, same.ks, same.jensen_shannon, same.wasserstein) == (0, 0, 0, 0)
    assert of_numbers(np.ones(5), np.zeros(9), 10).ks == 1


def ks_by_definition(reference: np.ndarray, current: np.ndarray) -> float:
    """The largest distance between the two empirical distribution functions."""
    points = np.concatenate([reference, current])
    below = [
        np.searchsorted(np.sort(s), points, side="right") / len(s) for s in (reference, current)
    ]
    return float(np.max(np.abs(below[0] - below[1])))


def test_a_thousand_random_pairs_against_scipy_and_the_definitions() -> None:
    random = np.random.default_rng(20_261_129)
    for _ in range(1_000):
        sizes = random.integers(20, 200, size=2)
        reference = random.normal(size=sizes[0])
        current = random.normal(random.uniform(-1, 1), random.uniform(0.5, 2), size=sizes[1])
        found = of_numbers(reference, current, 10)
        expected, actual = (np.maximum(s, 1e-4) for s in bin_shares(reference, current, 10))
        # Σ (a − e) ln(a/e) is Kullback and Leibler's divergence in both directions together.
        divergence = np.sum(actual * np.log(actual / expected))
        divergence += np.sum(expected * np.log(expected / actual))
        assert found.psi == pytest.approx(divergence)
        if min(actual.min(), expected.min()) > 1e-4:
            assert found.psi == pytest.approx(entropy(actual, expected) + entropy(expected, actual))
        assert found.ks == pytest.approx(ks_by_definition(reference, current))
        assert found.wasserstein == pytest.approx(wasserstein_distance(reference, current))
        assert 0 <= (found.ks_p_value or 0) <= 1


def test_categories_by_hand() -> None:
    # Expected counts are 40 and 60 in both rows: chi² with Yates' correction for a 2×2 table.
    found = of_categories({"a": 50, "b": 50}, {"a": 30, "b": 70})
    chi2 = 2 * (9.5**2 / 40) + 2 * (9.5**2 / 60)
    assert found.chi2 == pytest.approx(chi2)
    assert found.psi == pytest.approx(psi([0.5, 0.5], [0.3, 0.7]))
    assert found.jensen_shannon == pytest.approx(jensenshannon([0.5, 0.5], [0.3, 0.7], base=2))
    assert found.ks is None


def test_one_category_is_no_drift_and_a_new_one_is() -> None:
    assert of_categories({"a": 9}, {"a": 3}).chi2_p_value == 1
    assert of_categories({"a": 9}, {"b": 9}).psi > 1
