"""The latest values of a series as one line of text: ▁▂▃▅▇."""

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 30


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """One bar for each value, or for the maximum of each of `width` equal stretches.

    The maximum, not the average: people look for peaks.
    """
    if not values:
        return ""
    shown = values
    if len(values) > width:
        edges = [len(values) * n // width for n in range(width + 1)]
        shown = [max(values[start:end]) for start, end in pairwise(edges)]
    # Halved before they are subtracted: the distance of the largest floats is no float.
    low, high = min(shown) / 2, max(shown) / 2
    if high == low:
        return BARS[0] * len(shown)
    return "".join(
        BARS[round((value / 2 - low) / (high - low) * (len(BARS) - 1))] for value in shown
    )
