"""Keeps how much of each host was in use, for a day."""

from sqlalchemy import Engine, delete

from sentinel_core.decide.hosts import KEPT, Sample
from sentinel_core.store.db.bulk import insert_into
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import HOST


def note_host(engine: Engine, host: str, sample: Sample) -> None:
    """Keep a sample; of two in one minute the first. Older ones than a day go, of every host.

    Raises StoreUnavailableError if nothing was written.
    """
    minute = sample.at.replace(second=0, microsecond=0)
    row = {"cpu": sample.cpu, "memory": sample.memory, "disk": sample.disk}
    with answering(engine), writing(engine) as connection:
        new = insert_into(connection, HOST).values(host=host, at=minute, **row)
        connection.execute(new.on_conflict_do_nothing())
        connection.execute(delete(HOST).where(HOST.c.at < sample.at - KEPT))
