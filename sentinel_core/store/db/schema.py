"""Which schema the database has, and bringing it to the newest."""

from sqlalchemy import Engine, column, inspect, select, table

from sentinel_core.base.errors import SchemaBehindError
from sentinel_core.store.db.engine import VERSION_TABLE, reading

SCHEMA_HEAD = "0003"  # the newest file in migrations/versions; a test compares


def schema_revision(engine: Engine) -> str | None:
    """The migration the database stands at; None for a database without Sentinel's tables."""
    with reading(engine) as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return None
        revision: str | None = connection.scalar(
            select(column("version_num")).select_from(table(VERSION_TABLE))
        )
        return revision


def ensure_schema(engine: Engine) -> None:
    """Create the tables in an empty database. Raises SchemaBehindError for an older one."""
    revision = schema_revision(engine)
    if revision is None:
        from sentinel_core.store.db.migrations.upgrade import upgrade

        upgrade(engine)
    elif revision < SCHEMA_HEAD:
        raise SchemaBehindError(
            f"the event store stands at revision {revision}, this Sentinel needs {SCHEMA_HEAD}: "
            "run `sentinel db upgrade`"
        )
