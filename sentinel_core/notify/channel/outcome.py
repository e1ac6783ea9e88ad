"""The outcome of a delivery. Pure data."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a delivery."""

    SENT = "sent"
    RETRY = "retry"  # a later attempt may succeed
    FAILED = "failed"  # no attempt will succeed until something is changed


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome and, unless sent, the reason in a sentence.

    A sent message has an `error` only if some of its recipients were refused.
    `reference` is the provider's id of the message, for its thread. `retry_after_seconds` is
    how long the provider asks us to wait. `unknown`: the message may have arrived.
    """

    outcome: Outcome
    error: str | None = None
    reference: str | None = None
    retry_after_seconds: float | None = None
    unknown: bool = False


def failed(error: str) -> Delivery:
    """A failure that lasts until something is changed."""
    return Delivery(Outcome.FAILED, error)


class Signal(StrEnum):
    """The effect of a message on an incident; channels without incidents show it in words."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a message: a block's slug, and recipients (email addresses, a Slack channel).

    `thread` is the reference of the first message about the event, `dedup_key` identifies the
    incident, `signal` says what to do with it and with `other_incidents`. `key` identifies this
    message and stays the same when it is retried, so that an email that arrives twice can be
    recognised.
    """

    channel: str
    recipient: str = ""
    thread: str | None = None
    dedup_key: str = ""
    other_incidents: tuple[str, ...] = ()
    signal: Signal = Signal.TRIGGER
    key: str = ""
