"""Deprecated: import from `sentinel_core` instead. This module goes with the next release."""

from sentinel_core.model.trigger import *  # noqa: F403
