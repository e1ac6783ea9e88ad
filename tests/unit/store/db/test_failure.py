"""Every way in which a store fails, really made to fail: its own cause, and what to do."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.store.db.engine import open_engine, reading, writing
from sentinel_core.store.db.failure import answering, explained, failure_of, is_failure, unavailable
from sentinel_core.store.db.schema import ensure_schema
from tests.support.postgres import own_postgres
from tests.support.processes import free_port


def said(url: str, use: Callable[[Engine], object] = ensure_schema) -> str:
    """The sentence of the error that using this store raises."""
    engine = open_engine(url, connect_timeout_seconds=1)
    try:
        with pytest.raises(StoreUnavailableError) as raised, answering(engine):
            use(engine)
    finally:
        engine.dispose()
    sentence = str(raised.value)
    assert sentence.startswith("the event store ")
    assert " can't be used: " in sentence
    return sentence


def write(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE more (what TEXT)"))
        connection.execute(text("INSERT INTO more VALUES (:what)"), {"what": "x" * 1_000_000})


@pytest.fixture
def file(tmp_path: Path, store: Engine) -> Path:
    """A store with its tables, which nobody has open."""
    store.dispose()
    return tmp_path / "sentinel.db"


# -- SQLite --------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_to_be_restored(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database, though long enough to be read as one" * 9)
    sentence = said(f"sqlite:///{tmp_path / 'notes.txt'}")
    assert sentence == (
        f"the event store sqlite:///{tmp_path / 'notes.txt'} can't be used: the file is damaged, "
        "or it is no SQLite database (file is not a database). Restore it from a backup, or begin "
        "a new store with `sentinel db adopt`"
    )


def test_a_damaged_file_is_to_be_restored(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(os.urandom(file.stat().st_size - 4096))
    sentence = said(f"sqlite:///{file}")
    assert "the file is damaged" in sentence
    assert "Restore it from a backup" in sentence


def test_a_full_disk_is_to_be_freed(file: Path) -> None:
    """SQLite's own limit of a file's pages gives the code that a full disk gives."""

    def fill(engine: Engine) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("CREATE TABLE more (what TEXT)")
            connection.exec_driver_sql(f"INSERT INTO more VALUES ('{'x' * 1_000_000}')")

    sentence = said(f"sqlite:///{file}", fill)
    assert "the disk is full" in sentence
    assert "Free some space" in sentence


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'away' / 'sentinel.db'}"
    engine = create_engine(url)
    with pytest.raises(StoreUnavailableError) as raised, explained(url):
        engine.connect()
    assert f"there is no folder {tmp_path / 'away'}" in str(raised.value)
    assert "Create it, attach its disk, or correct SENTINEL_DATABASE_URL" in str(raised.value)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert said(f"sqlite:///{tmp_path}") == (
        f"the event store sqlite:///{tmp_path} can't be used: {tmp_path} is a folder "
        "(unable to open database file). Correct SENTINEL_DATABASE_URL"
    )


def test_a_file_that_may_not_be_written_asks_for_access(file: Path) -> None:
    url = f"sqlite:///{file}"
    engine = create_engine(url, creator=lambda: sqlite3.connect(f"file:{file}?mode=ro", uri=True))
    with (
        pytest.raises(StoreUnavailableError, match="may not read and write it") as raised,
        explained(url),
        engine.begin() as connection,
    ):
        connection.execute(text("CREATE TABLE more (what TEXT)"))
    assert "Give this user access to the file and its folder" in str(raised.value)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="a folder closed even to root")
@pytest.mark.parametrize("place", ["/sys/kernel/sentinel.db", "/sys/kernel/new/sentinel.db"])
def test_a_user_without_rights_to_the_folder_is_asked_to_get_them(place: str) -> None:
    with (
        pytest.raises(StoreUnavailableError, match="may not read and write it"),
        explained(f"sqlite:///{place}"),
    ):
        ensure_schema(open_engine(f"sqlite:///{place}"))


def test_a_lock_that_is_kept_names_no_url_to_correct(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinel_core.store.db.engine._BUSY_MS", 100)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sentence = said(f"sqlite:///{file}", write)
    assert "another process has kept it locked" in sentence
    assert "SENTINEL_DATABASE_URL" not in sentence


def test_a_wrong_value_is_no_failure_of_the_store(file: Path) -> None:
    engine = open_engine(f"sqlite:///{file}")
    with pytest.raises(IntegrityError), answering(engine), writing(engine) as connection:
        connection.execute(text("INSERT INTO checkpoint VALUES ('x', NULL)"))
    engine.dispose()


# -- PostgreSQL ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The URL of a server of its own where one user needs a password."""
    with own_postgres() as server:
        dsn = server.get_uri()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
            access = server.pgdata / "pg_hba.conf"
            access.write_text(f"local all guest scram-sha-256\n{access.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
        url = make_url(dsn.replace("postgresql://", "postgresql+psycopg://", 1))
        guest = url.set(username="guest", password="right")
        yield guest.render_as_string(hide_password=False)


def changed(url: str, **parts: str) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


@pytest.mark.servers
def test_a_wrong_password_is_to_be_corrected_and_not_shown(guarded: str) -> None:
    sentence = said(changed(guarded, password="hunter2"))
    assert "refuses the user or the password" in sentence
    assert "Correct them in SENTINEL_DATABASE_URL" in sentence
    assert "hunter2" not in sentence


@pytest.mark.servers
def test_an_unknown_user_is_told_from_a_server_that_is_away(guarded: str) -> None:
    assert "refuses the user or the password" in said(changed(guarded, username="nobody"))


@pytest.mark.servers
def test_a_database_that_does_not_exist_is_to_be_created(guarded: str) -> None:
    sentence = said(changed(guarded, database="nowhere"))
    assert "has no such database" in sentence
    assert "Create it there" in sentence


@pytest.mark.servers
def test_a_user_without_rights_to_the_tables_is_told_so(guarded: str) -> None:
    sentence = said(guarded)
    assert "this user has no rights" in sentence
    assert "Grant them" in sentence


@pytest.mark.servers
def test_a_database_that_can_only_be_read_is_named(postgres_url: str) -> None:
    def write_readonly(engine: Engine) -> None:
        with reading(engine) as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text("CREATE TABLE more (what TEXT)"))

    assert "the database can only be read" in said(postgres_url, write_readonly)


