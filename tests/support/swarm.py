"""Functions run by several real processes at the same moment."""

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import Connection, Engine, event

from sentinel_core.alert import load_outputs
from sentinel_core.run import RuleFacts, RunFacts
from sentinel_core.store import outbox
from sentinel_core.store.engine import ensure_schema, open_engine
from tests.support.runs import NOW, told

# One process imports everything and forks the others: eight cold imports would not be "at once".
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.swarm"])


def at_once(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What `function` returned in one process for each call, all let go at the same moment."""
    barrier = _CONTEXT.Barrier(len(calls))
    pipes = [_CONTEXT.Pipe(duplex=False) for _ in calls]
    processes = [
        _CONTEXT.Process(target=_child, args=(function, call, barrier, sender), daemon=True)
        for call, (_, sender) in zip(calls, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    for _, sender in pipes:
        sender.close()
    results = []
    for receiver, _ in pipes:
        assert receiver.poll(60), "a process did not answer"
        results.append(receiver.recv())
        receiver.close()
    for process in processes:
        process.join(30)
        process.close()
    failures = [text for worked, text in results if not worked]
    assert not failures, failures[0]
    return [value for _, value in results]


def _child(function: Callable[..., Any], call: tuple[Any, ...], barrier: Barrier, out: Any) -> None:
    try:
        barrier.wait(60)
        out.send((True, function(*call)))
    except BaseException:
        out.send((False, traceback.format_exc()))


@contextlib.contextmanager
def own_engine(url: str) -> Iterator[Engine]:
    """An engine of this process."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def make_schema(url: str) -> None:
    """What the first use of an empty database does."""
    with own_engine(url) as engine:
        ensure_schema(engine)


def make_schema_and_tell(url: str, rule: RuleFacts, run: RunFacts, outputs: object) -> int:
    """The hook's path on a database that may be empty; returns how many evaluations it wrote."""
    with own_engine(url) as engine:
        ensure_schema(engine)
        return told(engine, rule, run, load_outputs(outputs)).evaluations


def tell(url: str, rule: RuleFacts, run: RunFacts, outputs: object) -> int:
    """Record one run; returns how many evaluations were written."""
    with own_engine(url) as engine:
        return told(engine, rule, run, load_outputs(outputs)).evaluations


def claim_all(url: str, ids: Sequence[int], now: datetime) -> list[int]:
    """Claim every message that can be had."""
    with own_engine(url) as engine:
        return [key for key in ids if outbox.claim(engine, key, now) is not None]


def killed_at_statement(
    number: int, url: str, rule: RuleFacts, run: RunFacts, outputs: object
) -> bool:
    """Record in a process that is killed when its nth statement starts; False: it lived."""
    process = _CONTEXT.Process(
        target=_tell_until, args=(number, url, rule, run, outputs), daemon=True
    )
    process.start()
    process.join(60)
    code = process.exitcode
    process.close()
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def _tell_until(number: int, url: str, rule: RuleFacts, run: RunFacts, outputs: object) -> None:
    with own_engine(url) as engine:
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        def commit(_connection: Connection) -> None:
            count()

        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", commit)
        told(engine, rule, run, load_outputs(outputs), NOW)
