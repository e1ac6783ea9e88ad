"""Sentinel: memory and judgement for alerts that run on Prefect.

The names below are what authors of triggers, rules and flows use. Everything else is internal and
changes without notice. They are imported when first used: importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel_core.base.errors import SentinelError
    from sentinel_core.flow.rule_flow import rule_flow
    from sentinel_core.model.alert import AlertOutput, Importance
    from sentinel_core.model.trigger import History, NoHistory, Trigger

__all__ = [
    "AlertOutput",
    "History",
    "Importance",
    "NoHistory",
    "SentinelError",
    "Trigger",
    "rule_flow",
]

_HOMES = {
    "AlertOutput": "model.alert",
    "History": "model.trigger",
    "Importance": "model.alert",
    "NoHistory": "model.trigger",
    "SentinelError": "base.errors",
    "Trigger": "model.trigger",
    "rule_flow": "flow.rule_flow",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
