"""The schema of a database: which revision it has, and migrating it to the newest."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from sentinel_core.base.errors import SchemaAheadError, SchemaBehindError, StoreIdentityError
from sentinel_core.model.system_actions import ACTOR, SystemAction
from sentinel_core.store.db.engine import LIMIT_WAITS, check_each_transaction, masked, transaction
from sentinel_core.store.db.tables import AUDIT

SCHEMA_HEAD = "0018"  # the newest file in migrations/versions; a test compares
VERSION_TABLE = "sentinel_version"  # alembic's default is taken where Prefect shares the database
_REVISION_SQL = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 (a constant)
_STATE_SQL = f"SELECT ({_REVISION_SQL}), (SELECT id FROM store_identity)"  # noqa: S608
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_736_368_455  # any number, the same in every Sentinel


def schema_revision(engine: Engine) -> str | None:
    """The newest migration of this database; None for a database without Sentinel's tables."""
    with transaction(engine, write=False) as connection:
        return _revision(connection)


def ensure_schema(engine: Engine) -> UUID:
    """Create the tables in an empty database, then as `require_schema`."""
    if (identity := identity_of(engine)) is not None:
        return identity
    upgrade(engine)
    return require_schema(engine)


def require_schema(engine: Engine) -> UUID:
    """As `identity_of`, but raises StoreIdentityError where there are no tables."""
    if (identity := identity_of(engine)) is None:
        raise _no_store(engine)
    return identity


def identity_of(engine: Engine) -> UUID | None:
    """The identity of the store, which each transaction checks from now on, with its revision.

    None where there are no tables. Processes live longer than a schema or a store: both may be
    replaced while they run. Raises SchemaBehindError for the tables of an older Sentinel,
    SchemaAheadError for those of a newer one.
    """
    with transaction(engine, write=False) as connection:
        revision = _revision(connection)
        if revision is None:
            return None
        _refuse_other(revision)
        identity = connection.exec_driver_sql(_STATE_SQL).one()[1]
    check_each_transaction(engine, partial(_check, identity))
    return UUID(str(identity))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.exec_driver_sql(_REVISION_SQL).scalar()
    return revision


def _check(identity: object, connection: Connection, write: bool) -> None:
    if write and connection.dialect.name == "postgresql":
        # An upgrade waits for the writers that have passed this check, and they for an upgrade.
        lock = f"pg_advisory_xact_lock_shared({_ADVISORY_LOCK})"
        connection.exec_driver_sql(f"SELECT {LIMIT_WAITS}, {lock}")
    try:
        revision, found = connection.exec_driver_sql(_STATE_SQL).one()
    except DBAPIError:
        _refuse_vanished(connection.engine)
        raise
    _refuse_other(revision)
    if found != identity:
        raise StoreIdentityError(
            f"the event store {_place(connection.engine)} was replaced by another one "
            "while this process was using it: restore the first one, or restart this process if "
            "the other one is right"
        )


def _refuse_vanished(engine: Engine) -> None:
    """Explain a state that can't be read: its tables are gone, or of another revision."""
    if isinstance(engine.pool, StaticPool):  # in memory: there is no second connection
        return
    revision = schema_revision(engine)
    if revision is None:
        raise _no_store(engine)
    _refuse_other(revision)


def _place(engine: Engine) -> str:
    return masked(engine.url.render_as_string(hide_password=False))


def _no_store(engine: Engine) -> StoreIdentityError:
    return StoreIdentityError(
        f"the database {_place(engine)} holds no event store: restore it, or correct "
        "SENTINEL_DATABASE_URL; `sentinel db upgrade` creates the first one, `sentinel db adopt` "
        "begins anew"
    )


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

    An upgrade of older tables is an entry of the audit, in the same transaction.
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
        if revision is not None and revision != SCHEMA_HEAD:
            entry = {"at": datetime.now(UTC), "actor": ACTOR}
            entry["action"] = SystemAction.STORE_UPGRADED.value
            entry["detail"] = {"from": revision, "to": SCHEMA_HEAD}
            connection.execute(insert(AUDIT).values(entry))
