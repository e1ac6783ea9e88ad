"""Deprecated: import from `sentinel_core` instead. This module goes with the next release."""

import sys
from types import ModuleType
from typing import Any

from sentinel_core.flow.history import history_of  # noqa: F401
from sentinel_core.flow.rule_flow import *  # noqa: F403
from sentinel_core.flow.rule_flow import rule_flow


class _CallableModule(ModuleType):
    """Once imported, this module hides the function of its name in `sentinel_core`: it acts as it.

    `from sentinel_core import rule_flow` must work in a process that has imported this as well.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return rule_flow(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
