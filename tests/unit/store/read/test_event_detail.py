"""One event with everything on record about it, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_an_event_comes_with_everything_known_about_it(engine: Engine) -> None:
    rule = a_rule("disk", notify={"high": ["slack-incoming-webhook/ops"]}, runbook="docs/disk.md")
    calm(engine, rule, NOON - MINUTE, metrics={"value": 80})
    key = fire(engine, rule, NOON, metrics={"value": 95, "threshold": 90}, metadata={"p": "/"})
    observe(
        engine, a_rule("other"), a_run(NOON), None
    )  # another rule's evaluation is not this event's
    calm(engine, rule, NOON + MINUTE, metrics={"value": 70})
    acknowledge(engine, [key], by="ana", comment="cleaning", now=NOON + HOUR)
    whole = event_detail(engine, key)
    assert whole is not None
    assert whole.event["metadata"] == {"p": "/"}
    assert whole.rule is not None
    assert whole.rule["name"] == "disk"
    assert [row["decision_code"] for row in whole.evaluations] == ["recovered", "started"]
    assert [row["metrics"] for row in whole.earlier] == [{"value": 80}]
    assert [row["channel"] for row in whole.notifications] == ["slack-incoming-webhook/ops"]
    assert [(row["actor"], row["detail"]) for row in whole.audit] == [
        ("ana", {"comment": "cleaning"})
    ]


@pytest.mark.parametrize("unknown", [0, -1, 999, 2**63, 10**30])
def test_an_id_nobody_has_is_no_event(engine: Engine, unknown: int) -> None:
    assert event_detail(engine, unknown) is None


def test_a_list_carries_the_start_of_a_message_and_the_event_all_of_it(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON, message="x" * 20_000)
    [row] = event_list.page(engine, EventFilter(), now=NOON, size=20).rows
    assert len(row["message"]) < 1_000
    whole = event_detail(engine, key)
    assert whole is not None
    assert len(whole.event["message"]) == 20_000
