"""The processes of `server start --workers N` are as the server in one process."""

import gc
import importlib.util
import multiprocessing
import sys
from multiprocessing.queues import Queue

import pytest

from sentinel_core.up.prefect_server import COLLECTIONS


def report(answers: "Queue[tuple[int, int, int]]") -> None:
    """What a process of the server has set."""
    answers.put(gc.get_threshold())


def test_each_process_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    main = importlib.util.find_spec("sentinel_core.up.prefect_server")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", main)
    spawn = multiprocessing.get_context("spawn")  # as uvicorn does
    answers: Queue[tuple[int, int, int]] = spawn.Queue()
    process = spawn.Process(target=report, args=(answers,))
    process.start()
    assert answers.get(timeout=120) == COLLECTIONS
    process.join(60)
