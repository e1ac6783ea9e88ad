"""Opening a database: made once by whoever comes first, and never half usable."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from sentinel_core.base.errors import SchemaBehindError
from sentinel_core.store.db.engine import masked, open_engine, reading, retrying, writing
from sentinel_core.store.db.schema import SCHEMA_HEAD, ensure_schema, schema_revision
from tests.support.processes import free_port
from tests.support.swarm import at_once, make_schema, own_engine


def test_eight_processes_may_make_the_tables_at_once(database_url: str) -> None:
    at_once(make_schema, [(database_url,)] * 8)
    with own_engine(database_url) as engine:
        assert schema_revision(engine) == SCHEMA_HEAD


def test_a_store_of_an_older_sentinel_is_refused_with_the_next_step(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE sentinel_version SET version_num = '0000'"))
    with pytest.raises(SchemaBehindError, match="sentinel db upgrade"):
        ensure_schema(engine)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:geheim@h:1/x", "postgresql://u:***@h:1/x"),
        ("postgresql://u:TOP@SEC/RET2@127.0.0.1:1/x", "postgresql://u:***@127.0.0.1:1/x"),
        ("postgresql://u:T@h:SEC@h/x?sslpassword=abc", "postgresql://u:***@h/x?sslpassword=***"),
        ("postgresql://u:T/O:P@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u@h/x?sslPassword=abc", "postgresql://u@h/x?sslPassword=%2A%2A%2A"),
        ("sqlite:////srv/a@b@c/s.db", "sqlite:////srv/a@b@c/s.db"),
    ],
)
def test_the_password_of_a_url_is_hidden_even_where_it_is_not_escaped(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    with own_engine(f"sqlite:///{tmp_path / 'not' / 'there' / 'yet.db'}") as engine:
        ensure_schema(engine)
    assert (tmp_path / "not" / "there" / "yet.db").exists()


def test_what_was_written_is_gone_when_the_transaction_fails(engine: Engine) -> None:
    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO checkpoint VALUES ('x', '2026-11-02 09:00:00')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM checkpoint")) == 0


def test_a_reader_is_not_held_up_by_a_writer(engine: Engine) -> None:
    with writing(engine) as writer:
        writer.execute(text("INSERT INTO checkpoint VALUES ('x', '2026-11-02 09:00:00')"))
        with reading(engine) as reader:
            assert reader.scalar(text("SELECT count(*) FROM checkpoint")) == 0


def test_a_second_writer_waits_for_the_first(engine: Engine) -> None:
    """Both read the counter before writing it: one that did not wait would lose an addition."""
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    lock = "" if engine.dialect.name == "sqlite" else " FOR UPDATE"

    def add() -> None:
        with writing(engine) as connection:
            before = connection.scalar(text(f"SELECT n FROM counter{lock}"))
            time.sleep(0.05)
            connection.execute(text("UPDATE counter SET n = :n"), {"n": before + 1})

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT n FROM counter")) == 6


def test_an_acknowledged_write_on_sqlite_survives_a_power_loss(tmp_path: Path) -> None:
    with own_engine(f"sqlite:///{tmp_path / 'a.db'}") as engine, reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_writer_on_postgres_does_not_wait_for_a_lock_for_ever(postgres_url: str) -> None:
    with own_engine(postgres_url) as engine, writing(engine) as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "30s"


def test_a_writer_that_checks_the_store_does_not_wait_for_ever_either(postgres_url: str) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        with writing(engine) as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "30s"


def test_postgres_plans_each_statement_for_its_values(postgres_url: str) -> None:
    """Prepared after some times, the blotter's cards took a second of a million events."""
    with own_engine(postgres_url) as engine, reading(engine) as connection:
        for n in range(10):
            connection.execute(text("SELECT :n"), {"n": n})
        prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements")
        assert prepared.scalar() == 0


def test_a_postgres_that_is_not_there_is_an_error_without_its_password() -> None:
    url = f"postgresql+psycopg://nobody:secret@127.0.0.1:{free_port()}/none"
    with own_engine(url) as engine, pytest.raises(OperationalError) as caught:
        ensure_schema(engine)
    assert "secret" not in str(caught.value)


def test_a_host_that_swallows_packets_is_given_up_after_the_connect_timeout() -> None:
    """A listener whose queue is full accepts nobody: connecting hangs, as behind a firewall."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        engine = open_engine(
            f"postgresql+psycopg://u@127.0.0.1:{port}/d", connect_timeout_seconds=2
        )
        with pytest.raises(OperationalError, match="timeout expired"):  # ours, not the kernel's
            ensure_schema(engine)


def test_a_long_lived_reader_survives_a_restart_of_its_connections(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pooled=True)
    ensure_schema(engine)
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    admin.dispose()
    assert schema_revision(engine) == SCHEMA_HEAD
    engine.dispose()


def test_a_hooks_engine_keeps_no_connection_open(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    ensure_schema(engine)
    admin = create_engine(postgres_url)
    with admin.connect() as connection:
        others = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    admin.dispose()
    assert others == 0


@pytest.mark.parametrize(("how", "kept"), [({}, 0), ({"pooled": True}, 1)])
def test_a_connection_outlives_its_transaction_only_in_a_pool(
    tmp_path: Path, how: dict[str, bool], kept: int
) -> None:
    """A temporary table is its connection's."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", **how)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE mine (n INTEGER)")
    with reading(engine) as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM sqlite_temp_master")
        assert found.scalar() == kept
    engine.dispose()


def test_a_database_that_does_not_answer_is_asked_again_for_as_long_as_is_said(
    store: Engine,
) -> None:
    asked = []

    def ask() -> int:
        asked.append("once more")
        with writing(store) as connection:
            if len(asked) == 3:
                connection.exec_driver_sql("CREATE TABLE late (n INTEGER)")
            return int(connection.exec_driver_sql("SELECT count(*) FROM late").scalar_one())

    with pytest.raises(OperationalError, match="no such table: late"):
        retrying(0)(ask)
    assert len(asked) == 1
    assert retrying(10)(ask) == 0
    assert len(asked) == 3


def test_a_wrong_value_is_not_written_again(store: Engine) -> None:
    written = []

    def write() -> None:
        written.append("once more")
        with writing(store) as connection:
            connection.exec_driver_sql("INSERT INTO checkpoint VALUES ('x', NULL)")

    with pytest.raises(IntegrityError):
        retrying(10)(write)
    assert len(written) == 1
