"""Hooks of tasks, and hooks that look at what a run returned or how long it took."""

from typing import Any

import pytest
from prefect import Flow
from sqlalchemy import Engine

from tests.support import own_flows
from tests.support.own_flows import run
from tests.support.prefect import PrefectServer
from tests.support.runs import rows

PIPELINES = [own_flows.pipeline, own_flows.pipeline_async]

pytestmark = pytest.mark.usefixtures("on_server")


def test_a_task_that_fails_after_its_last_retry_opens_an_event_of_its_flow(store: Engine) -> None:
    state = run(own_flows.pipeline, "fail")
    [event] = rows(store, "alert_event")
    assert (event["rule_name"], event["ticker"]) == ("pipeline", "extract: failure")
    assert event["prefect_flow_run_id"] == state.state_details.flow_run_id
    assert event["metrics"]["retries"] == 1
    assert "task extract" in event["message"]
    assert "/runs/task-run/" in event["metadata"]["url"]
    assert event["metadata"]["last_frame"]["function"] == "_do"


@pytest.mark.parametrize(
    "flow", [own_flows.pipeline, own_flows.pipeline_async], ids=lambda flow: flow.name
)
def test_a_task_that_succeeds_at_its_second_try_opens_none(
    store: Engine, flow: Flow[..., Any]
) -> None:
    assert run(flow, "second try").is_completed()
    assert rows(store, "alert_event") == []


def test_an_async_task_that_outlives_its_timeout_opens_a_critical_event(store: Engine) -> None:
    run(own_flows.pipeline_async, "endless")
    [event] = rows(store, "alert_event")
    assert (event["ticker"], event["importance"]) == ("extract_async: timeout", "critical")
    assert event["metrics"]["limit_seconds"] == 0.5


def test_a_slow_task_opens_an_event_with_its_items(store: Engine) -> None:
    run(own_flows.pipeline, "slow")
    [event] = rows(store, "alert_event")
    assert event["ticker"] == "extract: slow"
    assert event["metrics"]["items"] == 4
    assert "limit 0.5 s, 4 items." in event["message"]
    run(own_flows.pipeline, "ok")
    [event] = rows(store, "alert_event")
    assert event["resolution"] == "recovered"


def test_a_run_of_a_task_that_is_fine_hides_no_other_of_the_same_flow_run(store: Engine) -> None:
    run(own_flows.fan_out, ["ok", "nothing", "ok"])
    [event] = rows(store, "alert_event")
    assert (event["ticker"], event["resolved_at"]) == ("extract: result", None)


def test_a_slow_flow_and_a_result_to_alert_on_open_events_that_end(store: Engine) -> None:
    run(own_flows.checked, "slow")
    by_ticker = {e["ticker"]: e for e in rows(store, "alert_event")}
    assert set(by_ticker) == {"slow", "broken"}
    assert by_ticker["broken"]["kind"] == "error"
    assert "raised KeyError: 'wrong'" in by_ticker["broken"]["message"]
    run(own_flows.checked, "nothing")
    by_ticker = {e["ticker"]: e for e in rows(store, "alert_event")}
    assert set(by_ticker) == {"slow", "broken", "result"}
    assert by_ticker["result"]["message"].endswith(": nothing matched")
    assert by_ticker["slow"]["resolved_at"] is not None
    assert by_ticker["broken"]["occurrences"] == 2


def test_an_error_of_megabytes_is_recorded_in_short(store: Engine) -> None:
    assert run(own_flows.hostile).name == "Failed"
    [event] = rows(store, "alert_event")
    assert (event["ticker"], event["metadata"]["last_frame"]["function"]) == ("failure", "hostile")
    assert len(str(event)) < 40_000
    assert max(map(len, event["metadata"]["log"])) == 1_500


def test_an_error_without_text_ends_the_run_as_it_would_without_the_hook(store: Engine) -> None:
    """Prefect itself asks for the text first, and stops there: no hook is called."""
    with pytest.raises(ValueError, match="no text"):
        run(own_flows.unspeakable)
    assert rows(store, "alert_event") == []


def test_a_hook_on_a_rule_of_sentinel_records_nothing(store: Engine, server: PrefectServer) -> None:
    state = run(own_flows.watched_rule, {"path": "/"})
    assert state.is_completed()
    assert rows(store, "alert_rule") == []


def test_routes_come_from_the_hook_or_from_a_rule_by_name(store: Engine) -> None:
    run(own_flows.routed, "fail")
    [event] = rows(store, "alert_event")
    sent = {(n["channel"], n["reason"]) for n in rows(store, "notification")}
    assert event["suggested_action"] == "restart the source"
    assert sent == {("slack-incoming-webhook/own", "opened")}
