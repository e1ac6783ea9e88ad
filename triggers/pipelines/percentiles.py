"""The middle and the upper end of some durations. Pure."""

import math
from collections.abc import Sequence
from statistics import median


def usual(values: Sequence[float], fewest: int) -> float | None:
    """The median; None when there are too few values to call any of them usual."""
    return median(values) if values and len(values) >= fewest else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed; None of none."""
    if not values:
        return None
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]
