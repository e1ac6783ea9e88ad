"""Events for failing channels: a notification that nobody received deserves an event."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.routing import Routes
from sentinel_core.store.outbox.channels import FailingChannel, failing_channels, sent_since
from sentinel_core.store.record.recording import record
from sentinel_core.store.state import system_rule

FAILED_WITHIN = timedelta(days=7)


def record_failing_channels(engine: Engine, notify: Routes, now: datetime) -> list[str]:
    """Open an event for each failing channel, resolve those of channels that work again.

    Returns the failing channels.
    """
    failing = {
        channel.channel: channel
        for channel in failing_channels(engine, now - FAILED_WITHIN)
        if not channel.recovered
    }
    firing = system_rule.firing_channels(engine)
    recovered = {
        channel
        for channel, at in firing.items()
        if channel not in failing and sent_since(engine, channel, at)
    }
    observations = list(_observations(failing, firing, recovered, now))
    if observations:
        working = {
            name: [route for route in getattr(notify, name) if route.channel not in failing]
            for name in Routes.model_fields
        }
        rule = system_rule.rule(notify.model_copy(update=working))
        record(engine, rule, None, observations, now=now)
    return sorted(failing)


def _observations(
    failing: Mapping[str, FailingChannel],
    firing: Mapping[str, datetime],
    recovered: Collection[str],
    now: datetime,
) -> Iterator[Observation]:
    for name, channel in failing.items():
        if name not in firing or channel.latest > firing[name]:
            count = f"{channel.failed} notification{'s' if channel.failed > 1 else ''}"
            message = (
                f"{name} does not take messages: {count} failed for good. {channel.error} "
                f"Once the channel is repaired: sentinel channels retry {name}"
            )
            yield _observation(name, channel.latest, True, message)
    for name in sorted(recovered):
        yield _observation(name, now, False, f"{name} takes messages again.")


def _observation(channel: str, at: datetime, breached: bool, message: str) -> Observation:
    return Observation(
        Kind.FAILURE, channel, at, breached, system_rule.IMPORTANCE, message, evaluated=False
    )
