"""What a quiet run's hook does at the event store, with an engine that is kept and a new one.

    python -m benchmarks.connections [--count 200]

The baseline makes a new engine for each hook, which opens a connection for each transaction. Both
look at the store's identity, read the rule, record the run, look for what is to be sent and measure
the host, in turn, and close what they opened: what one hook does, without what it asks of Prefect.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, event

from benchmarks._support import database, median_ms, report
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.observe import judge
from sentinel_core.flow.host import sample_host
from sentinel_core.flow.reacting import start_reactions
from sentinel_core.model.alert import AlertOutput
from sentinel_core.notify.deliver import deliver
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.kept import kept_engine
from sentinel_core.store.db.schema import ensure_schema, identity_of
from sentinel_core.store.record.recording import record
from sentinel_core.store.state.rules import rule_of_deployment
from tests.support.recorded import a_rule, a_run

KINDS = ("sqlite", "postgres")


def hook(engine: Engine) -> int:
    """Do it once; returns the number of connections."""
    opened: list[object] = []
    note = lambda *_: opened.append(1)  # noqa: E731 (to be removed, it needs a name)
    event.listen(engine.pool, "connect", note)
    now = datetime.now(UTC)
    rule, run = RULE, a_run(now)
    outputs = [AlertOutput(triggered=False, ticker="", metrics={"value": 1.0})]
    identity_of(engine)
    rule_of_deployment(engine, rule.deployment_id)
    recorded = record(engine, rule, run, judge(run, rule.settings, outputs), now=now)
    deliver(engine, get_settings(), recorded.notifications)
    start_reactions(engine, recorded.reactions)
    sample_host(engine, now)
    event.remove(engine.pool, "connect", note)
    return len(opened)


def with_new(url: str) -> int:
    """As in each hook before."""
    engine = open_engine(url, create=False)
    return hook(engine)


def with_kept(url: str) -> int:
    """As in each hook now."""
    with kept_engine(url) as engine:
        return hook(engine)


RULE = a_rule()


def timed(call: Callable[[], int]) -> tuple[float, int]:
    """The seconds of a call, and its answer."""
    started = time.perf_counter()
    answer = call()
    return time.perf_counter() - started, answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="hooks of each kind")
    chosen = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    result: dict[str, object] = {}
    for kind in KINDS:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as name,
            database(kind, Path(name)) as url,
        ):
            ensure_schema(open_engine(url))
            times: list[tuple[float, float]] = []
            for _ in range(chosen.count):
                (new, many), (kept, few) = (
                    timed(lambda: with_new(url)),
                    timed(lambda: with_kept(url)),
                )
                times.append((new, kept))
            new, kept = (median_ms(one) for one in zip(*times, strict=True))
            rows.append((kind, many, few, f"{new:.1f}", f"{kept:.1f}", f"{kept / new:.2f}"))
            result |= {f"ratio_{kind}": round(kept / new, 3), f"ms_{kind}": round(kept, 2)}
    columns = ("database", "connections", "kept", "ms", "ms kept", "ratio")
    report("A quiet run's hook at the event store", columns, rows, result)


if __name__ == "__main__":
    main()
