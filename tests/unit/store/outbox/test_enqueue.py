"""Notifications as they are added to the outbox, and the locks on them."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.db.bulk import MANY
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox.enqueue import lock_notifications
from tests.support.runs import NOW, a_rule, a_run, fired, rows, told

RULE = a_rule(notify={"high": ["slack-incoming-webhook/x"]})


@pytest.mark.parametrize("count", [1, 3, MANY])
def test_what_was_enqueued_now_is_told_from_what_waited_already(engine: Engine, count: int) -> None:
    earlier = told(engine, RULE, a_run(0), [fired("before")]).notifications
    outputs = [fired(f"T{n}") for n in range(count)]
    later = told(engine, RULE, a_run(1), outputs, now=NOW + timedelta(minutes=1)).notifications
    assert len(later) == count
    assert [row["id"] for row in rows(engine, "notification")] == [*earlier, *sorted(later)]


def test_locking_says_on_postgresql_whether_there_is_anything_to_lock(engine: Engine) -> None:
    """SQLite, which locks the whole database, is not asked."""
    [key] = told(engine, RULE, a_run(), [fired()]).notifications
    with writing(engine) as connection:
        assert lock_notifications(connection, NOTIFICATION.c.id == key)
        none = lock_notifications(connection, NOTIFICATION.c.id == key + 1)
        assert none is (engine.dialect.name == "sqlite")
