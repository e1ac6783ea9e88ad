"""When a run is stuck: each limit, and a moment on either side of it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled
from pydantic import ValidationError

from triggers.pipelines.stuck import ActiveRun, Limits, Stuck, stuck
from triggers.pipelines.stuck_runs import StuckRuns

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIMITS = Limits(pending=60, cancelling=120, running=3_600, times_usual=3, unusual_from=30)
HALF = Limits(pending=60, cancelling=120, heartbeat=90)


def active(kind: StateType, seconds: float, name: str = "brave-otter") -> ActiveRun:
    since = NOON - timedelta(seconds=seconds)
    return ActiveRun(UUID(int=1), name, UUID(int=2), kind, kind.value.title(), since)


PENDING, RUNNING, CANCELLING = StateType.PENDING, StateType.RUNNING, StateType.CANCELLING


@pytest.mark.parametrize(
    ("kind", "seconds", "usual", "code"),
    [
        (PENDING, 60, None, None),
        (PENDING, 61, None, Stuck.PENDING),
        (PENDING, -5, None, None),
        (CANCELLING, 120, None, None),
        (CANCELLING, 121, None, Stuck.CANCELLING),
        (RUNNING, 3_600, None, None),
        (RUNNING, 3_601, None, Stuck.RUNNING_LIMIT),
        (RUNNING, 30, 10, None),
        (RUNNING, 31, 10, Stuck.UNUSUALLY_LONG),
        (RUNNING, 300, 100, None),
        (RUNNING, 301, 100, Stuck.UNUSUALLY_LONG),
        (RUNNING, 30, 0, None),
        (RUNNING, 31, 0, Stuck.UNUSUALLY_LONG),
        (RUNNING, 301, None, None),
    ],
)
def test_a_run_is_stuck_beyond_the_limit_of_its_state(kind, seconds, usual, code):
    found = stuck(active(kind, seconds), NOON, LIMITS, usual)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(("silent", "code"), [(90, None), (91, Stuck.NO_HEARTBEAT), (None, None)])
def test_only_a_run_that_sent_heartbeats_can_miss_one(silent, code):
    beat = None if silent is None else NOON - timedelta(seconds=silent)
    found = stuck(active(RUNNING, 9_999), NOON, HALF, heartbeat=beat)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("state", "under_way"),
    [
        (Pending(), True),
        (Running(), True),
        (Cancelling(), True),
        (Running(name="Completed"), True),
        (Completed(name="Running"), False),
        (Scheduled(), False),
        (None, False),
    ],
)
def test_the_type_of_the_state_says_what_is_under_way(state, under_way):
    run = FlowRun(id=uuid4(), flow_id=uuid4(), state=state)
    assert (ActiveRun.of(run) is not None) is under_way


def test_the_event_lists_the_longest_first():
    found = [
        finding
        for kind, seconds in ((PENDING, 61), (CANCELLING, 7_200))
        if (finding := stuck(active(kind, seconds), NOON, LIMITS))
    ]
    output = StuckRuns().evaluate("etl/nightly", found)
    assert output.triggered
    assert output.metrics == {"value": 2, "longest_seconds": 7_200}
    assert output.metadata["codes"] == ["cancelling_too_long", "pending_too_long"]
    assert output.message.startswith(
        "etl/nightly: 2 runs are stuck. brave-otter is Cancelling since 2026-03-02 10:00:00 UTC: "
        "for 2 h, the limit is 2 min; "
    )


def test_many_hostile_runs_fit_into_one_event():
    name = "\N{SNOWMAN}\n\x00'\"" * 3_000
    found = [stuck(active(PENDING, 61, name), NOON, LIMITS)] * 500
    output = StuckRuns().evaluate("a/b", [item for item in found if item])
    assert output.metadata["not_listed"] == 480
    assert "\n" not in output.message


def test_limits_that_no_run_can_keep_are_refused():
    for wrong in ({"times_usual": 1}, {"pending_seconds": 0}, {"usual_runs": 2}):
        with pytest.raises(ValidationError):
            StuckRuns(**wrong)
