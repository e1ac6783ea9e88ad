"""Data that a flow checks in its own run: real server, real store."""

import logging

import pandas as pd
import pytest
from prefect import flow, task
from sqlalchemy import Engine

from sentinel_core.base.errors import VerdictError
from sentinel_core.hooks import Verdict, check_frame
from tests.support.own_flows import run
from tests.support.runs import rows
from triggers.data.data_quality import DataQuality
from triggers.data.data_volume import Baseline, DataVolume
from triggers.data.schema_change import SchemaChange
from triggers.model.model_performance import ModelPerformance

pytestmark = pytest.mark.usefixtures("on_server")

GOOD = pd.DataFrame({"id": [1, 2], "price": [1.0, 2.0]})
BAD = pd.DataFrame({"id": [1, 2], "price": [None, None]})


@flow
def load(bad: bool, raising: bool = False) -> Verdict:
    verdict = check_frame(
        BAD if bad else GOOD, DataQuality(dataset="orders"), importance="critical"
    )
    if raising:
        verdict.raise_if_not_ok()
    return verdict


def test_a_verdict_is_recorded_as_a_rule_would_and_ends_with_the_next(store: Engine) -> None:
    verdict = run(load, True).result()
    assert (verdict.ok, verdict.triggered, verdict.recorded) == (False, True, True)
    [event] = rows(store, "alert_event")
    assert [event["id"]] == list(verdict.opened)
    assert (event["rule_name"], event["ticker"], event["kind"]) == (
        "load",
        "data_quality: orders",
        "alert",
    )
    assert (event["importance"], event["category"]) == ("critical", "Data")
    assert "completeness 0.5000 (limit 0.9)" in event["message"]
    again = run(load, False).result()
    assert (again.ok, list(again.resolved)) == (True, [event["id"]])
    assert len(rows(store, "evaluation")) == 2


def test_the_flow_may_raise(store: Engine) -> None:
    state = run(load, True, True)
    assert state.is_failed()
    with pytest.raises(VerdictError, match=r"completeness 0\.5000"):
        state.result()
    assert len(rows(store, "alert_event")) == 1


@flow
def several() -> list[Verdict]:
    @task
    def in_a_task() -> Verdict:
        return check_frame({"accuracy": 0.5}, ModelPerformance(), name="accuracy")

    return [
        check_frame(BAD, DataQuality()),
        check_frame(BAD, DataQuality()),
        check_frame([1], DataQuality(), name="no frame"),
        in_a_task(),
    ]


def test_several_checks_of_a_run_are_series_of_their_own(store: Engine) -> None:
    verdicts = run(several).result()
    assert [verdict.recorded for verdict in verdicts] == [True] * 4
    assert [verdict.checked for verdict in verdicts] == [True, True, False, True]
    found = {event["ticker"]: event["kind"] for event in rows(store, "alert_event")}
    assert found == {
        "data_quality": "alert",
        "data_quality 2": "alert",
        "no frame": "error",
        "accuracy": "alert",
    }


@flow
def with_a_past(frame: pd.DataFrame) -> tuple[Verdict, Verdict]:
    volume = DataVolume(baseline=Baseline(at_least=1), dataset="orders")
    return check_frame(frame, volume), check_frame(frame, SchemaChange())


def test_a_check_sees_its_own_earlier_verdicts(store: Engine) -> None:
    first = run(with_a_past, GOOD).result()
    assert all(verdict.ok for verdict in first)
    longer = pd.concat([GOOD] * 4).rename(columns={"price": "cost"})
    volume, schema = run(with_a_past, longer).result()
    assert "expected 1 to 3" in volume.message
    assert "added: cost; removed: price" in schema.message
    assert len(rows(store, "alert_event")) == 2


def test_outside_of_a_run_the_verdict_is_returned_and_not_recorded(
    store: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = check_frame(BAD, DataQuality())
    assert (verdict.triggered, verdict.recorded) == (True, False)
    assert "outside of a flow run" in caplog.text
    assert rows(store, "alert_event") == []


def test_a_misspelt_setting_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="check_frame: unknown notfy"):
        check_frame(GOOD, DataQuality(), notfy={})
