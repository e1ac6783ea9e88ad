"""The schema of a database: which revision it has, and migrating it to the newest."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from sentinel_core.base.errors import SchemaAheadError, SchemaBehindError
from sentinel_core.store.db.engine import check_each_transaction, transaction

SCHEMA_HEAD = "0004"  # the newest file in migrations/versions; a test compares
VERSION_TABLE = "sentinel_version"  # alembic's default is taken where Prefect shares the database
_REVISION_SQL = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 (a constant)
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_736_368_455  # any number, the same in every Sentinel


def schema_revision(engine: Engine) -> str | None:
    """The newest migration of this database; None for a database without Sentinel's tables."""
    with transaction(engine, write=False) as connection:
        return _revision(connection)


def ensure_schema(engine: Engine) -> None:
    """Create the tables in an empty database, and check the revision in each transaction.

    Raises SchemaBehindError for the tables of an older Sentinel, SchemaAheadError for those of a
    newer one.
    """
    revision = schema_revision(engine)
    if revision is None:
        upgrade(engine)
    check_schema(engine, revision or SCHEMA_HEAD)


def check_schema(engine: Engine, revision: str) -> None:
    """Refuse a revision that is not this Sentinel's, now and in each transaction.

    Processes live longer than a schema: another one may upgrade it while they run.
    """
    _refuse_other(revision)
    check_each_transaction(engine, _check)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.exec_driver_sql(_REVISION_SQL).scalar()
    return revision


def _check(connection: Connection, write: bool) -> None:
    if write and connection.dialect.name == "postgresql":
        # An upgrade waits for the writers that have passed this check, and they for an upgrade.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_ADVISORY_LOCK})")
    _refuse_other(connection.exec_driver_sql(_REVISION_SQL).scalar())


def _refuse_other(revision: str | None) -> None:
    if revision == SCHEMA_HEAD:
        return
    if revision is None or revision < SCHEMA_HEAD:
        raise SchemaBehindError(
            f"the event store is at revision {revision}, this Sentinel needs {SCHEMA_HEAD}: "
            "run `sentinel db upgrade`"
        )
    raise SchemaAheadError(
        f"the event store is at revision {revision}, which is newer than this Sentinel "
        f"({SCHEMA_HEAD}): upgrade Sentinel here and restart it"
    )


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; other processes wait and then have none.

    Raises SchemaAheadError for the tables of a newer Sentinel.
    """
    from alembic import command  # takes long to import, and most processes never migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with transaction(engine, write=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(connection)
        if revision is not None and revision > SCHEMA_HEAD:
            _refuse_other(revision)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
