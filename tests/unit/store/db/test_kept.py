"""One engine for one use after the other: nothing is prepared twice, and nothing stays open."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text, update

from sentinel_core.base.errors import StoreIdentityError
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.kept import kept_engine
from sentinel_core.store.db.schema import identity_of
from sentinel_core.store.db.tables import IDENTITY

ONE = text("SELECT count(*) FROM alert_rule")


def count(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(ONE).scalar_one())


def connections(engine: Engine, url: str) -> int:
    """Of this process to the database, but for the one that looks."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///")).resolve()
        files = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return sum(path.readlink() == file for path in files)
    with engine.connect() as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        return int(connection.execute(text(others)).scalar_one()) - 1


def in_threads(work: Callable[[], None], number: int) -> None:
    """Have so many threads do it at once; returns when all are done."""
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def url(engine: Engine, database_url: str) -> str:
    """The address of a store with its tables, to which nobody is connected."""
    engine.dispose()
    return database_url


def test_the_next_use_prepares_nothing_anew(url: str) -> None:
    with kept_engine(url) as first:
        assert count(first) == 0
    with kept_engine(url) as second:
        assert count(second) == 0
        assert second.dialect is first.dialect
        assert second is not first  # it has options of its own


def test_each_use_has_the_settings_of_a_new_engine(store: Engine) -> None:
    settings = ("busy_timeout", "synchronous", "journal_mode")
    found = []
    for _ in range(2):
        with kept_engine(str(store.url)) as kept, kept.connect() as connection:
            found.append([connection.execute(text(f"PRAGMA {name}")).scalar() for name in settings])
    assert found == [[30_000, 2, "wal"]] * 2


def test_a_use_has_one_connection_and_leaves_none(url: str, engine: Engine) -> None:
    with kept_engine(url) as kept:
        for _ in range(3):
            count(kept)
        assert connections(engine, url) == 1
    engine.dispose()
    assert connections(engine, url) == 0


def test_who_leaves_first_closes_nothing_of_the_other(url: str, engine: Engine) -> None:
    with kept_engine(url) as first:
        with kept_engine(url) as second, reading(second) as connection:
            assert connection.execute(ONE).scalar_one() == 0
            with kept_engine(url) as third:
                count(third)
            assert connection.execute(ONE).scalar_one() == 0
        assert count(first) == 0
        assert connections(engine, url) >= 1
    engine.dispose()
    assert connections(engine, url) == 0


def test_each_use_keeps_to_the_store_that_it_has_opened(url: str) -> None:
    with kept_engine(url) as first:
        before = identity_of(first)
        with kept_engine(url) as other, other.begin() as connection:
            connection.execute(update(IDENTITY).values(id=uuid4()))
        with kept_engine(url) as second:
            assert identity_of(second) != before
            assert count(second) == 0
        with pytest.raises(StoreIdentityError, match="replaced"):
            count(first)
        with pytest.raises(StoreIdentityError), writing(first) as connection:
            connection.execute(ONE)


def test_many_threads_use_it_at_once(url: str, engine: Engine) -> None:
    found: list[int] = []

    def use() -> None:
        for _ in range(10):
            with kept_engine(url) as kept:
                found.append(count(kept))

    in_threads(use, 8)
    assert found == [0] * 80
    engine.dispose()
    assert connections(engine, url) == 0


def test_a_forked_process_has_an_engine_of_its_own(url: str) -> None:
    with kept_engine(url) as kept:
        assert count(kept) == 0
        child = os.fork()
        if child == 0:
            with kept_engine(url) as own:
                os._exit(0 if own.dialect is not kept.dialect and count(own) == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert count(kept) == 0  # its connection is as it was


def test_a_forked_process_that_leaves_closes_nothing(url: str) -> None:
    def backend(engine: Engine) -> object:
        with engine.connect() as connection:
            asked = "SELECT 1" if url.startswith("sqlite") else "SELECT pg_backend_pid()"
            return connection.execute(text(asked)).scalar_one()

    def forked_inside() -> bool:
        with kept_engine(url) as kept:
            before = backend(kept)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                return bool(backend(kept) == before)
        with kept_engine(url) as own:  # the child, which has left
            count(own)
        os._exit(0)

    assert forked_inside()


def test_more_threads_than_a_pool_has_connections_wait_for_nothing(url: str) -> None:
    together, found = threading.Barrier(20, timeout=60), []

    def use() -> None:
        with kept_engine(url) as kept, reading(kept) as connection:
            together.wait()  # all of them are inside a transaction
            found.append(connection.execute(ONE).scalar_one())

    in_threads(use, 20)
    assert found == [0] * 20


def test_no_file_is_made_and_the_engine_of_another_store_is_let_go(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")]
    with kept_engine(urls[0]) as one, pytest.raises(StoreIdentityError, match="missing"):
        count(one)
    with kept_engine(urls[1]):
        pass
    with kept_engine(urls[0]) as again:
        assert again.dialect is not one.dialect
    assert list(tmp_path.glob("*.db")) == []
