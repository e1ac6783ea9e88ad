"""How long the tests wait before they give something up."""

import os

VARIABLE = "SENTINEL_TEST_PATIENCE"
PATIENCE = float(os.environ.get(VARIABLE, "1"))
"""A slow machine multiplies every deadline of the tests by this."""


def patient(seconds: float) -> float:
    """A deadline on this machine."""
    return seconds * PATIENCE