def test_a_server_that_is_away_is_to_be_started() -> None:
    sentence = said(f"postgresql+psycopg://nobody:secret@127.0.0.1:{free_port()}/none")
    assert "the database server does not answer" in sentence
    assert "Start it, or correct SENTINEL_DATABASE_URL" in sentence
    assert "secret" not in sentence


def test_text_that_is_no_address_is_to_be_corrected() -> None:
    with (
        pytest.raises(StoreUnavailableError, match="no address of a database") as raised,
        explained("nonsense"),
    ):
        open_engine("nonsense")
    assert "Correct SENTINEL_DATABASE_URL" in str(raised.value)


NOWHERE = "postgresql+psycopg://u:p@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("28P01", "the database server refuses the user or the password"),
        ("53300", "the database server has no connection left"),
        ("57P03", "the database server is starting or stopping"),
        ("0A000", "the database reports an error"),
    ],
)
def test_the_cause_follows_from_the_servers_code_or_its_class(code: str, cause: str) -> None:
    assert failure_of(psycopg.errors.lookup(code)(), NOWHERE).cause == cause


@pytest.mark.parametrize(("code", "failed"), [("42501", True), ("28000", True), ("42P01", False)])
def test_a_missing_right_is_a_failure_of_the_store_and_a_missing_table_is_none(
    code: str, failed: bool
) -> None:
    error = ProgrammingError("SELECT 1", {}, psycopg.errors.lookup(code)())
    assert is_failure(error) is failed


def test_a_password_that_is_not_escaped_is_to_be_escaped_and_not_shown() -> None:
    refused = psycopg.errors.InvalidPassword('could not reach "SECRET2@127.0.0.1"')
    assert str(unavailable(refused, "postgresql+psycopg://u:TOP@SECRET2@127.0.0.1:1/x")) == (
        "the event store postgresql+psycopg://u:***@127.0.0.1:1/x can't be used: the database "
        "server refuses the user or the password (if the password holds @, / or :, write %40, %2F "
        "or %3A for it). Correct them in SENTINEL_DATABASE_URL, or let the user in on the server"
    )
