"""Prefect at a glance, read in the background: a page never waits for a Prefect that is away."""

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from sentinel_core.base.errors import SentinelError
from viewer import data, operations

if TYPE_CHECKING:
    from sentinel_core.prefect_io.summary import Summary

WITHIN = timedelta(days=1)
_FRESH_SECONDS = 15


@dataclass
class Latest:
    """The newest summary: None before the first one, and while Prefect does not answer.

    `problem` says why there is none; both are empty while the first is being read.
    """

    summary: "Summary | None" = None
    problem: str = ""
    read_at: float = 0.0
    reading: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(show_spinner=False)
def _latest() -> Latest:
    return Latest()


def latest() -> Latest:
    """What is known of Prefect; begins to read it again when that is not fresh."""
    known = _latest()
    with known.lock:
        stale = time.monotonic() - known.read_at > _FRESH_SECONDS
        if stale and not known.reading:
            known.reading = True
            threading.Thread(target=read, args=(known,), name="prefect now", daemon=True).start()
    return known


def read(known: Latest) -> None:
    """Read Prefect's summary, or why there is none."""
    try:
        known.summary, known.problem = operations.summary(data.now() - WITHIN), ""
    except SentinelError as error:
        known.summary, known.problem = None, str(error)
    finally:
        with known.lock:
            known.read_at, known.reading = time.monotonic(), False
