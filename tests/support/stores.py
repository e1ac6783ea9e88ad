"""New databases, empty or with Sentinel's tables: migrated once, then copied."""

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, make_url, text, update

from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.schema import upgrade
from sentinel_core.store.db.tables import IDENTITY
from tests.support.shared import Shared

TEMPLATE = "sentinel_template"
TEMPLATE_IDENTITY = uuid.UUID("5e471e10-0000-4000-8000-000000000001")


@contextlib.contextmanager
def postgres_database(maintenance: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, gone after; `template` is the one it is a copy of."""
    name = f"t{uuid.uuid4().hex}"
    _run(maintenance, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _named(maintenance, name)
    finally:
        _run(maintenance, f"DROP DATABASE {name} WITH (FORCE)")


def postgres_template(shared: Shared) -> str:
    """The name of a database with the tables, for `postgres_database`."""

    def make() -> str:
        _run(shared.postgres(), f"CREATE DATABASE {TEMPLATE}")
        migrate(_named(shared.postgres(), TEMPLATE))
        return TEMPLATE

    return str(shared.once("postgres-template", make))


def copy_sqlite(shared: Shared, to: Path) -> None:
    """An event store with its tables at this path."""
    file = shared.folder / "template.db"

    def make() -> str:
        migrate(f"sqlite:///{file}")
        return str(file)

    shutil.copyfile(shared.once("sqlite-template", make), to)


def migrate(url: str) -> None:
    """Make the tables in an empty database.

    The stores of all tests have one identity, so that they can share a Prefect server, in which it
    is registered once. A test that makes a store of its own names a variable of its own, too.
    """
    engine = open_engine(url)
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(update(IDENTITY).values(id=TEMPLATE_IDENTITY))
    engine.dispose()


def variable_for(url: str) -> str:
    """A name for the Prefect variable of the store at this address, which no other store has."""
    return f"store_{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def _named(maintenance: str, name: str) -> str:
    return make_url(maintenance).set(database=name).render_as_string(hide_password=False)


def _run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
