"""Real runs of people's own flows with hooks: real server, real store."""

from typing import Any

import pytest
from prefect import Flow
from sqlalchemy import Engine

from tests.support import own_flows
from tests.support.own_flows import run
from tests.support.runs import rows

FAILING = [own_flows.nightly, own_flows.nightly_async]
ENDLESS = [own_flows.endless, own_flows.endless_async]


pytestmark = pytest.mark.usefixtures("on_server")


def events(store: Engine, **wanted: Any) -> list[dict[str, Any]]:
    return rows(store, "alert_event", **wanted)


@pytest.mark.slow("async")
@pytest.mark.parametrize("flow", FAILING, ids=lambda flow: flow.name)
def test_a_flow_that_fails_after_its_last_retry_opens_one_event(
    store: Engine, flow: Flow[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TOKEN", "s3cr3t-of-the-lab")
    state = run(flow, "fail")
    assert state.type.value == "FAILED"
    [event] = events(store)
    assert (event["rule_name"], event["ticker"], event["kind"]) == (flow.name, "failure", "alert")
    assert (event["importance"], event["retry_count"], event["resolved_at"]) == ("high", 1, None)
    assert event["prefect_flow_run_id"] == state.state_details.flow_run_id
    assert f"{flow.name}, run " in event["message"]
    assert "ended as Failed after" in event["message"]
    assert "1 retry: Flow run encountered an exception" in event["message"]
    evidence = event["metadata"]
    assert evidence["last_frame"]["function"] == "_do"
    assert evidence["last_frame"]["exception"] == "builtins.RuntimeError"
    assert str(state.state_details.flow_run_id) in evidence["url"]
    assert any("about to fail with the key ***" in line for line in evidence["log"])
    # A traceback fills more than one line may: the end says what was raised.
    traceback = next(line for line in evidence["log"] if "Traceback" in line)
    assert traceback.rstrip().splitlines()[-1].startswith("RuntimeError: ")
    assert "s3cr3t" not in str(event)
    assert 1 < len(evidence["log"]) <= 20


@pytest.mark.slow("async")
@pytest.mark.parametrize("flow", FAILING, ids=lambda flow: flow.name)
def test_a_flow_that_succeeds_at_its_second_try_opens_none(
    store: Engine, flow: Flow[..., Any]
) -> None:
    assert run(flow, "second try").is_completed()
    assert events(store) == []


@pytest.mark.slow("async")
@pytest.mark.parametrize("flow", ENDLESS, ids=lambda flow: flow.name)
def test_a_timeout_is_critical_and_told_apart_from_failures(
    store: Engine, flow: Flow[..., Any]
) -> None:
    assert run(flow).name == "TimedOut"
    [event] = events(store)
    assert (event["ticker"], event["importance"]) == ("timeout", "critical")
    assert event["prefect_state_name"] == "TimedOut"
    assert event["metrics"]["limit_seconds"] == 0.5
    assert "(limit 0.5 s)" in event["message"]


def test_a_run_is_recorded_once_however_often_its_hook_is_called(store: Engine) -> None:
    state = run(own_flows.recovers, "fail")
    key = state.state_details.flow_run_id
    for _ in range(2):
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(key)
        own_flows.AT_ONCE(flow=own_flows.recovers, flow_run=flow_run, state=state)
    [event] = events(store)
    assert event["occurrences"] == 1
    assert len(rows(store, "evaluation")) == 1


def test_a_success_ends_the_event_at_once_where_the_hook_is_called_at_it(store: Engine) -> None:
    run(own_flows.recovers, "fail")
    run(own_flows.recovers, "fail")
    run(own_flows.recovers, "ok")
    [event] = events(store)
    assert event["occurrences"] == 2
    assert event["resolved_at"] is not None
    run(own_flows.recovers, "fail")
    assert [e["resolved_at"] is None for e in events(store)] == [False, True]


def test_record_run_refuses_a_flow_that_is_no_rule(
    store: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    run(own_flows.misled, "ok")
    assert rows(store, "evaluation") == events(store) == rows(store, "alert_rule") == []
