"""Which hosts are shown where there are many."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, insert

from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import HOST
from sentinel_core.store.read.hosts import MOST, hosts, hosts_now

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_of_too_many_hosts_those_that_need_a_look_are_shown_and_all_are_counted(
    engine: Engine,
) -> None:
    names = [f"w{number:03}" for number in range(MOST + 3)]
    fine = {"at": NOON - MINUTE, "cpu": 1.0, "memory": 1.0, "disk": 1.0}
    with writing(engine) as connection:
        connection.execute(insert(HOST), [{**fine, "host": name} for name in names])
        connection.execute(insert(HOST).values({**fine, "host": "x-full"}))
        full = {**fine, "host": "x-full", "at": NOON, "disk": 99.0}
        connection.execute(insert(HOST).values(full))
        gone = {**fine, "host": "z-gone", "at": NOON - 30 * MINUTE}
        connection.execute(insert(HOST).values(gone))
    for found in (hosts(engine, NOON), hosts_now(engine, NOON)):
        assert found.count == MOST + 5
        assert [host.name for host in found.shown] == ["x-full", "z-gone", *names[: MOST - 2]]
    assert [one.disk for one in hosts(engine, NOON).shown[0].samples] == [1, 99]
    assert [one.disk for one in hosts_now(engine, NOON).shown[0].samples] == [99]
