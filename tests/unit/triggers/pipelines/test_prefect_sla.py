"""How SLAs become outputs. Whether each kind is kept: test_declared.py."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from triggers.pipelines.declared import Runs
from triggers.pipelines.prefect_sla import PrefectSla
from triggers.pipelines.starts import Start

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATENESS = {"deployment": "etl/nightly", "name": "lateness", "within": 600, "severity": "high"}


def late(name: str = "otter") -> Runs:
    return Runs(NOON, NOON, starts=[Start(UUID(int=1), name, NOON - timedelta(minutes=11))])


def test_a_violated_sla_has_the_importance_of_its_severity_and_its_run():
    trigger = PrefectSla(slas=[LATENESS])
    output = trigger.evaluate(trigger.slas[0], late())
    assert (output.triggered, output.importance) == (True, Importance.HIGH)
    assert output.ticker == "etl/nightly: lateness"
    assert output.metrics == {"value": 660, "threshold": 600}
    assert output.message == (
        "etl/nightly violates its SLA lateness: otter was due at 2026-03-02 11:49:00 UTC and has "
        "not started, 11 min after its time, the limit is 10 min"
    )
    assert (output.metadata["run"], output.metadata["run_id"]) == ("otter", str(UUID(int=1)))


def test_an_sla_of_a_deployment_that_is_not_there_is_not_checked():
    trigger = PrefectSla(slas=[LATENESS])
    output = trigger.evaluate(trigger.slas[0], None)
    assert (output.triggered, output.problem) == (False, "no_data")
    assert "no deployment etl/nightly" in output.message


def test_hostile_names_stay_on_one_line():
    trigger = PrefectSla(slas=[LATENESS])
    output = trigger.evaluate(trigger.slas[0], late("x\n" * 10_000))
    assert "\n" not in output.message
    assert len(output.message) < 400


@pytest.mark.parametrize(
    ("slas", "said"),
    [
        ([], "at least 1"),
        ([{**LATENESS, "deployment": "nightly"}], "deployment"),
        ([{**LATENESS, "within": 0}], "within"),
        ([{**LATENESS, "duration": 5}], "expected one of duration, within, stale_after"),
        ([LATENESS, {**LATENESS, "within": 5}], "there are two of"),
    ],
)
def test_slas_that_cannot_be_watched_are_refused(slas, said):
    with pytest.raises(ValidationError, match=said):
        PrefectSla(slas=slas)
