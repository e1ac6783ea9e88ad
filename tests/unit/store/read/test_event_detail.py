"""One event with everything on record about it, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import VALUES_SHOWN, event_detail, latest_values
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


def values_of(engine: Engine, key: int) -> list[float]:
    whole = event_detail(engine, key)
    assert whole is not None
    found = latest_values(engine, whole.event)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    return [value for _, value in found]


def test_the_latest_values_are_those_of_the_events_series_up_to_its_newest_run(
    engine: Engine,
) -> None:
    rule = a_rule("disk")
    calm(engine, rule, NOON - MINUTE, ticker="a", metrics={"value": 1, "b": 7})
    key = fire(engine, rule, NOON, ticker="a", metrics={"value": 2, "b": 8})
    calm(engine, rule, NOON, ticker="z", metrics={"value": 50})  # of another series
    calm(engine, a_rule("cpu"), NOON - MINUTE, ticker="a", metrics={"value": 60})
    calm(engine, rule, NOON + MINUTE, ticker="a", metrics={"value": 3})  # ends the event
    calm(engine, rule, NOON + 2 * MINUTE, ticker="a", metrics={"value": 4})
    assert values_of(engine, key) == [1, 2]


def test_without_a_metric_named_value_it_is_the_first_by_name(engine: Engine) -> None:
    rule = a_rule("disk")
    calm(engine, rule, NOON - 2 * MINUTE, metrics={"z": 1})  # it has none of that name
    calm(engine, rule, NOON - MINUTE, metrics={"free": 30, "used": 70})
    key = fire(engine, rule, NOON, metrics={"used": 90, "free": 10})
    assert values_of(engine, key) == [30, 10]


def test_an_event_without_metrics_has_no_values(engine: Engine) -> None:
    rule = a_rule("disk")
    calm(engine, rule, NOON - MINUTE, metrics={"value": 1})
    assert values_of(engine, fire(engine, rule, NOON)) == []


def test_no_more_values_are_read_than_are_shown(engine: Engine) -> None:
    rule = a_rule("disk")
    for n in range(VALUES_SHOWN + 2):
        calm(engine, rule, NOON + n * MINUTE, metrics={"value": n})
    key = fire(engine, rule, NOON + HOUR, metrics={"value": 99})
    assert values_of(engine, key) == [*range(3, VALUES_SHOWN + 2), 99]
