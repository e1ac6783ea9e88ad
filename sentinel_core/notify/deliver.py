"""Sends what is owed: claims from the outbox, renders, hands to a channel, writes down how it went.

Decides nothing about events; what becomes of a message is outgoing.py's to say.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from prefect.logging import get_logger
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from sentinel_core.base.settings import Settings
from sentinel_core.decide.delivery import MOST_ATTEMPTS, backoff, exhausted
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.message import About, Content, Item, Links, render
from sentinel_core.message.charts import with_chart
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.routing import Routes
from sentinel_core.notify.channel import Address, Delivery, Outcome, Signal, medium_of, send
from sentinel_core.store.outbox.claim import ClaimedMessage, claim, due, still_due
from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT
from sentinel_core.store.outbox.failing import FailingChannel, failing_channels, sent_since
from sentinel_core.store.outbox.settle import postpone_channel, settle
from sentinel_core.store.outbox.storms import end_storms
from sentinel_core.store.read import values as readings
from sentinel_core.store.record.recording import record
from sentinel_core.store.state import system_rule as own

LOOK_AGAIN = 100  # messages that could not be claimed, until the rest is looked at once more
TROUBLED_FOR = timedelta(days=7)  # how long a channel that fails is looked at

logger = get_logger("sentinel")


def patiently(settings: Settings) -> Retrying:
    """Tries again while the event store does not answer, for a bounded time."""
    return Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(settings.record_timeout_seconds),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )


def deliver(engine: Engine, settings: Settings, notification_ids: Sequence[int]) -> int:
    """Send owed messages and write down how each went; returns how many events were told.

    Stops after twice the notify timeout: a run waits no longer, the rest stays owed and is
    delivered by flows/deliver.py.
    """
    return _Round(engine, settings).send(notification_ids)


def deliver_due(engine: Engine, settings: Settings) -> int:
    """Send whatever is owed by now, within twice the notify timeout; how many events were told."""
    going = _Round(engine, settings)
    sent = 0
    while not going.is_over():
        left = due(engine, datetime.now(UTC), without=going.hanging)
        left = [key for key in left if key not in going.seen]
        if not left:
            break
        sent += going.send(left)
    return sent


@dataclass(slots=True)
class Delivered:
    """What one run of the delivery did."""

    sent: int = 0
    storms_ended: int = 0
    failing: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The report in a line."""
        parts = [f"{self.sent} notifications sent"]
        if self.storms_ended:
            parts.append(f"{self.storms_ended} storms ended")
        if self.failing:
            parts.append(f"channels that fail: {', '.join(self.failing)}")
        return "; ".join(parts)


def deliver_all(engine: Engine, settings: Settings, notify: Routes) -> Delivered:
    """What flows/deliver.py does: end storms, send what is due, say which channels fail.

    `notify` says who hears that a channel fails; a channel that fails is not told of itself.
    """
    report = Delivered(storms_ended=len(end_storms(engine, datetime.now(UTC))))
    report.sent = deliver_due(engine, settings)
    report.failing = name_failing(engine, notify, datetime.now(UTC))
    if report.failing:
        report.sent += deliver_due(engine, settings)
    return report


