"""Hooks for people's own flows and tasks: an alert in one line (docs/hooks.md).

They record, and leave sending to the flow deliver. They never raise, and never wait for long.
"""

from sentinel_core.hooks.frame import Verdict, check_frame
from sentinel_core.hooks.public import (
    alert_on_crash,
    alert_on_failure,
    alert_on_result,
    alert_on_slow,
    alert_on_timeout,
)

__all__ = [
    "Verdict",
    "alert_on_crash",
    "alert_on_failure",
    "alert_on_result",
    "alert_on_slow",
    "alert_on_timeout",
    "check_frame",
]
