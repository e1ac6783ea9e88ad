"""The schema of a database: which revision it has, and migrating it to the newest."""

from pathlib import Path

from sqlalchemy import Engine, column, inspect, select, table, text

from sentinel_core.base.errors import SchemaBehindError
from sentinel_core.store.db.engine import reading, writing

SCHEMA_HEAD = "0004"  # the newest file in migrations/versions; a test compares
VERSION_TABLE = "sentinel_version"  # alembic's default is taken where Prefect shares the database
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_736_368_455  # any number, the same in every Sentinel


def schema_revision(engine: Engine) -> str | None:
    """The newest migration of this database; None for a database without Sentinel's tables."""
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
        upgrade(engine)
    elif revision < SCHEMA_HEAD:
        raise SchemaBehindError(
            f"the event store is at revision {revision}, this Sentinel needs {SCHEMA_HEAD}: "
            "run `sentinel db upgrade`"
        )


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; other processes wait and then have none."""
    from alembic import command  # takes long to import, and most processes never migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
