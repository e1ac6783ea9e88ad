"""Saves and deletes views: filters of the blotter under a name, for everybody. Audited."""

from datetime import datetime

from sqlalchemy import Engine, delete, func, select

from sentinel_core.model.cleaning import clean_line
from sentinel_core.store.db.bulk import insert_into, storable_ids
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import VIEW
from sentinel_core.store.record.change import require_name
from sentinel_core.store.state.audit import add_audit

NAME_LIMIT = 60
MOST_VIEWS = 100
_QUERY_LIMIT = 8_000

_V = VIEW.c


def save(engine: Engine, name: str, query: str, *, by: str, now: datetime) -> int:
    """Keep the filters of this address under a name; the view's id.

    Raises ValueError for a name that can't be or is in use and for too many views,
    StoreUnavailableError if nothing was written.
    """
    who, title = require_name(by, "saves the view"), clean_line(name)
    if not title or len(title) > NAME_LIMIT:
        raise ValueError(f"the name of a view has 1 to {NAME_LIMIT} characters")
    if len(query) > _QUERY_LIMIT or not query.isascii() or not query.isprintable():
        raise ValueError("these filters are too long to save: choose fewer values")
    row = {"name": title, "query": query, "created_at": now, "created_by": who}
    with answering(engine), writing(engine) as connection:
        if (connection.scalar(select(func.count()).select_from(VIEW)) or 0) >= MOST_VIEWS:
            raise ValueError(f"there are {MOST_VIEWS} views already: delete one that nobody needs")
        new = insert_into(connection, VIEW).values(**row)
        done = connection.execute(new.on_conflict_do_nothing().returning(_V.id)).first()
        if done is None:
            raise ValueError("there is a view of this name already: delete it, or take another")
        add_audit(connection, who, "view-saved", now, {"view": title, "filters": query})
    return int(done[0])


def remove(engine: Engine, view_id: int, *, by: str, now: datetime) -> bool:
    """Delete a view; False if there is none of this id. Raises as `save` does."""
    who = require_name(by, "deletes the view")
    with answering(engine), writing(engine) as connection:
        gone = delete(VIEW).where(_V.id.in_(storable_ids([view_id])))
        row = connection.execute(gone.returning(_V.name, _V.query)).first()
        if row is not None:
            detail = {"view": row.name, "filters": row.query}
            add_audit(connection, who, "view-deleted", now, detail)
    return row is not None
