"""The saved views of the blotter."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import VIEW


@dataclass(frozen=True, slots=True)
class View:
    """Filters of the blotter under a name; `query` is written as in an address."""

    id: int
    name: str
    query: str
    created_by: str


def views(engine: Engine) -> list[View]:
    """All saved views by name. Raises StoreUnavailableError."""
    v = VIEW.c
    found = select(v.id, v.name, v.query, v.created_by).order_by(v.name, v.id)
    with answering(engine), reading(engine) as connection:
        return [View(*row) for row in connection.execute(found)]
