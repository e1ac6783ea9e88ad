"""What a person did not see is not overwritten, and who was first can be told."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read.changes import Doer, last_changes
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.annotate import assign, comment, disposition
from tests.support.recorded import NOON, a_rule, fire


@pytest.fixture
def keys(engine: Engine) -> list[int]:
    """Two events."""
    return [fire(engine, a_rule(name), NOON) for name in ("disk", "memory")]


def test_an_event_that_was_assigned_since_stays_with_whom_it_was(
    engine: Engine, keys: list[int]
) -> None:
    seen = dict.fromkeys(keys)
    assign(engine, keys[:1], by="ana", to="bo", now=NOON)
    result = assign(
        engine, keys, by="cy", to="cy", comment="mine", seen=seen, now=NOON + timedelta(minutes=1)
    )
    assert (result.done, result.already) == ((keys[1],), (keys[0],))
    assert last_changes(engine, result.already, ["assigned"]) == {keys[0]: Doer("ana", NOON)}
    whole = event_detail(engine, keys[0])
    assert whole is not None
    assert (whole.event["assigned_to"], whole.event["comment"]) == ("bo", None)


def test_a_rating_that_was_seen_is_replaced(engine: Engine, keys: list[int]) -> None:
    disposition(engine, keys[:1], by="ana", disposition="noise", now=NOON)
    seen = {keys[0]: "noise", keys[1]: None}
    result = disposition(engine, keys, by="bo", disposition="duplicate", seen=seen, now=NOON)
    assert result.done == tuple(keys)


def test_the_last_of_several_is_the_one_who_is_named(engine: Engine, keys: list[int]) -> None:
    for minute, who in enumerate(("ana", "bo")):
        assign(engine, keys, by=who, to=who, now=NOON + timedelta(minutes=minute))
    comment(engine, keys, by="cy", comment="hm", now=NOON + timedelta(minutes=2))
    found = last_changes(engine, [*keys, 2**70, -1], ["assigned", "unassigned"])
    assert found == dict.fromkeys(keys, Doer("bo", NOON + timedelta(minutes=1)))
    assert last_changes(engine, [], ["assigned"]) == last_changes(engine, keys, []) == {}
