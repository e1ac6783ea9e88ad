"""What a person takes back is as it was, unless somebody has changed it since."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.annotate import assign
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.record.undo import undo
from tests.support.delivered import ONCALL, attempt, telling
from tests.support.recorded import NOON, a_rule, fire

ACKNOWLEDGEMENT = ("is_acknowledged", "acknowledged_by", "acknowledged_at", "acknowledged_until")


@pytest.fixture
def keys(engine: Engine) -> list[int]:
    """Two events."""
    return [fire(engine, a_rule(name), NOON) for name in ("disk", "memory")]


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def columns(engine: Engine, key: int, *names: str) -> tuple[Any, ...]:
    whole = event_detail(engine, key)
    assert whole is not None
    return tuple(whole.event[name] for name in names)


def entries(engine: Engine, key: int) -> list[tuple[str, str, dict[str, Any]]]:
    whole = event_detail(engine, key)
    assert whole is not None
    return [(row["actor"], row["action"], row["detail"]) for row in whole.audit]


def test_an_acknowledgement_is_taken_back_with_its_comment(engine: Engine, keys: list[int]) -> None:
    done = acknowledge(engine, keys, by="ana", comment="mine", now=after(1))
    assert done.former is not None
    assert undo(engine, "acknowledged", done.former, by="ana", now=after(2)).done == tuple(keys)
    for key in keys:
        assert columns(engine, key, *ACKNOWLEDGEMENT, "comment") == (False, None, None, None, None)
        assert ("ana", "unacknowledged", {"undone": "acknowledged"}) in entries(engine, key)


def test_a_snooze_until_a_value_is_taken_back_and_put_back(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON, metrics={"value": 91.0})
    done = acknowledge(engine, [key], by="ana", above=95, now=after(1))
    back = unacknowledge(engine, [key], by="bo", now=after(2))
    assert columns(engine, key, "acknowledged_above") == (None,)
    assert back.former is not None
    undo(engine, "unacknowledged", back.former, by="bo", now=after(3))
    assert columns(engine, key, "is_acknowledged", "acknowledged_above") == (True, 95)
    undone = {"undone": "unacknowledged", "above": 95}
    assert ("bo", "acknowledged", undone) in entries(engine, key)
    assert done.former is not None
    assert undo(engine, "acknowledged", done.former, by="ana", now=after(4)).done == (key,)
    assert columns(engine, key, "is_acknowledged", "acknowledged_above") == (False, None)


def test_what_somebody_changed_since_stays(engine: Engine, keys: list[int]) -> None:
    done = acknowledge(engine, keys, by="ana", now=after(1))
    unacknowledge(engine, keys[:1], by="bo", now=after(2))
    acknowledge(engine, keys[:1], by="bo", now=after(3))
    assert done.former is not None
    assert undo(engine, "acknowledged", done.former, by="ana", now=after(4)).done == (keys[1],)
    assert columns(engine, keys[0], "acknowledged_by") == ("bo",)
    assert columns(engine, keys[1], "acknowledged_by") == (None,)


def test_an_event_that_was_resolved_by_hand_since_stays_acknowledged(
    engine: Engine, keys: list[int]
) -> None:
    done = acknowledge(engine, keys, by="ana", now=after(1))
    resolve(engine, keys[:1], by="bo", now=after(2))
    assert done.former is not None
    assert undo(engine, "acknowledged", done.former, by="ana", now=after(3)).done == (keys[1],)


def test_acknowledgements_of_several_people_come_back_as_they_were(
    engine: Engine, keys: list[int]
) -> None:
    acknowledge(engine, keys[:1], by="ana", now=after(1))
    acknowledge(engine, keys[1:], by="bo", until=after(60), now=after(2))
    former = [columns(engine, key, *ACKNOWLEDGEMENT) for key in keys]
    done = unacknowledge(engine, keys, by="cy", now=after(3))
    assert done.former is not None
    assert undo(engine, "unacknowledged", done.former, by="cy", now=after(4)).done == tuple(keys)
    assert [columns(engine, key, *ACKNOWLEDGEMENT) for key in keys] == former
    detail = {"undone": "unacknowledged", "until": after(60).isoformat()}
    assert ("cy", "acknowledged", detail) in entries(engine, keys[1])


def test_an_assignment_goes_back_to_whom_it_was(engine: Engine, keys: list[int]) -> None:
    assign(engine, keys[:1], by="ana", to="ana", now=after(1))
    done = assign(engine, keys, by="bo", to="bo", now=after(2))
    assert done.former is not None
    assert undo(engine, "assigned", done.former, by="bo", now=after(3)).done == tuple(keys)
    assert columns(engine, keys[0], "assigned_to") == ("ana",)
    assert columns(engine, keys[1], "assigned_to") == (None,)
    assert ("bo", "assigned", {"undone": "assigned", "to": "ana"}) in entries(engine, keys[0])
    assert ("bo", "unassigned", {"undone": "assigned"}) in entries(engine, keys[1])
    assert undo(engine, "assigned", done.former, by="bo", now=after(4)).done == ()


def test_the_escalation_goes_on_after_an_undone_acknowledgement(engine: Engine) -> None:
    steps = [{"after_seconds": 3600, "channels": [ONCALL]}]
    key = fire(engine, telling("gate", "critical", escalation=steps), NOON)
    attempt(engine, after(1))
    done = acknowledge(engine, [key], by="ana", now=after(2))
    assert done.former is not None
    undo(engine, "acknowledged", done.former, by="ana", now=after(3))
    assert len(attempt(engine, after(64), channel=ONCALL)) == 1


def test_nobody_takes_back_without_a_name(engine: Engine, keys: list[int]) -> None:
    done = acknowledge(engine, keys, by="ana", now=after(1))
    assert done.former is not None
    with pytest.raises(ValueError, match="say who takes it back"):
        undo(engine, "acknowledged", done.former, by=" ", now=after(2))
