"""Stores of an earlier schema with the rows of one of today's, as far as their columns go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, column, inspect, select, table
from sqlmodel import SQLModel

import sentinel_core.store.db.tables
from sentinel_core.store.db.engine import reading, writing

VERSIONS = Path(sentinel_core.store.db.tables.__file__).parent / "migrations" / "versions"

NEW_TABLES = (
    "store_identity",
    "evaluation_hour",
    "reaction",
    "api_token",
    "saved_view",
    "ping",
    "host_sample",
)


def everything(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that stores have had since before they had an identity."""
    found = {}
    tables = {k: v for k, v in SQLModel.metadata.tables.items() if k not in NEW_TABLES}
    with reading(engine) as connection:
        for name, kept in tables.items():
            statement = select(kept).order_by(*kept.primary_key)
            found[name] = [dict(row) for row in connection.execute(statement).mappings()]
    return found


def columns_of(engine: Engine, name: str) -> set[str]:
    """The columns a table has just now; none for one there is not."""
    return {found["name"] for found in inspect(engine).get_columns(name)}


def old_store(
    engine: Engine, revision: str, recorded: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Tables of this revision with these rows, as far as its columns go."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    for name, found in recorded.items():
        if not (columns := columns_of(engine, name)):
            continue  # a table that came later
        known = columns - {"id"}  # numbered anew, from one, in the same order
        types = SQLModel.metadata.tables[name].c
        old = table(name, *(column(c.name, c.type) for c in types if c.name in known))
        with writing(engine) as connection:
            for row in found:
                values = {key: value for key, value in row.items() if key in known}
                connection.execute(old.insert().values(values))
