"""The tables as declared and the tables as migrated are the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlmodel import SQLModel

import sentinel_core.models
from sentinel_core.store.engine import (
    SCHEMA_HEAD,
    VERSION_TABLE,
    ensure_schema,
    reading,
    schema_revision,
)

VERSIONS = Path(sentinel_core.models.__file__).parent / "migrations" / "versions"


def test_migrations_bring_a_database_to_the_shape_of_the_models(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_head_named_in_code_is_the_newest_file(engine: Engine) -> None:
    newest = max(path.name[1:5] for path in VERSIONS.glob("v*.py"))
    assert schema_revision(engine) == SCHEMA_HEAD == newest


def test_ensuring_the_schema_twice_changes_nothing(engine: Engine) -> None:
    ensure_schema(engine)
    assert schema_revision(engine) == SCHEMA_HEAD
