"""People's actions on events, in the ledger in memory. Pure.

Each function returns False if the series has no open event.
"""

from dataclasses import replace
from datetime import datetime

from sentinel_core.decide.notifying import NOBODYS
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.reacting import Change
from sentinel_core.decide.snooze import Limits
from sentinel_core.decide.state import Series, Status
from sentinel_core.decide.transition import resolved_by_hand
from sentinel_core.model.reaction import Occasion
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.timeline import Event


def acknowledge(
    ledger: MemoryLedger,
    kind: Kind,
    ticker: str,
    at: datetime,
    by: str,
    until: datetime | None = None,
    limits: Limits | None = None,
) -> bool:
    """Acknowledge the open event of a series. What somebody else has acknowledged stays theirs."""
    series, event = _open_event(ledger, kind, ticker)
    if series is None or event is None:
        return False
    if not series.acknowledged_at(at):
        held = replace(
            series, acknowledged=True, acknowledged_until=until, acknowledged_limits=limits
        )
        ledger.save((kind, ticker), held)
        event.acknowledged_by = by
        ledger.notify_of_action(event, at, NotifyReason.ACKNOWLEDGED)
    return True


def unacknowledge(ledger: MemoryLedger, kind: Kind, ticker: str, at: datetime) -> bool:
    """Take an acknowledgement back."""
    series, event = _open_event(ledger, kind, ticker)
    if series is None or event is None:
        return False
    if series.acknowledged:
        ledger.series[kind, ticker] = replace(series, **NOBODYS)
        event.acknowledged_by = None
        ledger.notify_of_action(event, at, NotifyReason.UNACKNOWLEDGED)
    return True


def resolve(ledger: MemoryLedger, kind: Kind, ticker: str, at: datetime, by: str) -> bool:
    """End the open event of a series, which acknowledges it."""
    series, event = _open_event(ledger, kind, ticker)
    if series is None or event is None:
        return False
    decision = resolved_by_hand(series, at, by)
    ledger.series[kind, ticker] = decision.series
    event.resolved_at, event.resolution = decision.series.ended_at, decision.code
    event.acknowledged_by = event.acknowledged_by or by
    ledger.notify_of_action(event, at, NotifyReason.RESOLVED)
    _react_to_end(ledger, event, at)
    if kind in (Kind.ALERT, Kind.NO_DATA):
        _forget_missing(ledger, ticker)
    return True


def _react_to_end(ledger: MemoryLedger, event: Event, at: datetime) -> None:
    seen = Observation(event.kind, event.ticker, at, False, event.importance, event.message)
    muted = ledger.suppression((event.kind, event.ticker), event.importance)
    ledger.react(event.id, Change(Occasion.RESOLVE, seen, event.importance, suppression=muted))


def _open_event(
    ledger: MemoryLedger, kind: Kind, ticker: str
) -> tuple[Series, Event] | tuple[None, None]:
    series = ledger.series.get((kind, ticker))
    if series is None or series.event_id is None:
        return None, None
    return series, ledger.events[series.event_id - 1]


def _forget_missing(ledger: MemoryLedger, ticker: str) -> None:
    """A ticker that the check no longer reports is forgotten once both its alert and the
    "no data" about its absence are over."""
    alert = ledger.series.get((Kind.ALERT, ticker))
    absence = ledger.series.get((Kind.NO_DATA, ticker))
    if alert is None or absence is None or ticker not in ledger.missing:
        return
    ended = Status.FIRING not in (alert.status, absence.status)
    if ended and absence.last_at > alert.last_at:
        del ledger.series[Kind.ALERT, ticker]
