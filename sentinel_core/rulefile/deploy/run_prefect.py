"""Runs Prefect's command in a process that ends with the one that started it.

A deploy that is killed must not go on deploying behind the back of the next one. Linux ends it;
elsewhere the lease of the killed deploy must expire first, which takes half a minute.
"""

import contextlib
import ctypes
import os
import runpy
import signal
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from prefect import Flow
from prefect.utilities import callables, importtools

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_USERS_OF_SCHEMAS = ("prefect.cli.deploy._core", "prefect.deployments.runner")


def main(parent: int, arguments: list[str]) -> None:
    """Run `prefect` with these arguments, as long as the parent lives."""
    with contextlib.suppress(AttributeError):  # there is no such call on macOS
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that call
        sys.exit("the process that started this one has ended")
    compute_once()
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


def compute_once() -> None:
    """Have Prefect import each file once, and take the parameter schema that a flow has.

    It does both anew for every deployment, which takes most of a deploy's time. Reaches into
    Prefect 3.8: one that is built in another way deploys as before, only slower.
    """
    importtools.load_script_as_module = cache(importtools.load_script_as_module)
    derived = callables.parameter_schema

    def parameter_schema(flow: Callable[..., Any]) -> callables.ParameterSchema:
        if not isinstance(flow, Flow):
            return derived(flow)
        return flow.parameters.model_copy(deep=True)  # a deployment marks its frozen ones in it

    with contextlib.suppress(ImportError):
        for name in _USERS_OF_SCHEMAS:
            vars(import_module(name))["parameter_schema"] = parameter_schema


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
