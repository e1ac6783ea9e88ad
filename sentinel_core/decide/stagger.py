"""Start offsets of rules that are due at the same time, constant for each rule. Pure."""

import hashlib
from datetime import timedelta

from sentinel_core.decide.schedule import GRACE
from sentinel_core.model.spread import Spread

INTERVAL = timedelta(minutes=15)
"""The longest window of `interval`: nobody wants a daily rule of nine o'clock in the afternoon."""

SHARE = 0.8
"""The part of a period in which its run starts. What is left is for the run itself, so that it has
ended when the next one is due, and for telling that it stays away."""

_DAY_SECONDS = 86_400.0  # a missed run of a slower schedule is waited for as long
_STEPS = 2**32


def window_seconds(
    spread: Spread, period_seconds: float | None, grace_seconds: float | None = None
) -> float:
    """The window of a rule's start offset.

    `period_seconds` is the time between a due time and the next one; None if there is no next one.
    `grace_seconds` is after how long the rule itself wants to be called silent: a run that keeps to
    its offset is recorded before.
    """
    if spread == "none":
        return 0.0
    asked = INTERVAL.total_seconds() if spread == "interval" else spread
    period = _DAY_SECONDS if period_seconds is None else min(period_seconds, _DAY_SECONDS)
    window = min(asked, SHARE * period)
    if grace_seconds is not None:
        window = min(window, grace_seconds - GRACE.total_seconds())
    return max(0.0, window)


def offset_seconds(name: str, window_seconds: float) -> float:
    """The start offset of a rule within the window: from 0 up to `window_seconds`.

    It depends on the name alone, so that a rule's evaluations stay evenly spaced on any worker, and
    adding a rule moves no other.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return window_seconds * int.from_bytes(digest) / _STEPS
