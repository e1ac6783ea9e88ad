"""Bringing a database to the newest schema, safely from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from sentinel_core.store.db.engine import writing

_ADVISORY_LOCK = 7_736_368_455  # any number, the same in every Sentinel


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; others wait, then find nothing to do."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
