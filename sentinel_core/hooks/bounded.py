"""Keeps a hook from failing the run it watches, or holding it up for long."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from logging import Logger, LoggerAdapter

LONGEST_SECONDS = 5.0
THREAD = "sentinel-hook"

Log = Logger | LoggerAdapter[Logger]


def bounded(work: Callable[[], object], log: Log, consequence: str) -> None:
    """Do `work` in a thread and wait for it a bounded time. Never raises; problems are logged."""
    context = copy_context()

    def run() -> None:
        try:
            context.run(work)
        except Exception as error:
            # Its class if it has no text: an error's own __str__ may raise.
            _warn(log, consequence, error)

    thread = threading.Thread(target=run, name=THREAD, daemon=True)
    thread.start()
    thread.join(LONGEST_SECONDS)
    if thread.is_alive():
        log.warning(
            "Sentinel's hook took longer than %s s and goes on in the background; %s.",
            LONGEST_SECONDS,
            consequence,
        )


def _warn(log: Log, consequence: str, error: Exception) -> None:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    log.warning("Not recorded by Sentinel's hook: %s; %s.", text[:2_000], consequence)
