"""Sends pending notifications: claims them, renders the message, sends it, records the outcome.

Decides nothing about events; decide/delivery.py says which notifications are still needed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from prefect.logging import get_logger
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from sentinel_core.base.settings import Settings
from sentinel_core.decide.delivery import MOST_ATTEMPTS, backoff, exhausted
from sentinel_core.message.charts import with_chart
from sentinel_core.message.content import About, Content, Item, Links
from sentinel_core.message.render import render
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.routing import Routes
from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, Signal
from sentinel_core.notify.channel.send import send
from sentinel_core.notify.failing_channels import record_failing_channels
from sentinel_core.store.db.engine import retrying
from sentinel_core.store.outbox.claim import ClaimedMessage, claim, due, still_due
from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT
from sentinel_core.store.outbox.settle import postpone_channel, settle
from sentinel_core.store.outbox.storm_upkeep import end_storms, report_resolved_storms
from sentinel_core.store.read.event_detail import latest_values
from sentinel_core.wording.text import counted

_ABOUT_STORMS = {
    NotifyReason.STORM.value: About.STORM,
    NotifyReason.STORM_ENDED.value: About.STORM_ENDED,
    NotifyReason.STORM_RESOLVED.value: About.STORM_RESOLVED,
}
LOOK_AGAIN = 100  # the rest is checked at the first failed claim and every so many after

logger = get_logger("sentinel")


def deliver(engine: Engine, settings: Settings, notification_ids: Sequence[int]) -> int:
    """Send these notifications; returns the number of notifications sent.

    Stops after twice the notify timeout, so that a run does not wait longer: the flow deliver
    sends the rest.
    """
    return DeliveryRun(engine, settings).send(notification_ids)


def deliver_due(engine: Engine, settings: Settings) -> int:
    """Send what is due, within twice the notify timeout; returns the number sent."""
    return DeliveryRun(engine, settings).send_due()


@dataclass(slots=True)
class Delivered:
    """The result of one run of the flow deliver."""

    sent: int = 0
    storms_ended: int = 0
    failing: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        parts = [f"{counted(self.sent, 'notification')} sent"]
        if self.storms_ended:
            parts.append(f"{counted(self.storms_ended, 'storm')} ended")
        if self.failing:
            parts.append(f"channels that fail: {', '.join(self.failing)}")
        return "; ".join(parts)


def deliver_all(engine: Engine, settings: Settings, notify: Routes) -> Delivered:
    """Run the flow deliver: end storms, send what is due, open events for failing channels.

    `notify` has the routes of those events; failing channels are left out of them.
    """
    report = Delivered(storms_ended=len(end_storms(engine, datetime.now(UTC))))
    report_resolved_storms(engine, datetime.now(UTC))
    report.sent = deliver_due(engine, settings)
    report.failing = record_failing_channels(engine, notify, datetime.now(UTC))
    if report.failing:
        report.sent += deliver_due(engine, settings)
    return report


class DeliveryRun:
    """One run of a deliverer, which ends after twice the notify timeout.

    `slow_channels` are skipped, so that they hold up no other channel. `tried` are the
    notifications that this run has claimed or failed to claim.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.links = Links(settings.viewer_url, settings.prefect_ui_url)
        self.slow_channels: set[str] = set()
        self.tried: set[int] = set()
        self._deadline = monotonic() + 2 * settings.notify_timeout_seconds

    def send_due(self) -> int:
        """Send what is due until nothing is left; returns the number of notifications sent."""
        sent = 0
        while monotonic() <= self._deadline:
            pending = due(self.engine, datetime.now(UTC), without=self.slow_channels)
            pending = [key for key in pending if key not in self.tried]
            if not pending:
                break
            sent += self.send(pending)
        return sent

    def send(self, ids: Sequence[int]) -> int:
        """Send these notifications, each with its group; returns the number sent."""
        sent, failed_claims = 0, 0
        left = deque(ids)
        while left and monotonic() <= self._deadline:
            notification_id = left.popleft()
            if notification_id in self.tried:
                continue
            self.tried.add(notification_id)
            now = datetime.now(UTC)
            lease = timedelta(seconds=self.settings.notify_lease_seconds)
            claimed = claim(
                self.engine, notification_id, now, without=self.slow_channels, lease=lease
            )
            if claimed is not None:
                self.tried.update(claimed.ids)
                sent += self._send_one(claimed)
                continue
            # A storm may have replaced thousands of these: they are not claimed one by one.
            if failed_claims % LOOK_AGAIN == 0 and len(left) > LOOK_AGAIN:
                left = deque(still_due(self.engine, list(left), now))
            failed_claims += 1
        return sent

    def _send_one(self, claimed: ClaimedMessage) -> int:
        began = monotonic()
        delivery = self._attempt(claimed)
        slow = monotonic() - began > self.settings.notify_timeout_seconds / 2
        if delivery.outcome is not Outcome.SENT and (slow or delivery.retry_after_seconds):
            self.slow_channels.add(claimed.channel)
        if delivery.error:
            logger.warning("%s: %s: %s", claimed.channel, _what(claimed), delivery.error)
        # Retried: a sent message without an outcome on record would be sent again.
        for attempt in retrying(self.settings.record_timeout_seconds):
            with attempt:
                self._settle(claimed, delivery)
        return len(claimed.ids) if delivery.outcome is Outcome.SENT else 0

    def _attempt(self, claimed: ClaimedMessage) -> Delivery:
        try:
            content = content_of(self.engine, claimed)
            message = render(medium_of(claimed.channel), content, self.links)
        except OperationalError:
            raise
        except Exception as error:  # if raised, it would be retried forever without a record
            return Delivery(Outcome.FAILED, f"the message could not be written: {error!r}"[:1_000])
        return send(address_of(claimed), message, self.settings)

    def _settle(self, claimed: ClaimedMessage, delivery: Delivery) -> None:
        now = datetime.now(UTC)
        known: Any = {"now": now, "unknown": delivery.unknown, "claimed_at": claimed.claimed_at}
        if delivery.outcome is not Outcome.RETRY:
            status = SENT if delivery.outcome is Outcome.SENT else FAILED
            known |= {"error": delivery.error, "reference": delivery.reference}
            settle(self.engine, claimed.ids, status=status, **known)
            return
        again = now + backoff(claimed.id, claimed.attempt, delivery.retry_after_seconds)
        # A notification that joined the group later has attempts left.
        tried = zip(claimed.ids, claimed.attempts, strict=True)
        spent = {key for key, attempts in tried if attempts >= MOST_ATTEMPTS}
        if spent:
            settle(self.engine, spent, status=FAILED, error=exhausted(delivery.error), **known)
        if left := set(claimed.ids) - spent:
            known |= {"error": delivery.error, "reference": delivery.reference}
            settle(self.engine, left, status=PENDING, next_attempt_at=again, **known)
        if delivery.retry_after_seconds:
            postpone_channel(self.engine, claimed.channel, again)


