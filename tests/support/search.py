"""How long property tests search."""

import os

SEARCHING = os.environ.get("HYPOTHESIS_PROFILE") == "search"


def examples(most: int) -> int:
    """A quarter of `most`, at least five; all of them, and new ones each time, in `make search`."""
    return most if SEARCHING else max(5, most // 4)
