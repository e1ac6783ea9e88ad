"""Which runs of Prefect's API are late, and by what."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.objects import State as RunState
from prefect.states import AwaitingRetry, Cancelled, Completed, Pending, Running, Scheduled

from triggers.pipelines.starts import latest_start, start_of, to_judge

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run(state: RunState, due: datetime, started: datetime | None = None) -> FlowRun:
    return FlowRun(
        id=UUID(int=1),
        flow_id=UUID(int=2),
        name="r",
        state=state,
        expected_start_time=due,
        start_time=started,
        run_count=1 if started else 0,
    )


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (run(Scheduled(scheduled_time=NOON - MINUTE), NOON - MINUTE), 60),
        (run(Pending(), NOON - MINUTE), 60),
        (run(Scheduled(scheduled_time=NOON + MINUTE), NOON + MINUTE), None),
        # put off by a person
        (run(Scheduled(scheduled_time=NOON + MINUTE), NOON - MINUTE), None),
        # put off by Prefect, because the slots are taken
        (
            run(
                Scheduled(scheduled_time=NOON + MINUTE, name="AwaitingConcurrencySlot"),
                NOON - MINUTE,
            ),
            60,
        ),
        (run(Running(), NOON - 5 * MINUTE, NOON - 3 * MINUTE), 120),
        (run(Completed(), NOON - 5 * MINUTE, NOON - 6 * MINUTE), 0),
        (run(AwaitingRetry(scheduled_time=NOON), NOON - 5 * MINUTE, NOON - 4 * MINUTE), 60),
        # it never ran
        (run(Cancelled(), NOON - 5 * MINUTE), None),
        (run(RunState(type=StateType.CRASHED), NOON - 5 * MINUTE), None),
    ],
)
def test_the_start_of_a_run(made, seconds):
    start = start_of(made, NOON)
    assert (start and start.seconds_late(NOON)) == seconds


def test_the_one_that_is_late_for_the_longest():
    late = start_of(run(Pending(), NOON - 5 * MINUTE), NOON)
    started = start_of(run(Running(), NOON - 9 * MINUTE, NOON - 8 * MINUTE), NOON)
    assert late is not None
    assert started is not None
    assert latest_start([started, late], NOON) is late
    assert latest_start([], NOON) is None
    assert late.sentence(NOON).endswith("has not started, 5 min after its time")
    assert started.sentence(NOON).endswith("started 1 min late")


def test_an_older_start_is_judged_once():
    early = start_of(run(Running(), NOON - 9 * MINUTE, NOON - 8 * MINUTE), NOON)
    later = start_of(run(Running(), NOON - 5 * MINUTE, NOON - 4 * MINUTE), NOON)
    waiting = start_of(run(Pending(), NOON - MINUTE), NOON)
    assert early and later and waiting
    every = [later, waiting, early]
    assert to_judge(every, None) == [waiting, later]
    assert to_judge(every, NOON - 9 * MINUTE) == [waiting, early, later]
    assert to_judge(every, NOON - 8 * MINUTE) == [waiting, later]
    assert to_judge([], NOON) == []
