"""What a worker tells a run of its planned start."""

import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from sentinel_core.prefect_io.planned import handed_down, is_put_off, put_off, to_hand_down

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=700.25)


def test_only_the_run_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that it starts inherit its environment, and may run flows of their own."""
    run = uuid4()
    assert handed_down(run) is None
    for name, value in to_hand_down(run, LATER).items():
        monkeypatch.setitem(os.environ, name, value)
    assert handed_down(run) == LATER
    assert handed_down(uuid4()) is None


def test_the_state_says_when_it_was_due_and_when_it_starts() -> None:
    state = put_off(NOON, LATER)
    assert (state.name, state.state_details.scheduled_time) == ("Scheduled", LATER)
    assert state.message == (
        "Due at 2026-03-02 12:00 UTC, and spread: it starts at 2026-03-02 12:11:40 UTC."
    )


@pytest.mark.parametrize(
    ("name", "count", "listed", "expected"),
    [
        ("Scheduled", 0, LATER, True),
        ("Late", 0, LATER, True),
        ("Scheduled", 0, NOON, False),
        ("Late", 0, NOON, False),
        ("Scheduled", 0, NOON - timedelta(seconds=1), False),
        ("AwaitingRetry", 1, LATER, False),
        ("Scheduled", 1, LATER, False),
        ("AwaitingConcurrencySlot", 0, LATER, False),
        (None, 0, LATER, False),
    ],
)
def test_a_run_that_was_put_off(
    name: str | None, count: int, listed: datetime, expected: bool
) -> None:
    run = FlowRun(
        flow_id=uuid4(),
        state_name=name,
        run_count=count,
        expected_start_time=NOON,
        next_scheduled_start_time=listed,
    )
    assert is_put_off(run) is expected
