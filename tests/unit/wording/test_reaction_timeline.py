"""Each state of a reaction in words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sentinel_core.wording.reaction_timeline import State, timeline, waiting

NOW = datetime(2026, 11, 20, 16, 31, 5, tzinfo=UTC)
RUN = UUID(int=5)
ROW: dict[str, Any] = {
    "occasion": "open",
    "action": "run",
    "target": "retrain/nightly",
    "parameters": {"model": "churn", "drift": 0.2233333333, "dry": True},
    "status": "pending",
    "code": None,
    "sentence": "",
    "approved_by": None,
    "approved_at": None,
    "attempts": 0,
    "claimed_at": None,
    "created_at": NOW - timedelta(minutes=2),
    "next_attempt_at": NOW - timedelta(minutes=2),
    "flow_run_id": None,
    "flow_run_name": None,
    "started_at": None,
    "run_state_name": None,
    "ended_at": None,
}
WITH = "with model=churn, drift=0.223333, dry=true"
BEGUN = {"flow_run_id": RUN, "flow_run_name": "brave-otter", "started_at": NOW}


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"status": "waiting"}, State.WAITING, WITH),
        ({}, State.DUE, "since 16:29:05"),
        (
            {"attempts": 1, "sentence": "Prefect does not answer: ReadTimeout"},
            State.RETRYING,
            "next at 16:29:05: Prefect does not answer: ReadTimeout",
        ),
        ({"status": "started", **BEGUN}, State.RUNNING, f"brave-otter since 16:31:05, {WITH}"),
        (
            {"status": "ended", "run_state_name": "Completed", "ended_at": NOW, **BEGUN},
            State.DONE,
            "brave-otter ended as Completed",
        ),
        (
            {"status": "ended", "run_state_name": "Failed", "code": "run-failed", **BEGUN},
            State.RUN_FAILED,
            "brave-otter ended as Failed",
        ),
        ({"status": "ended", "action": "resume", "ended_at": NOW}, State.DONE, ""),
        (
            {"status": "skipped", "sentence": "the bound is reached"},
            State.NOT_STARTED,
            "the bound is reached",
        ),
        ({"status": "failed", "sentence": "no deployment"}, State.FAILED, "no deployment"),
        (
            {"approved_by": "ana", "approved_at": NOW},
            State.DUE,
            "since 16:29:05; approved by ana at 16:31:05",
        ),
    ],
)
def test_a_reaction_is_told_by_its_state(changes: Any, state: State, words: str) -> None:
    [entry] = timeline([{**ROW, **changes}], NOW)
    assert (entry.state, entry.words, entry.why) == (state, words, "as it opened")


def test_what_it_does_is_told() -> None:
    rows = [{**ROW, "action": "retry", "target": "failed-run"}, {**ROW, "action": "resume"}]
    assert [entry.what for entry in timeline(rows, NOW)] == [
        "retry the failed run",
        "resume retrain/nightly",
    ]
    assert timeline([{**ROW, **BEGUN}], NOW)[0].run == str(RUN)


def test_only_what_waits_may_be_approved() -> None:
    rows = [{**ROW, "status": status} for status in ("waiting", "pending", "skipped")]
    assert waiting(rows) == rows[:1]
