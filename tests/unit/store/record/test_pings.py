"""Pings in the store: the newest time of each key, also when two come at once."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.store.read.pings import last_pings
from sentinel_core.store.record.pings import ping

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_the_newest_ping_of_each_key_is_kept_whichever_came_last(engine: Engine) -> None:
    assert ping(engine, "backup", by="ci", now=NOON) == 1
    assert ping(engine, "backup", by="ci", now=NOON + MINUTE) == 2
    assert ping(engine, "backup", by="ci", now=NOON - MINUTE) == 3
    assert ping(engine, "sync", by="ci", now=NOON) == 1
    assert last_pings(engine, ["backup", "sync", "never"]) == {
        "backup": NOON + MINUTE,
        "sync": NOON,
    }
    assert last_pings(engine, ["never"]) == {}
