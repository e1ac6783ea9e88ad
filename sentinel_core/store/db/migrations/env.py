"""Alembic's entry: migrate on the connection that schema.py hands over."""

from alembic import context
from sqlmodel import SQLModel

import sentinel_core.store.db.tables  # noqa: F401  (the tables register themselves)
from sentinel_core.store.db.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
    render_as_batch=True,
    version_table=VERSION_TABLE,
)
context.run_migrations()
