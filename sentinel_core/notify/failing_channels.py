"""Events for failing channels: a notification that nobody received deserves an event."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.routing import Routes
from sentinel_core.store.outbox.channels import FailingChannel, failing_channels, sent_since
from sentinel_core.store.record.recording import record
from sentinel_core.store.state import system_rule
from sentinel_core.wording.text import counted

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
    known = system_rule.known_channels(engine)
    observations = [
        _observation(name, channel.latest, True, _sentence(channel))
        for name, channel in failing.items()
        if name not in known or channel.latest > known[name][1]  # not one that a person resolved
    ]
    observations += [
        _observation(name, now, False, f"{name} takes messages again.")
        for name, (is_open, at) in sorted(known.items())
        if is_open and name not in failing and sent_since(engine, name, at)
    ]
    if observations:
        working = {
            name: [route for route in getattr(notify, name) if route.channel not in failing]
            for name in Routes.model_fields
        }
        rule = system_rule.rule(notify.model_copy(update=working))
        record(engine, rule, None, observations, now=now)
    return sorted(failing)


def _sentence(channel: FailingChannel) -> str:
    return (
        f"{channel.channel} does not take messages: {counted(channel.failed, 'notification')} "
        f"failed for good. {channel.error} "
        f"Once the channel is repaired: sentinel channels retry {channel.channel}"
    )


def _observation(channel: str, at: datetime, breached: bool, message: str) -> Observation:
    return Observation(
        Kind.FAILURE, channel, at, breached, system_rule.IMPORTANCE, message, evaluated=False
    )
