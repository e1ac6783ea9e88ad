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

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main(parent: int, arguments: list[str]) -> None:
    """Run `prefect` with these arguments, as long as the parent lives."""
    with contextlib.suppress(AttributeError):  # there is no such call on macOS
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that call
        sys.exit("the process that started this one has ended")
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
