"""A store keeps its identity, and a process notices when another or none takes its place."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sentinel_core.base.errors import StoreIdentityError
from sentinel_core.store.db.engine import open_engine, reading, transaction, writing
from sentinel_core.store.db.schema import ensure_schema, require_schema, upgrade
from sentinel_core.store.read.overview import overview
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.migrated import old_store
from tests.support.runs import NOW, a_rule, a_run, fired, rows, told
from tests.support.swarm import own_engine

RULE = a_rule()
FILES = ("", "-wal", "-shm")
USES: dict[str, Callable[[Engine], object]] = {
    "record": lambda engine: told(engine, RULE, a_run(5), [fired("B")]),
    "acknowledge": lambda engine: acknowledge(engine, [1], by="ana", now=NOW),
    "read": lambda engine: overview(engine, now=NOW),
}


@pytest.fixture(params=[False, True], ids=["hook", "viewer"])
def used(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A store with an event, opened as a hook opens it and as the viewer does."""
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}", pooled=request.param)
    ensure_schema(engine)
    told(engine, RULE, a_run(0), [fired("A")])
    return engine


def _move(folder: Path, here: str, there: str) -> None:
    for end in FILES:
        if (file := folder / f"{here}{end}").exists():
            file.rename(folder / f"{there}{end}")


def test_a_store_keeps_its_identity(database_url: str) -> None:
    with own_engine(database_url) as engine:
        identity = ensure_schema(engine)
        assert ensure_schema(engine) == identity
    with own_engine(database_url) as again:
        assert require_schema(again) == identity
        assert [row["id"] for row in rows(again, "store_identity")] == [identity]


def test_two_stores_have_two_identities(tmp_path: Path) -> None:
    with (
        own_engine(f"sqlite:///{tmp_path / 'a.db'}") as a,
        own_engine(f"sqlite:///{tmp_path / 'b.db'}") as b,
    ):
        assert ensure_schema(a) != ensure_schema(b)


def test_an_upgrade_gives_an_older_store_its_identity(database_url: str) -> None:
    with own_engine(database_url) as engine:
        old_store(engine, "0004", {})
        upgrade(engine)
        identity = require_schema(engine)
        upgrade(engine)
        assert require_schema(engine) == identity


def test_a_deleted_file_is_refused_and_not_made_anew(used: Engine, tmp_path: Path) -> None:
    _move(tmp_path, "store.db", "aside.db")
    for use in USES.values():
        with pytest.raises(StoreIdentityError, match="sentinel db adopt"):
            use(used)
    assert not (tmp_path / "store.db").exists()


def test_a_restored_file_is_used_without_a_restart(used: Engine, tmp_path: Path) -> None:
    _move(tmp_path, "store.db", "aside.db")
    with pytest.raises(StoreIdentityError):
        overview(used, now=NOW)
    for end in FILES:  # another inode, the same identity
        if (file := tmp_path / f"aside.db{end}").exists():
            shutil.copy(file, tmp_path / f"store.db{end}")
    assert acknowledge(used, [1], by="ana", now=NOW).done == (1,)
    with own_engine(f"sqlite:///{tmp_path / 'store.db'}") as other:
        [event] = rows(other, "alert_event")
    assert event["acknowledged_by"] == "ana"


def test_a_file_of_another_store_is_refused(used: Engine, tmp_path: Path) -> None:
    with own_engine(f"sqlite:///{tmp_path / 'new.db'}") as new:
        ensure_schema(new)
    _move(tmp_path, "store.db", "aside.db")
    _move(tmp_path, "new.db", "store.db")
    for use in USES.values():
        with pytest.raises(StoreIdentityError, match="replaced by another"):
            use(used)


def test_an_empty_file_in_its_place_is_refused(used: Engine, tmp_path: Path) -> None:
    _move(tmp_path, "store.db", "aside.db")
    (tmp_path / "store.db").touch()
    for use in USES.values():
        with pytest.raises(StoreIdentityError, match="holds no event store"):
            use(used)


def test_a_file_that_is_deleted_during_a_transaction_is_an_error(
    used: Engine, tmp_path: Path
) -> None:
    def write() -> None:
        with writing(used) as connection:
            connection.execute(text("INSERT INTO checkpoint VALUES ('x', '2026-11-02 09:00:00')"))
            _move(tmp_path, "store.db", "aside.db")

    with pytest.raises(StoreIdentityError, match="during this transaction"):
        write()
    _move(tmp_path, "aside.db", "store.db")
    assert rows(used, "alert_event")
    with reading(used) as connection:
        assert connection.scalar(text("SELECT count(*) FROM checkpoint")) == 0


def test_a_symbolic_link_to_another_store_is_noticed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with own_engine(f"sqlite:///{tmp_path / f'{name}.db'}") as engine:
            ensure_schema(engine)
    link = tmp_path / "current.db"
    link.symlink_to(tmp_path / "a.db")
    with own_engine(f"sqlite:///{link}") as engine:
        require_schema(engine)
        link.unlink()
        link.symlink_to(tmp_path / "b.db")
        with pytest.raises(StoreIdentityError, match="replaced by another"):
            overview(engine, now=NOW)


def test_tables_that_are_dropped_while_in_use_are_noticed(engine: Engine) -> None:
    ensure_schema(engine)
    with transaction(engine, write=True) as connection:
        connection.execute(text("DROP TABLE sentinel_version"))
    for use in USES.values():
        with pytest.raises(StoreIdentityError, match="holds no event store"):
            use(engine)


def test_looking_creates_no_file(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'not' / 'there.db'}", create=False)
    with pytest.raises(StoreIdentityError, match="is missing"):
        require_schema(engine)
    assert not (tmp_path / "not").exists()
