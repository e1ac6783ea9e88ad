"""When a run's end is an alarm: tables of samples. Real runs: tests/integration."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from triggers.service.prefect_deployment import PrefectDeployment, RunSample, StateSeen

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def sample(type_: str, name: str, *, finished: bool = True, message: str = "") -> RunSample:
    state = StateSeen(type=type_, name=name, message=message, at=NOON)
    return RunSample(
        deployment="etl/nightly",
        flow_run_id="00000000-0000-0000-0000-000000000001",
        flow_run_name="brave-otter",
        flow_run_url="http://127.0.0.1:4200/runs/flow-run/1",
        finished=finished,
        state=state,
        states=[state],
        waited_seconds=61,
        duration_seconds=42,
    )


@pytest.mark.parametrize(
    ("settings", "type_", "name", "triggered"),
    [
        ({}, "COMPLETED", "Completed", False),
        ({}, "COMPLETED", "Triggered", False),
        ({}, "FAILED", "Failed", True),
        ({}, "FAILED", "TimedOut", True),
        ({}, "CRASHED", "Crashed", True),
        ({}, "CANCELLED", "Cancelled", True),
        ({"alert_on": ["TimedOut"]}, "FAILED", "Failed", False),
        ({"alert_on": ["timedout"]}, "FAILED", "TimedOut", True),
        ({"alert_on": ["Triggered"]}, "COMPLETED", "Triggered", True),
        ({"alert_on": ["COMPLETED"]}, "COMPLETED", "Cached", True),
        ({"alert_on": []}, "CRASHED", "Crashed", False),
    ],
)
def test_a_final_state_triggers_when_its_type_or_name_is_listed(settings, type_, name, triggered):
    rule = PrefectDeployment(deployment="etl/nightly", **settings)
    output = rule.evaluate(sample(type_, name, message="because"))
    assert output.triggered is triggered
    assert output.message.startswith(f"etl/nightly ended as {name} after 42.0 s")
    assert output.message.endswith("because") is triggered
    assert output.metrics == {"duration_seconds": 42}


@pytest.mark.parametrize("alert", [True, False])
def test_a_run_still_going_triggers_unless_told_otherwise(alert):
    rule = PrefectDeployment(
        deployment="etl/nightly", wait_seconds=60, alert_when_unfinished=alert, alert_on=["Running"]
    )
    output = rule.evaluate(sample("RUNNING", "Running", finished=False))
    assert output.triggered is alert
    assert output.problem == (None if alert else "no_data")
    assert output.message == "etl/nightly has not ended within 60 s; it is Running"
    assert output.metrics == {"duration_seconds": 42, "value": 61, "threshold": 60}


@pytest.mark.parametrize("name", ["", "nightly", "/nightly", "etl/", "etl/a/b"])
def test_a_name_that_no_deployment_can_have_is_refused(name):
    with pytest.raises(ValidationError, match="deployment"):
        PrefectDeployment(deployment=name)


def test_the_longest_wait_ends_before_the_task_times_out():
    longest = PrefectDeployment(deployment="etl/nightly", wait_seconds=3_000)
    assert longest.wait_seconds < PrefectDeployment.timeout_seconds
    with pytest.raises(ValidationError, match="less than or equal to 3000"):
        PrefectDeployment(deployment="etl/nightly", wait_seconds=3_001)
