"""Several processes decide on the same series at once: no update is lost, on either database.

Every run is due at the same moment, so none is late: each counts, whoever comes first. What is on
record must be what one process makes of the same runs in the order in which they were recorded.
"""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.decide.observe import judge
from sentinel_core.model.rule import Policy
from sentinel_core.model.run import Rule
from sentinel_core.replay.ledger import MemoryLedger
from tests.support.deciders import keep_recording, output_of
from tests.support.runs import a_rule, a_run, rows
from tests.support.swarm import at_once

NEVER = a_rule(policy=Policy().model_copy(update={"breaches": 10_000_000}))
LIVELY = a_rule(
    policy={"breaches": 2, "of_last": 3, "recoveries": 2, "max_notifications_per_hour": 5}
)
# Long enough alike that events end, and long enough different that they waver and flap.
PATTERNS = (
    "1" * 6 + "0" * 18,
    "0" * 12 + "12" + "0" * 6,
    "110" * 3 + "0" * 15,
    "0" * 20 + "1010",
    "0" * 9 + "2000" + "1" * 7 + "0" * 12,
)
BURST = 1_000  # runs in one go; `at_once` waits a minute for all of them
SIZES = [  # the larger one: ten thousand with two and eight processes together
    pytest.param(240, id="240"),
    pytest.param(5_000, id="5000", marks=[pytest.mark.soak, pytest.mark.timeout(1_800)]),
]

PROCESSES = [pytest.param(2, marks=pytest.mark.slow), 8]


def recorded_by(processes: int, url: str, rule: Rule, patterns: tuple[str, ...], total: int) -> int:
    """Record `total` runs, shared out among processes that start at the same moment."""
    written = 0
    for start in range(0, total, BURST):
        each = min(BURST, total - start) // processes
        calls = [(url, rule, patterns[n % len(patterns)], each) for n in range(processes)]
        written += sum(at_once(keep_recording, calls))
    return written


@pytest.mark.slow("postgres")
@pytest.mark.parametrize("total", SIZES)
@pytest.mark.parametrize("processes", PROCESSES)
def test_every_breach_that_several_processes_record_is_counted(
    engine: Engine, database_url: str, processes: int, total: int
) -> None:
    assert recorded_by(processes, database_url, NEVER, ("1",), total) == total
    [series] = rows(engine, "alert_series")
    assert (series["breaches"], series["oks"], series["status"]) == (total, 0, "pending")
    assert series["recent"] == "1" * 100
    reasons = [row["decision_reason"] for row in rows(engine, "evaluation")]
    expected = [f"pending: {n} of 10000000 breaches" for n in range(1, total + 1)]
    assert reasons == expected
    assert rows(engine, "alert_event") == []


@pytest.mark.slow("sqlite")
@pytest.mark.parametrize("total", SIZES)
@pytest.mark.parametrize("processes", PROCESSES)
def test_what_several_processes_decide_is_what_one_decides_in_the_order_of_recording(
    engine: Engine, database_url: str, processes: int, total: int
) -> None:
    assert recorded_by(processes, database_url, LIVELY, PATTERNS, total) == total
    recorded = rows(engine, "evaluation")
    alone = decided_alone([row["message"][-1] for row in recorded])
    events = rows(engine, "alert_event")
    numbers = {event["id"]: n for n, event in enumerate(events, 1)}
    assert [
        (
            row["decision"],
            row["decision_code"],
            row["decision_reason"],
            numbers.get(row["event_id"]),
        )
        for row in recorded
    ] == [
        (step.decision.action, step.decision.code, step.decision.reason, step.event_id)
        for step in alone.evaluations
    ]
    assert [
        (event["importance"], event["occurrences"], event["resolved_at"], event["resolution"])
        for event in events
    ] == [(e.importance, e.occurrences, e.resolved_at, e.resolution) for e in alone.events]
    assert len(events) > 1, "a history in which nothing happens shows nothing"
    [series] = rows(engine, "alert_series", kind="alert")
    unresolved = [event["id"] for event in events if event["resolved_at"] is None]
    assert unresolved == ([series["event_id"]] if series["status"] == "firing" else [])
    told = Counter((numbers[n["event_id"]], n["reason"]) for n in rows(engine, "notification"))
    assert told == Counter(
        (message.event_id, message.reason)
        for message in alone.notifications
        for _ in message.channels
    )


def decided_alone(letters: list[Any]) -> MemoryLedger:
    """The same runs in one process, one after the other."""
    simulation = MemoryLedger(LIVELY.name, LIVELY.settings, keep_evaluations=True)
    for letter in letters:
        simulation.run(judge(a_run(), LIVELY.settings, [output_of(letter)]))
    return simulation
