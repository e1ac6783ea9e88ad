"""A store whose tables are not this Sentinel's is refused, at the start and while it is in use."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from sentinel_core.base.errors import SchemaAheadError, SchemaBehindError, StoreRefusedError
from sentinel_core.base.settings import Settings
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.store.db.engine import transaction
from sentinel_core.store.db.schema import SCHEMA_HEAD, ensure_schema, upgrade
from sentinel_core.store.read.overview import overview
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.silences import expire
from sentinel_core.store.state.rules import sync
from tests.support.migrated import everything
from tests.support.runs import NOW, a_rule, a_run, fired, told

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
