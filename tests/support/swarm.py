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

from sentinel_core.model.alert import AlertOutput, load_outputs
from sentinel_core.model.run import Rule, Run
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.outbox.claim import claim
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.resolve import resolve
from tests.support.patience import patient
from tests.support.posted import Posted, deliver_at
from tests.support.runs import NOW, a_run, rows, told

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
        assert receiver.poll(patient(120)), "a process did not answer"
        results.append(receiver.recv())
        receiver.close()
    for process in processes:
        process.join(patient(120))
        process.close()
    failures = [text for worked, text in results if not worked]
    assert not failures, failures[0]
    return [value for _, value in results]


def _child(function: Callable[..., Any], call: tuple[Any, ...], barrier: Barrier, out: Any) -> None:
    try:
        barrier.wait(patient(120))
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


def make_schema_and_tell(url: str, rule: Rule, run: Run, outputs: object) -> int:
    """The hook's path on a database that may be empty; returns how many evaluations it wrote."""
    with own_engine(url) as engine:
        ensure_schema(engine)
        return told(engine, rule, run, load_outputs(outputs)).evaluations


def tell(url: str, rule: Rule, run: Run, outputs: object) -> int:
    """Record one run; returns how many evaluations were written."""
    with own_engine(url) as engine:
        return told(engine, rule, run, load_outputs(outputs)).evaluations


def claim_all(url: str, ids: Sequence[int], now: datetime) -> list[int]:
    """Claim every message that can be had; the notifications that came with them."""
    with own_engine(url) as engine:
        claimed = (claim(engine, key, now) for key in ids)
        return [key for owed in claimed if owed is not None for key in owed.ids]


def deliver_everything(url: str, now: datetime) -> list[Posted]:
    """Hand over whatever is due; all of it arrives."""
    with own_engine(url) as engine:
        return deliver_at(engine, now)


def tell_many(url: str, rule: Rule, prefix: str, moments: Sequence[datetime]) -> None:
    """Runs that open and end events of the same tickers, over and over."""
    with own_engine(url) as engine:
        for n, now in enumerate(moments):
            outputs = [
                AlertOutput(triggered=n % 2 == 0, ticker=f"{prefix}{k}", timestamp=now)
                for k in range(15)
            ]
            told(engine, rule, a_run(n), outputs, now)


def handle_everything(url: str, moments: Sequence[datetime], what: str) -> None:
    """Acknowledge or end whatever is open, over and over."""
    with own_engine(url) as engine:
        for now in moments:
            ids = [row["id"] for row in rows(engine, "alert_event", resolved_at=None)]
            if what == "resolve":
                resolve(engine, ids[::2], by="ben", now=now)
            else:
                acknowledge(engine, ids, by="ana", now=now)
                unacknowledge(engine, ids[::3], by="ana", now=now)


def killed_at_statement(number: int, url: str, rule: Rule, run: Run, outputs: object) -> bool:
    """Record in a process that is killed when its nth statement starts; False: it lived."""
    process = _CONTEXT.Process(
        target=_tell_until, args=(number, url, rule, run, outputs), daemon=True
    )
    process.start()
    process.join(patient(120))
    code = process.exitcode
    process.close()
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def _tell_until(number: int, url: str, rule: Rule, run: Run, outputs: object) -> None:
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
