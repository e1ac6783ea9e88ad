"""Rules that share a cron minute start a little apart, each always at the same offset. Pure."""

import hashlib

_STEPS = 2**32


def offset_seconds(name: str, window_seconds: float) -> float:
    """Where in the window a rule starts: from 0 up to `window_seconds`, the same for a name always.

    The offset depends on the name alone, so that a rule's evaluations stay evenly apart, whichever
    worker takes them, and adding a rule moves no other.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return window_seconds * int.from_bytes(digest) / _STEPS