class _Round:
    """One deliverer's work. `hanging` gathers channels that let us wait: their queue must not hold
    up the others."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.links = Links(settings.viewer_url, settings.prefect_ui_url)
        self.hanging: set[str] = set()
        self.seen: set[int] = set()
        self._deadline = monotonic() + 2 * settings.notify_timeout_seconds

    def is_over(self) -> bool:
        """Has this taken as long as it may?"""
        return monotonic() > self._deadline

    def send(self, ids: Sequence[int]) -> int:
        sent, in_vain = 0, 0
        left = deque(ids)
        while left and not self.is_over():
            notification_id = left.popleft()
            if notification_id in self.seen:
                continue
            self.seen.add(notification_id)
            now = datetime.now(UTC)
            lease = timedelta(seconds=self.settings.notify_lease_seconds)
            owed = claim(self.engine, notification_id, now, without=self.hanging, lease=lease)
            if owed is not None:
                self.seen.update(owed.ids)
                sent += self._tell(owed)
                continue
            # A storm has taken in thousands: they are not asked for one by one.
            if in_vain % LOOK_AGAIN == 0 and len(left) > LOOK_AGAIN:
                left = deque(still_due(self.engine, list(left), now))
            in_vain += 1
        return sent

    def _tell(self, owed: ClaimedMessage) -> int:
        began = monotonic()
        delivery = self._attempt(owed)
        slow = monotonic() - began > self.settings.notify_timeout_seconds / 2
        if delivery.outcome is not Outcome.SENT and (slow or delivery.retry_after_seconds):
            self.hanging.add(owed.channel)
        if delivery.error:
            logger.warning("%s: %s: %s", owed.channel, _what(owed), delivery.error)
        # A sent message whose outcome is not written down would be sent again: hence patience.
        for attempt in patiently(self.settings):
            with attempt:
                self._settle(owed, delivery)
        return len(owed.ids) if delivery.outcome is Outcome.SENT else 0

    def _attempt(self, owed: ClaimedMessage) -> Delivery:
        try:
            content = content_of(self.engine, owed)
            message = render(medium_of(owed.channel), content, self.links)
        except OperationalError:
            raise
        except Exception as error:  # or the message would be tried, and fail, for ever unseen
            return Delivery(Outcome.FAILED, f"the message could not be written: {error!r}"[:1_000])
        return send(address_of(owed), message, self.settings)

    def _settle(self, owed: ClaimedMessage, delivery: Delivery) -> None:
        now = datetime.now(UTC)
        status = {
            Outcome.SENT: SENT,
            Outcome.RETRY: PENDING,
            Outcome.FAILED: FAILED,
        }[delivery.outcome]
        again, ids = None, set(owed.ids)
        known: Any = {"now": now, "unknown": delivery.unknown, "claimed_at": owed.claimed_at}
        if delivery.outcome is Outcome.RETRY:
            again = now + backoff(owed.id, owed.attempt, delivery.retry_after_seconds)
            tried = dict(zip(owed.ids, owed.attempts, strict=True))
            # What joined the others later has not had its share of attempts.
            spent = {key for key in ids if tried[key] >= MOST_ATTEMPTS}
            if spent:
                error = exhausted(delivery.error)
                settle(self.engine, spent, status=FAILED, error=error, **known)
            ids -= spent
        if ids:
            settle(
                self.engine,
                ids,
                status=status,
                error=delivery.error,
                next_attempt_at=again,
                reference=delivery.reference,
                **known,
            )
        if again is not None and delivery.retry_after_seconds:
            postpone_channel(self.engine, owed.channel, again)


def _what(owed: ClaimedMessage) -> str:
    if owed.about:
        return owed.about
    first = f"event {owed.events[0][0]['id']}"
    return first if len(owed.events) == 1 else f"{first} and {len(owed.events) - 1} more"


def content_of(engine: Engine, owed: ClaimedMessage) -> Content:
    """What a claimed message tells of."""
    if owed.about:
        about = About.REPORT
        if owed.about.startswith("storm:"):
            about = About.STORM_ENDED if owed.reason == NotifyReason.STORM_ENDED else About.STORM
        return Content(about, facts=with_chart(owed.facts))
    alone = len(owed.events) == 1
    items = tuple(
        Item(event, reason, readings.latest_values(engine, event) if alone else ())
        for event, reason in owed.events
    )
    return Content(About.EVENTS, items, templates=owed.templates, at=datetime.now(UTC))


def address_of(owed: ClaimedMessage) -> Address:
    """Where a claimed message goes, and what it means there."""
    return Address(
        owed.channel,
        owed.recipient,
        thread=owed.thread,
        dedup_key=owed.incident,
        signal=_signal(owed),
        # Ids begin at 1 in each store: two of them may write to the same people.
        key=f"{owed.created_at.isoformat()}/{','.join(str(key) for key in sorted(owed.ids))}",
    )


def _signal(owed: ClaimedMessage) -> Signal:
    if owed.reason in (NotifyReason.RESOLVED, NotifyReason.STORM_ENDED):
        return Signal.RESOLVE
    if owed.reason == NotifyReason.ACKNOWLEDGED:
        return Signal.ACKNOWLEDGE
    over = (
        owed.reason == NotifyReason.FLAPPING_ENDED and owed.events[0][0]["resolved_at"] is not None
    )
    return Signal.RESOLVE if over else Signal.TRIGGER


# -- channels that fail ----------------------------------------------------------------------


def name_failing(engine: Engine, notify: Routes, now: datetime) -> list[str]:
    """Open an event for each channel that fails for good, end those of channels that work again.

    A message that nobody got is itself something that people should know. Returns the channels.
    """
    troubles = {
        failing.channel: failing
        for failing in failing_channels(engine, now - TROUBLED_FOR)
        if not failing.recovered
    }
    named = own.firing_channels(engine)
    mended = {
        channel
        for channel, at in named.items()
        if channel not in troubles and sent_since(engine, channel, at)
    }
    seen = list(_observations(troubles, named, mended, now))
    if seen:
        rule = own.rule(_without(notify, set(troubles)))
        record(engine, rule, None, seen, now=now)
    return sorted(troubles)


def _observations(
    troubles: Mapping[str, FailingChannel],
    named: Mapping[str, datetime],
    mended: Collection[str],
    now: datetime,
) -> Iterator[Observation]:
    for channel, trouble in troubles.items():
        if channel not in named or trouble.latest > named[channel]:
            count = f"{trouble.failed} notification{'s' if trouble.failed > 1 else ''}"
            message = (
                f"{channel} does not take messages: {count} failed for good. {trouble.error} "
                f"When it is mended: sentinel channels retry {channel}"
            )
            yield _seen(channel, trouble.latest, True, message)
    for channel in sorted(mended):
        yield _seen(channel, now, False, f"{channel} takes messages again.")


def _seen(channel: str, at: datetime, breached: bool, message: str) -> Observation:
    return Observation(
        Kind.FAILURE, channel, at, breached, own.IMPORTANCE, message, evaluated=False
    )


def _without(notify: Routes, channels: set[str]) -> Routes:
    def left(routes: Sequence[Any]) -> list[Any]:
        return [route for route in routes if route.channel not in channels]

    return notify.model_copy(
        update={name: left(getattr(notify, name)) for name in Routes.model_fields}
    )
