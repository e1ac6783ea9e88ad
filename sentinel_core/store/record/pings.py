"""Records that a job outside Prefect ran."""

from datetime import datetime

from sqlalchemy import Engine, func

from sentinel_core.store.db.bulk import insert_into
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import PING

_P = PING.c


def ping(engine: Engine, key: str, *, by: str, now: datetime) -> int:
    """Record a ping; how many this key has had. The latest time counts, whichever came last.

    Raises StoreUnavailableError if nothing was written.
    """
    latest = func.max if engine.dialect.name == "sqlite" else func.greatest
    with answering(engine), writing(engine) as connection:
        new = insert_into(connection, PING).values(key=key, at=now, by=by, count=1)
        newer = {"at": latest(_P.at, new.excluded.at), "by": by, "count": _P.count + 1}
        kept = new.on_conflict_do_update(index_elements=[_P.key], set_=newer).returning(_P.count)
        return int(connection.execute(kept).scalar_one())
