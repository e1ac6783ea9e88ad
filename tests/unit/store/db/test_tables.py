"""Times in the tables: the same moment comes back in UTC, whichever zone it was written in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, insert, select, text
from sqlalchemy.exc import StatementError

from sentinel_core.store.db.engine import open_engine, reading, writing
from sentinel_core.store.db.tables import UtcDateTime

NINE = datetime(2026, 11, 2, 9, tzinfo=UTC)
TIMES = Table("times", MetaData(), Column("at", UtcDateTime()))


@pytest.fixture
def memory() -> Iterator[Engine]:
    """A store in memory with a table of times."""
    engine = open_engine("sqlite://")
    with writing(engine) as connection:
        TIMES.create(connection)
    yield engine
    engine.dispose()


def test_a_time_of_any_zone_is_stored_and_read_as_the_same_moment_in_utc(memory: Engine) -> None:
    berlin = NINE.astimezone(timezone(timedelta(hours=1)))
    with writing(memory) as connection:
        connection.execute(insert(TIMES), [{"at": NINE}, {"at": berlin}, {"at": None}])
    with reading(memory) as connection:
        stored = connection.scalars(text("SELECT at FROM times")).all()
        found = connection.scalars(select(TIMES.c.at)).all()
    assert stored == ["2026-11-02 09:00:00.000000", "2026-11-02 09:00:00.000000", None]
    assert found == [NINE, NINE, None]
    assert {one.tzinfo for one in found if one} == {UTC}


def test_a_time_without_a_zone_is_refused(memory: Engine) -> None:
    naive = NINE.replace(tzinfo=None)
    refused = pytest.raises(StatementError, match="a naive time reached the store")
    with refused, writing(memory) as connection:
        connection.execute(insert(TIMES), [{"at": naive}])
