"""Creates silences, and ends them early. Each change has an audit entry."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, insert, select, update

from sentinel_core.model.silence import Silence
from sentinel_core.store.db.bulk import chunks, storable_ids
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import SILENCE
from sentinel_core.store.record.change import Changed, comment_of, require_name, sorted_ids
from sentinel_core.store.state.audit import add_audit
from sentinel_core.store.state.mutes import SILENCE_EXPIRED

_INSTANT = timedelta(microseconds=1)


def create(engine: Engine, silence: Silence, *, now: datetime) -> Silence:
    """Store a silence and return it with its id. Muted events are still recorded.

    Raises ValueError without an author or a comment and for an end in the past,
    StoreUnavailableError if nothing was written.
    """
    author, comment = require_name(silence.author, "silences"), comment_of(silence.comment)
    if not comment:
        raise ValueError("say why: whoever misses a message will ask")
    if silence.ends_at <= now:
        raise ValueError(f"a silence until {silence.ends_at:%F %R} would be over already")
    row = {
        "matchers": silence.matchers.model_dump(mode="json", exclude_defaults=True),
        "recurrence": silence.recurrence.model_dump(mode="json") if silence.recurrence else None,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "author": author,
        "comment": comment,
        "created_at": now,
    }
    with answering(engine), writing(engine) as connection:
        key = int(connection.scalars(insert(SILENCE).returning(SILENCE.c.id), [row]).one())
        detail = {
            "silence": key,
            "mutes": silence.matchers.words(),
            "from": silence.starts_at.isoformat(),
            "until": silence.ends_at.isoformat(),
            "comment": comment,
        }
        if silence.recurrence:
            detail["window"] = silence.recurrence.words()
        add_audit(connection, author, "silence-created", now, detail)
    return silence.model_copy(update={"id": key, "author": author, "comment": comment})


def expire(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Changed:
    """End these silences now; the next run or reconcile sends the withheld notifications.

    A silence that has not begun will never mute. Raises ValueError without a name,
    StoreUnavailableError if nothing was written.
    """
    who, reason = require_name(by, "ends the silence"), comment_of(comment)
    wanted = sorted_ids(ids, "silence")
    c = SILENCE.c
    existing: set[int] = set()
    done: list[int] = []
    with answering(engine), writing(engine) as connection:
        for some in chunks(storable_ids(wanted)):
            locked = select(c.id, c.starts_at, c.ends_at).where(c.id.in_(some)).order_by(c.id)
            for row in connection.execute(locked.with_for_update()).all():
                existing.add(row.id)
                if row.ends_at <= now:
                    continue
                # A silence must end after it starts, even if it never muted anything.
                starts_at = min(row.starts_at, now - _INSTANT)
                ended = update(SILENCE).values(starts_at=starts_at, ends_at=now)
                connection.execute(ended.where(c.id == row.id))
                done.append(row.id)
                detail = {"silence": row.id, "was_until": row.ends_at.isoformat()}
                detail |= {"comment": reason} if reason else {}
                add_audit(connection, who, SILENCE_EXPIRED, now, detail)
    return Changed.of(wanted, done, existing)