def _what(claimed: ClaimedMessage) -> str:
    if claimed.about:
        return claimed.about
    first = f"event {claimed.events[0][0]['id']}"
    return first if len(claimed.events) == 1 else f"{first} and {len(claimed.events) - 1} more"


def content_of(engine: Engine, claimed: ClaimedMessage) -> Content:
    """The content of a claimed message."""
    if claimed.about:
        about = About.REPORT
        if claimed.about.startswith("storm:"):
            about = _ABOUT_STORMS.get(claimed.reason, About.STORM_GROWN)
        return Content(about, facts=with_chart(claimed.facts))
    alone = len(claimed.events) == 1
    items = tuple(
        Item(event, reason, latest_values(engine, event) if alone else ())
        for event, reason in claimed.events
    )
    return Content(About.EVENTS, items, templates=claimed.templates, at=datetime.now(UTC))


def address_of(claimed: ClaimedMessage) -> Address:
    """The address of a claimed message, and its meaning for an incident there."""
    signal = Signal.TRIGGER
    if claimed.reason == NotifyReason.ACKNOWLEDGED:
        signal = Signal.ACKNOWLEDGE
    elif (
        claimed.reason in (NotifyReason.RESOLVED, NotifyReason.STORM_RESOLVED)
        or (claimed.reason == NotifyReason.STORM_ENDED and not claimed.facts["open"])
        or (claimed.reason == NotifyReason.FLAPPING_ENDED and claimed.events[0][0]["resolved_at"])
    ):
        signal = Signal.RESOLVE
    return Address(
        claimed.channel,
        claimed.recipient,
        thread=claimed.thread,
        dedup_key=claimed.incident,
        other_incidents=claimed.other_incidents if signal is Signal.RESOLVE else (),
        signal=signal,
        # Every store numbers its rows from 1, and two stores may write to the same people.
        key=f"{claimed.created_at.isoformat()}/{','.join(str(key) for key in sorted(claimed.ids))}",
    )
