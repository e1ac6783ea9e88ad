"""Deliverers killed with SIGKILL at random moments: nothing is lost, and what came twice is known.

A deliverer that dies between sending a message and writing that down leaves a claim behind; whoever
claims it next counts the attempt as unknown, and sends again.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.endpoint import Endpoint, Request
from tests.support.faulty import arrivals, events_in, incoming_webhook, notifications
from tests.support.killed import Deliverers, deliverers
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.runs import a_rule, a_run, fired, told

pytestmark = pytest.mark.usefixtures("sends")
AT_ONCE = 3  # deliverers
TIMEOUT, LEASE = 4.0, 4.5
IN_FLIGHT = 0.08  # seconds an answer takes: many kills come while one is awaited


@pytest.fixture
def endpoint(endpoint: Endpoint) -> Endpoint:
    endpoint.reply = answer_late
    return endpoint


def answer_late(_: Request) -> bytes:
    time.sleep(IN_FLIGHT)
    return b"ok"


@pytest.fixture
def started(
    server: PrefectServer, engine: Engine, database_url: str, tmp_path: Path
) -> Iterator[Deliverers]:
    env = {
        **server.env,
        "SENTINEL_DATABASE_URL": database_url,
        "SENTINEL_NOTIFY_TIMEOUT_SECONDS": str(TIMEOUT),
        "SENTINEL_NOTIFY_LEASE_SECONDS": str(LEASE),
    }
    with deliverers(env, str(tmp_path / "deliverers.log")) as running:
        yield running


@pytest.mark.slow("postgres")
def test_a_few_killed_deliverers_lose_nothing(
    engine: Engine, endpoint: Endpoint, started: Deliverers
) -> None:
    killed_and_counted(engine, endpoint, started, kills=8)


@pytest.mark.soak
def test_two_hundred_killed_deliverers_lose_nothing(
    engine: Engine, endpoint: Endpoint, started: Deliverers
) -> None:
    killed_and_counted(engine, endpoint, started, kills=200)


def killed_and_counted(engine: Engine, endpoint: Endpoint, started: Deliverers, kills: int) -> None:
    """Rules fire while deliverers die; those that live do the rest; then everything is counted."""
    chance = random.Random(engine.dialect.name)
    channel = incoming_webhook(endpoint.url)
    alive = [started.start() for _ in range(AT_ONCE)]
    for number in range(kills):
        fire(engine, channel, number)
        time.sleep(chance.uniform(0.02, 0.6))
        started.kill(alive.pop(chance.randrange(AT_ONCE)))
        alive.append(started.start())
    finish(engine)
    for pid in alive:
        started.kill(pid)  # they were alive to the end
    count = Count.of(notifications(engine), endpoint.received)
    print(f"\n{engine.dialect.name}: {kills} kills; {count}")
    assert count.sent == count.owed == 4 * kills
    assert count.lost == 0
    assert count.unexplained == 0
    assert count.duplicates <= count.unknown


def fire(engine: Engine, channel: str, number: int) -> None:
    """Two rules fire for the same ticker, told together; one for two others, each alone."""
    together = {"channel": channel, "group_by": ["ticker"], "storm": None}
    alone = {"channel": channel, "group_by": [], "storm": None}
    rules: list[tuple[str, dict[str, Any], int]] = [
        ("together-1", together, 1),
        ("together-2", together, 1),
        ("alone", alone, 2),
    ]
    for name, route, count in rules:
        outputs = [fired(f"T{number}-{n}") for n in range(count)]
        told(
            engine,
            a_rule(name, notify={"high": [route]}),
            a_run(number),
            outputs,
            datetime.now(UTC),
        )


def finish(engine: Engine) -> None:
    """Those that live do the rest: what the dead have claimed is free when their leases end."""

    def done() -> bool:
        return all(row["status"] != "pending" for row in notifications(engine))

    wait_for(done, seconds=300, what="all that is owed to be sent", every=0.5)


@dataclass(frozen=True)
class Count:
    """What was owed, what came, and what is on record of it."""

    owed: int
    sent: int
    requests: int
    attempts: int
    lost: int
    duplicates: int  # events told once more than needed
    twice: int  # messages that came again with the same events
    unknown: int
    unexplained: int

    @classmethod
    def of(cls, found: list[dict[str, Any]], received: list[Request]) -> "Count":
        came = arrivals(received)
        more = {row["event_id"]: came[row["event_id"]] - 1 for row in found}
        whole = Counter(frozenset(events_in(request)) for request in received)
        return cls(
            owed=len(found),
            sent=sum(row["status"] == "sent" for row in found),
            requests=len(received),
            attempts=sum(row["attempts"] for row in found),
            lost=sum(count < 0 for count in more.values()),
            duplicates=sum(count for count in more.values() if count > 0),
            twice=sum(count - 1 for events, count in whole.items() if events),
            unknown=sum(row["unknown"] for row in found),
            unexplained=sum(more[row["event_id"]] > row["unknown"] for row in found),
        )

    def __str__(self) -> str:
        return (
            f"{self.owed} notifications in {self.requests} messages, {self.lost} lost, "
            f"{self.duplicates} told twice (in {self.twice} messages), {self.unknown} attempts "
            f"unknown, {self.unexplained} duplicates without a reason"
        )
