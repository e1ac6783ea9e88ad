"""Deprecated: import from `sentinel_core` instead. This module goes with the next release."""

from sentinel_core.flow.rule_flow import *  # noqa: F403
