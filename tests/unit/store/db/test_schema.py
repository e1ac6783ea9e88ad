"""A store whose tables are not this Sentinel's is refused, at the start and while it is in use."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from sentinel_core.base.errors import (
    SchemaAheadError,
    SchemaBehindError,
    StoreIdentityError,
    StoreRefusedError,
)
from sentinel_core.base.settings import Settings
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.store.db.engine import reading, transaction, writing
from sentinel_core.store.db.schema import SCHEMA_HEAD, ensure_schema, upgrade
from sentinel_core.store.read.overview import overview
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.silences import expire
from sentinel_core.store.state.rules import sync
from tests.support.migrated import everything
from tests.support.runs import NOW, a_rule, a_run, fired, told
from tests.support.swarm import own_engine

NEWER = (SchemaAheadError, "upgrade Sentinel")
OLDER = (SchemaBehindError, "sentinel db upgrade")
REVISIONS = {"9999": NEWER, "0000": OLDER}
RULE = a_rule()
USES: dict[str, Callable[[Engine], object]] = {
    "record": lambda engine: told(engine, RULE, a_run(5), [fired("B")]),
    "deliver": lambda engine: deliver_due(engine, Settings()),
    "acknowledge": lambda engine: acknowledge(engine, [1], by="ana", now=NOW),
    "expire a silence": lambda engine: expire(engine, [1], by="ana", now=NOW),
    "sync rules": lambda engine: sync(engine, [RULE], NOW + timedelta(hours=1)),
    "read": lambda engine: overview(engine, now=NOW),
}


def _set_revision(engine: Engine, revision: str) -> None:
    with transaction(engine, write=True) as connection:
        connection.execute(text("UPDATE sentinel_version SET version_num = :r"), {"r": revision})


@pytest.mark.parametrize("revision", REVISIONS)
def test_another_revision_is_refused_with_the_next_step(engine: Engine, revision: str) -> None:
    _set_revision(engine, revision)
    error, step = REVISIONS[revision]
    with pytest.raises(error, match=step) as refused:
        ensure_schema(engine)
    assert revision in str(refused.value)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_process_notices_that_the_schema_changed_while_it_runs(
    engine: Engine, revision: str
) -> None:
    ensure_schema(engine)
    told(engine, RULE, a_run(0), [fired("A")])
    before = everything(engine)
    _set_revision(engine, revision)
    error, step = REVISIONS[revision]
    for use in USES.values():
        with pytest.raises(error, match=step):
            use(engine)
    _set_revision(engine, SCHEMA_HEAD)
    assert everything(engine) == before


def test_a_newer_store_is_not_upgraded(engine: Engine) -> None:
    _set_revision(engine, "9999")
    with pytest.raises(SchemaAheadError, match="upgrade Sentinel"):
        upgrade(engine)


def test_a_process_goes_on_when_the_schema_is_its_own_again(engine: Engine) -> None:
    ensure_schema(engine)
    _set_revision(engine, "0000")
    with pytest.raises(StoreRefusedError):
        told(engine, RULE, a_run(0), [fired("A")])
    _set_revision(engine, SCHEMA_HEAD)
    assert told(engine, RULE, a_run(0), [fired("A")]).opened == [1]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("UPDATE sentinel_version SET version_num = '0004'", SchemaBehindError, "revision 0004"),
        ("DROP TABLE sentinel_version", StoreIdentityError, "holds no event store"),
        ("SELECT 1", DBAPIError, "store_identity"),
    ],
)
def test_why_the_identity_of_a_store_in_use_is_gone_is_told_apart(
    engine: Engine, change: str, error: type[Exception], said: str
) -> None:
    """An older backup had none; who lost all tables has no store; else the error is the news."""
    ensure_schema(engine)
    with transaction(engine, write=True) as connection:
        connection.execute(text("DROP TABLE store_identity"))
        connection.execute(text(change))
    with pytest.raises(error, match=said), reading(engine):
        pass


def test_an_upgrade_waits_for_the_writer_that_has_looked_at_the_schema(postgres_url: str) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        upgrading = threading.Thread(target=upgrade, args=(engine,))
        with writing(engine) as connection:
            upgrading.start()
            while upgrading.is_alive() and not connection.scalar(waiting):
                upgrading.join(0.01)
            assert upgrading.is_alive()
        upgrading.join()
