"""Start offsets of rules that share a cron minute, constant for each rule. Pure."""

import hashlib

_STEPS = 2**32


def offset_seconds(name: str, window_seconds: float) -> float:
    """The start offset of a rule within the window: from 0 up to `window_seconds`.

    It depends on the name alone, so that a rule's evaluations stay evenly spaced on any worker, and
    adding a rule moves no other.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return window_seconds * int.from_bytes(digest) / _STEPS
