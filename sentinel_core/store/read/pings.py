"""When the jobs outside Prefect last said that they ran."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import PING


def last_pings(engine: Engine, keys: Sequence[str]) -> dict[str, datetime]:
    """The time of the last ping of each of these keys that had one.

    Raises StoreUnavailableError.
    """
    found = select(PING.c.key, PING.c.at).where(PING.c.key.in_(keys))
    with answering(engine), reading(engine) as connection:
        return {row.key: row.at for row in connection.execute(found)}
