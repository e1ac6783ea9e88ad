"""Following the changes of events: each is told once, also one that was committed late."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.read.event_changes import (
    Position,
    changes_after,
    newest_position,
    open_events,
)
from sentinel_core.store.record.annotate import comment
from sentinel_core.store.record.resolve import resolve
from tests.support.recorded import NOON, a_rule, a_run, fire, observe

LATER = NOON + timedelta(minutes=5)


def test_changes_come_once_and_in_their_kind(engine: Engine) -> None:
    disk = a_rule("disk")
    first = fire(engine, disk, NOON)
    begun = newest_position(engine)
    found = changes_after(engine, begun, again=False)
    assert (found.new, found.changed, found.position) == ((), (), begun)
    other = fire(engine, a_rule("cpu"), NOON)
    fires = AlertOutput(triggered=True, message="Too much.", timestamp=LATER)
    assert observe(engine, disk, a_run(LATER), [fires]).opened == []  # it goes on
    found = changes_after(engine, found.position, found.seen)
    assert (found.new, found.changed) == ((other,), (first,))
    comment(engine, [other], by="ana", comment="seen", now=LATER)
    found = changes_after(engine, found.position, found.seen)
    assert (found.new, found.changed) == ((), (other,))
    resolve(engine, [first], by="ana", now=LATER)
    resumed = changes_after(engine, Position.parse(str(found.position)) or begun, again=False)
    assert (resumed.new, resumed.changed) == ((), (first,))
    found = changes_after(engine, found.position, found.seen)
    assert (found.new, found.changed, found.more) == ((), (first,), False)
    assert changes_after(engine, found.position, found.seen).changed == ()


def test_a_row_that_comes_late_is_told_all_the_same(engine: Engine) -> None:
    first = fire(engine, a_rule("disk"), NOON)
    second = fire(engine, a_rule("cpu"), NOON)
    whole = changes_after(engine, Position(), again=False)
    seen = frozenset(row for row in whole.seen if row != ("events", first))
    late = changes_after(engine, whole.position, seen)
    assert (late.new, late.changed) == ((first,), ())
    assert second in whole.new


@pytest.mark.parametrize(
    "text",
    ["", "1", "1-2", "1-2-3-4", "1-2-x", "-1-2-3", "1-2-٣", "1-2- 3", "1-2-" + "9" * 19, "1-2-1e3"],
)
def test_what_is_no_position(text: str) -> None:
    assert Position.parse(text) is None
    assert Position.parse("1-2-3") == Position(1, 2, 3)


def test_events_are_open_until_they_are_resolved(engine: Engine) -> None:
    assert open_events(engine) == 0
    first = fire(engine, a_rule("disk"), NOON)
    fire(engine, a_rule("cpu"), NOON)
    assert open_events(engine) == 2
    resolve(engine, [first], by="ana", now=LATER)
    assert open_events(engine) == 1
