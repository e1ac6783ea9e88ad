"""Distances between two samples of one feature. Pure; the tests are scipy's, PSI is ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_FLOOR = 1e-4
"""The smallest share of a bin: an empty one would make PSI infinite."""


@dataclass(frozen=True, slots=True)
class Distances:
    """What the two samples say. None where a test does not apply to the kind of feature."""

    psi: float
    jensen_shannon: float
    ks: float | None = None
    ks_p_value: float | None = None
    wasserstein: float | None = None
    chi2: float | None = None
    chi2_p_value: float | None = None


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """The population stability index of two lists of shares: Σ (a − e) · ln(a / e).

    After Siddiqi, Credit Risk Scorecards (2006). Shares below 0.0001 count as 0.0001.
    """
    import numpy as np

    e = np.maximum(np.asarray(expected, dtype=float), _FLOOR)
    a = np.maximum(np.asarray(actual, dtype=float), _FLOOR)
    return float(np.sum((a - e) * np.log(a / e)))


def bin_shares(
    reference: "np.ndarray[Any, Any]", current: "np.ndarray[Any, Any]", bins: int
) -> tuple[list[float], list[float]]:
    """The shares of both samples in bins that hold equal parts of the reference.

    Edges are quantiles of the reference, equal ones once; the outer bins reach to infinity. A
    value on an edge belongs to the bin below. A reference of few different values has a bin for
    each of them.
    """
    import numpy as np

    different = np.unique(reference)
    if len(different) <= bins:
        edges = different
    else:
        edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    places = len(edges) + 1
    shares = []
    for sample in (reference, current):
        counts = np.bincount(np.searchsorted(edges, sample, side="left"), minlength=places)
        shares.append(list(counts / len(sample)))
    return shares[0], shares[1]


def of_numbers(
    reference: "np.ndarray[Any, Any]", current: "np.ndarray[Any, Any]", bins: int
) -> Distances:
    """The distances of two samples of finite numbers, both with values."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import ks_2samp, wasserstein_distance

    expected, actual = bin_shares(reference, current, bins)
    ks = ks_2samp(reference, current)
    return Distances(
        psi=psi(expected, actual),
        jensen_shannon=_number(jensenshannon(expected, actual, base=2)),
        ks=float(ks.statistic),
        ks_p_value=float(ks.pvalue),
        wasserstein=float(wasserstein_distance(reference, current)),
    )


def of_categories(reference: Mapping[Any, int], current: Mapping[Any, int]) -> Distances:
    """The distances of two counts of categories, both of at least one value."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency

    names = list(dict.fromkeys([*reference, *current]))
    before = [reference.get(name, 0) for name in names]
    after = [current.get(name, 0) for name in names]
    expected = [number / sum(before) for number in before]
    actual = [number / sum(after) for number in after]
    chi2, p_value = 0.0, 1.0
    if len(names) > 1:
        result = chi2_contingency([before, after])
        chi2, p_value = float(result.statistic), float(result.pvalue)
    return Distances(
        psi=psi(expected, actual),
        jensen_shannon=_number(jensenshannon(expected, actual, base=2)),
        chi2=chi2,
        chi2_p_value=p_value,
    )


def _number(distance: Any) -> float:
    """A distance; rounding may leave NaN for samples that are equal."""
    number = float(distance)
    return number if number == number else 0.0  # noqa: PLR0124
