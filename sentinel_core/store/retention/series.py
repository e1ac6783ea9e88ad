"""Deletes the state of series that no run reports any longer.

Nothing has an index on when a series was last observed: each recording would have to keep it. The
series of a rule are read in the order of the index that names them.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, func, or_, select

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVENT, SERIES
from sentinel_core.store.retention.pace import Pace, Progress

_S, _E = SERIES.c, EVENT.c
_KINDS = [kind.value for kind in Kind]


def _unseen(rule_id: int, before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Series of a rule that were last observed before this time.

    A ticker goes as a whole: it stays while it fires in one kind, or was observed in another.
    """
    other = SERIES.alias("other").c
    ticker = (other.rule_id == rule_id, other.ticker == _S.ticker)
    held = or_(
        other.last_at >= before, other.status == Status.FIRING.value, other.event_id.is_not(None)
    )
    kinds = other.kind.in_(_KINDS)  # or the index, which begins with the kind, is of no use
    unresolved = (_E.rule_id == rule_id, _E.ticker == _S.ticker, _E.resolved_at.is_(None))
    return (
        _S.rule_id == rule_id,
        _S.last_at < before,
        _S.status != Status.FIRING.value,
        ~exists().where(*ticker, kinds, held),
        ~exists().where(*unresolved, _E.kind.in_(_KINDS)),
    )


def count_series(connection: Connection, rule_id: int, before: datetime) -> int:
    """The number of series that would go."""
    unseen = select(func.count()).select_from(SERIES).where(*_unseen(rule_id, before))
    return int(connection.scalar(unseen) or 0)


def delete_series(
    engine: Engine, rule_id: int, before: datetime, pace: Pace, progress: Progress
) -> None:
    """Delete the series of a rule that were last observed before this time."""
    goes = _unseen(rule_id, before)
    kind = ticker = ""
    while not pace.is_over:
        after = and_(_S.kind >= kind, or_(_S.kind > kind, _S.ticker > ticker))
        old = select(_S.id, _S.kind, _S.ticker).where(*goes, after)
        with reading(engine) as connection:
            statement = old.order_by(_S.kind, _S.ticker).limit(pace.size)
            found = connection.execute(statement).all()
        if not found:
            return
        with pace.deleting(engine) as connection:
            gone = 0
            for some in chunks([row.id for row in found]):
                unseen = delete(SERIES).where(_S.id.in_(some), *goes)
                gone += connection.execute(unseen).rowcount
        progress("alert_series", gone)
        kind, ticker = found[-1].kind, found[-1].ticker
