"""Deprecated: import from `sentinel_core` instead. This module goes with the next release."""

from sentinel_core.model.alert import *  # noqa: F403
