"""What a deliverer with a clock of its own would hand to the channels: claimed and settled."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.store.outbox.claim import ClaimedMessage, claim, due
from sentinel_core.store.outbox.enqueue import PENDING, SENT
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.outbox.storm_upkeep import end_storms


@dataclass(frozen=True, slots=True)
class Posted:
    """One message as a channel would get it."""

    channel: str
    reason: str
    events: tuple[int, ...] = ()
    about: str = ""


def posted(owed: ClaimedMessage) -> Posted:
    """What a claimed message is, without when and how often."""
    events = tuple(event["id"] for event, _ in owed.events)
    name = owed.channel.partition("/")[2]
    return Posted(f"{name} {owed.recipient}".strip(), owed.reason, events, owed.about)


def deliver_at(
    engine: Engine,
    now: datetime,
    *,
    status: str = SENT,
    error: str | None = None,
    again: timedelta = timedelta(seconds=30),
) -> list[Posted]:
    """Claim all that is due at this moment; each message ends with this outcome."""
    found = []
    for key in due(engine, now, limit=10_000):
        owed = claim(engine, key, now)
        if owed is None:
            continue
        found.append(posted(owed))
        settle(
            engine,
            owed.ids,
            status=status,
            error=error,
            now=now,
            next_attempt_at=now + again if status == PENDING else None,
            claimed_at=owed.claimed_at,
        )
    return found


def deliver_until(engine: Engine, start: datetime, end: datetime, step: timedelta) -> list[Posted]:
    """What a deliverer that comes every so often hands over, storms ended on the way."""
    found = []
    while start <= end:
        end_storms(engine, start)
        found += deliver_at(engine, start)
        start += step
    return found
