"""The cause of a late run: each one alone, and which of two is named."""

from datetime import UTC, datetime, timedelta

import pytest

from triggers.pipelines.late_cause import BACKLOG, Cause, Late, Limit, Pool, Queue, cause_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
JUST_NOW = NOON - timedelta(seconds=20)
FREE, FULL, ZERO = Limit(2, 1), Limit(2, 2), Limit(0, 0)


def late(
    pool: dict[str, object] | None = None, queue: dict[str, object] | None = None, **more: object
) -> Late:
    known = Pool(**{"name": "k8s", "workers_online": 1, **(pool or {})})  # type: ignore[arg-type]
    waits_in = Queue(**{"name": "default", "polled": JUST_NOW, **(queue or {})})  # type: ignore[arg-type]
    return Late("k8s", known, waits_in, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "cause", "words"),
    [
        (Late(None, None), Cause.NO_POOL, "no work pool"),
        (Late("gone", None), Cause.POOL_MISSING, "gone does not exist"),
        (late({"paused": True}), Cause.POOL_PAUSED, "k8s is paused"),
        (late(queue={"paused": True}), Cause.QUEUE_PAUSED, "default of k8s is paused"),
        (late({"workers_online": 0}), Cause.NO_WORKER, "there never was one"),
        (
            late({"workers_online": 0, "last_heartbeat": NOON - timedelta(hours=1)}),
            Cause.NO_WORKER,
            "since 2026-03-02 11:00:00 UTC",
        ),
        (late(deployment_limit=FULL), Cause.DEPLOYMENT_FULL, "2 of 2"),
        (late(awaits_slot=True), Cause.DEPLOYMENT_FULL, "waits for a slot"),
        (late(queue={"limit": FULL}), Cause.QUEUE_FULL, "2 of 2"),
        (late({"limit": FULL}), Cause.POOL_FULL, "2 of 2"),
        (late({"limit": ZERO}), Cause.POOL_FULL, "0 of 0"),
        (late(queue={"polled": None}), Cause.NOT_POLLED, "at any time"),
        (late(queue={"polled": NOON - timedelta(minutes=6)}), Cause.NOT_POLLED, "11:54"),
        (late({"under_way": 3}, {"late": BACKLOG}), Cause.BACKLOG, "10 runs"),
        (late({"under_way": 3}, {"late": BACKLOG - 1}), Cause.WORKER_LIMIT, "3 runs"),
        (late({"limit": FREE}, {"limit": FREE, "late": BACKLOG}), Cause.UNKNOWN, "nothing"),
        (late(), Cause.UNKNOWN, "nothing"),
        # What is closed comes before what is full, and what is full before what is slow.
        (late({"paused": True, "workers_online": 0}), Cause.POOL_PAUSED, ""),
        (late({"workers_online": 0, "limit": FULL}), Cause.NO_WORKER, ""),
        (late({"limit": FULL, "under_way": 2}, {"late": BACKLOG}), Cause.POOL_FULL, ""),
        # Push pools have no workers and nobody polls their queues.
        (late({"needs_worker": False, "workers_online": 0}, {"polled": None}), Cause.UNKNOWN, ""),
        (late({"needs_worker": False, "workers_online": 0, "limit": FULL}), Cause.POOL_FULL, ""),
    ],
)
def test_the_first_cause_that_holds_is_named(facts, cause, words):
    code, sentence = cause_of(facts, NOON)
    assert code is cause
    assert words in sentence


def test_a_hostile_name_stays_on_one_line():
    _, sentence = cause_of(Late("a\n'\"" * 10_000, None), NOON)
    assert "\n" not in sentence
    assert len(sentence) < 200
