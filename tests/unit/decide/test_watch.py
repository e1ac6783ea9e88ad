"""What a hook says about the end of a run of somebody's own flow."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.watch import EndedRun, may_end, observe
from sentinel_core.model.fault import Fault
from sentinel_core.model.run import Run, StateType
from sentinel_core.model.watched import Hook, HookKind

T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ENDS = {
    "completed": (StateType.COMPLETED, "Completed"),
    "failed": (StateType.FAILED, "Failed"),
    "timed out": (StateType.FAILED, "TimedOut"),
    "crashed": (StateType.CRASHED, "Crashed"),
    "called TimedOut": (StateType.COMPLETED, "TimedOut"),
    "cancelled": (StateType.CANCELLED, "Cancelled"),
}
FAILURES = (StateType.FAILED,)


def ended(end: str = "failed", *, seconds: float | None = 90, text: str = "", **more: Any) -> Any:
    kind, name = ENDS[end]
    started = None if seconds is None else T0
    over = T0 + timedelta(seconds=seconds or 0)
    run = Run(UUID(int=1), "brave-owl", kind, name, text, over, T0, started, 1)
    return EndedRun("nightly, run brave-owl", run, **more)


def hook(kind: HookKind, **more: Any) -> Hook:
    return Hook(kind=kind, ticker=kind.value, **more)


def breached(watch: Hook, end: str) -> bool | None:
    observation = observe(watch, ended(end))
    return None if observation is None else observation.breached


@pytest.mark.parametrize(
    ("kind", "more", "alerts", "fine"),
    [
        (HookKind.FAILURE, {"states": FAILURES}, {"failed", "timed out"}, True),
        (HookKind.FAILURE, {"states": FAILURES, "leaves_timeouts": True}, {"failed"}, True),
        (
            HookKind.FAILURE,
            {"states": (*FAILURES, StateType.CRASHED)},
            {"failed", "timed out", "crashed"},
            True,
        ),
        (HookKind.TIMEOUT, {"states": FAILURES}, {"timed out"}, True),
        (HookKind.CRASH, {"states": (StateType.CRASHED,)}, {"crashed"}, True),
        (HookKind.RESULT, {"states": (StateType.COMPLETED,)}, set(), False),
    ],
)
def test_which_ends_a_hook_alerts_at(
    kind: HookKind, more: dict[str, Any], alerts: set[str], fine: bool
) -> None:
    watch = hook(kind, **more)
    assert {end for end in ENDS if breached(watch, end)} == alerts
    completed = {"completed", "called TimedOut"} if fine else set()
    assert {end for end in ENDS if breached(watch, end) is False} == completed


def test_the_message_has_state_duration_limit_retries_and_prefects_message() -> None:
    watch = hook(HookKind.FAILURE, states=FAILURES, timeout_seconds=7200)
    observation = observe(watch, ended(text="no route", retries=2, evidence={"url": "there"}))
    assert observation is not None
    assert observation.message == (
        "nightly, run brave-owl: ended as Failed after 90 s (limit 7,200 s), 2 retries: no route"
    )
    assert observation.metrics == {"retries": 2, "duration_seconds": 90, "limit_seconds": 7200}
    assert observation.metadata["url"] == "there"
    assert observation.metadata["state"] == "Failed"
    assert observation.metadata["ended_at"] == "2026-11-02T09:01:30+00:00"


def test_a_run_that_never_started_has_no_duration() -> None:
    watch = hook(HookKind.CRASH, states=(StateType.CRASHED,))
    observation = observe(watch, ended("crashed", seconds=None, retries=1))
    assert observation is not None
    assert observation.message == "nightly, run brave-owl: ended as Crashed, 1 retry."
    assert "duration_seconds" not in observation.metrics


def test_a_message_of_megabytes_is_cut() -> None:
    observation = observe(hook(HookKind.FAILURE, states=FAILURES), ended(text="x" * 10_000_000))
    assert observation is not None
    assert len(observation.message) < 2_200


@pytest.mark.parametrize(
    ("end", "seconds", "limit", "expected"),
    [
        ("completed", 90, 60, True),
        ("completed", 60, 60, False),
        ("completed", None, 60, None),
        ("completed", 90, None, None),
        ("failed", 90, 60, None),
    ],
)
def test_a_slow_run_took_longer_than_its_limit(
    end: str, seconds: float | None, limit: float | None, expected: bool | None
) -> None:
    watch = hook(HookKind.SLOW, states=(StateType.COMPLETED,), seconds=limit)
    observation = observe(watch, ended(end, seconds=seconds))
    assert (None if observation is None else observation.breached) is expected


def test_the_message_of_a_slow_run_counts_its_items() -> None:
    watch = hook(HookKind.SLOW, states=(StateType.COMPLETED,), seconds=5)
    observation = observe(watch, ended("completed", items=12_000, metrics={"items": 12_000}))
    assert observation is not None
    assert observation.message == "nightly, run brave-owl: took 90 s, limit 5 s, 12,000 items."
    assert observation.metrics["items"] == 12_000
    assert observation.metrics["limit_seconds"] == 5


@pytest.mark.parametrize(
    ("result", "kind", "alerts", "text"),
    [
        (True, Kind.ALERT, True, "nightly, run brave-owl: nothing matched"),
        (False, Kind.ALERT, False, "nightly, run brave-owl: The result is as it should be."),
        ("it raised", Kind.ERROR, True, "Not checked: nightly, run brave-owl: it raised"),
    ],
)
def test_a_result_hook_alerts_or_says_that_it_could_not_judge(
    result: bool | str, kind: Kind, alerts: bool, text: str
) -> None:
    watch = hook(HookKind.RESULT)
    observation = observe(watch, ended("completed", result=result, message="nothing matched"))
    assert observation is not None
    assert (observation.kind, observation.breached) == (kind, alerts)
    assert observation.message == text


def test_a_result_hook_says_nothing_about_other_ends() -> None:
    assert observe(hook(HookKind.RESULT), ended("failed", result=True)) is None


def test_only_alerts_of_a_tasks_runs_have_a_record_of_their_own() -> None:
    """Its runs share a flow run: one that is fine must not hide another that is not."""
    watch = hook(HookKind.FAILURE, states=FAILURES, task="extract")
    alert, fine = observe(watch, ended("failed")), observe(watch, ended("completed"))
    assert alert is not None
    assert fine is not None
    assert (alert.evaluated, fine.evaluated) == (True, False)


@pytest.mark.parametrize(
    ("kind", "task", "same_flow_run", "ends"),
    [
        (HookKind.FAILURE, "", True, True),
        (HookKind.FAILURE, "scrape", False, False),
        (HookKind.TIMEOUT, "scrape", False, False),
        (HookKind.RESULT, "scrape", False, True),
        (HookKind.RESULT, "scrape", True, False),
        (HookKind.SLOW, "scrape", True, False),
    ],
)
def test_which_runs_that_are_fine_may_end_an_event(
    kind: HookKind, task: str, same_flow_run: bool, ends: bool
) -> None:
    run = ended("completed")
    breach = {"run_id": str(run.run.id if same_flow_run else UUID(int=2))}
    assert may_end(hook(kind, task=task), run, breach) is ends


def test_a_check_of_data_in_a_run_is_not_judged_by_the_end_of_the_run() -> None:
    assert [observe(hook(HookKind.CHECK), ended(end)) for end in ENDS] == [None] * len(ENDS)


@pytest.mark.parametrize(
    ("end", "known", "suggestion"),
    [
        ("timed out", "", Fault.TIMEOUT.next_step),
        ("failed", "", ""),
        ("failed", "Look there.", "Look there."),
        ("completed", "Look there.", ""),
    ],
)
def test_the_next_step_is_what_is_known_of_the_exception_or_of_the_state(
    end: str, known: str, suggestion: str
) -> None:
    seen = observe(hook(HookKind.FAILURE, states=FAILURES), ended(end, suggestion=known))
    assert seen is not None
    assert seen.suggestion == suggestion
