"""Silences a library's logger, in this thread and for a moment."""

import contextlib
import logging
import threading
from collections.abc import Iterator

_here = threading.local()


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.name not in getattr(_here, "names", ())


@contextlib.contextmanager
def quiet(name: str) -> Iterator[None]:
    """Drop what the logger `name` logs in this thread, within the context."""
    logging.getLogger(name).addFilter(_is_wanted)  # added once, however often this is called
    before = getattr(_here, "names", ())
    _here.names = (*before, name)
    try:
        yield
    finally:
        _here.names = before
