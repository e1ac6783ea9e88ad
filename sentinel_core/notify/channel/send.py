"""Sends one message through one Prefect block in bounded time; returns the outcome.

Never opens the event store: the caller records the outcome.
"""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from prefect.blocks.core import Block
from prefect.context import get_settings_context
from pydantic import ValidationError

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.model.alert import describe
from sentinel_core.notify.channel import apprise, email, pagerduty, slack, webhook
from sentinel_core.notify.channel.attempt import Attempt, TooLateError
from sentinel_core.notify.channel.classify import by_exception, is_permanent_load_error
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, failed
from sentinel_core.notify.channel.quiet import quiet
from sentinel_core.notify.channel.redact import redact, secrets_of


def send(address: Address, message: Message, settings: Settings) -> Delivery:
    """Send `message` to `address`. Never raises; takes at most the notify timeout."""
    seconds = settings.notify_timeout_seconds
    attempt = Attempt(seconds)
    box: list[Delivery] = []
    prefect_settings = get_settings_context().model_copy()

    def work() -> None:
        with prefect_settings:  # the caller's; a new thread starts without them
            box.append(_attempt(address, message, settings, attempt))

    # A thread of its own: a block's own timeout may be thirty seconds, and some have none. Inside
    # the caller's flow or event loop, blocks would return coroutines.
    worker = threading.Thread(target=work, name=f"notify {address.channel}", daemon=True)
    worker.start()
    worker.join(seconds)
    begun = attempt.give_up()
    if box:
        return box[0]
    return Delivery(
        Outcome.RETRY,
        f"no answer from {redact(address.channel)} within {seconds:g} s; "
        + ("whether it arrived is unknown" if begun else "nothing was sent"),
        unknown=begun,
    )


def _attempt(address: Address, message: Message, settings: Settings, attempt: Attempt) -> Delivery:
    """Load the block and send; errors are reported without its secrets."""
    loaded = load(address.channel)
    if isinstance(loaded, Delivery):
        return loaded
    secrets = secrets_of(loaded)
    try:
        if own := _OWN.get(loaded.get_block_type_slug()):
            delivery = own(loaded, address, message, settings, attempt)
        elif callable(getattr(loaded, "notify", None)):
            delivery = apprise.send_by_notify(loaded, message, attempt)
        else:
            text = f"block {address.channel!r} is not a notification block"
            delivery = failed(text)
    except TooLateError:
        return Delivery(
            Outcome.RETRY, f"the time ran out before {address.channel} was called; nothing was sent"
        )
    except Exception as error:
        delivery = by_exception(error, begun=attempt.begun, now=datetime.now(UTC))
    if delivery.error is None:
        return delivery
    return replace(delivery, error=redact(delivery.error, secrets))


def load(channel: str) -> Block | Delivery:
    """The block of a channel, or the outcome that says why it can't be loaded."""
    try:
        with quiet("apprise"):  # it logs invalid tokens
            return cast("Block", cast("Any", Block.load)(channel, _sync=True))
    except Exception as error:
        outcome = Outcome.FAILED if is_permanent_load_error(error) else Outcome.RETRY
        return Delivery(
            outcome, redact(f"block {channel!r} can't be loaded: {_why_not_loaded(error)}")
        )


def _why_not_loaded(error: Exception) -> str:
    """The error in words: Prefect's own text only, as a block's error may quote a secret."""
    for link in (error, error.__cause__):
        if isinstance(link, ValidationError):
            return describe(link)
    words = str(error)
    if isinstance(error, ValueError | TypeError | KeyError) and "block" not in words.lower():
        return f"its saved values raise {type(error).__name__}; save the block again"
    return f"{type(error).__name__}: {words or 'no reason given'}"


# Block types whose `notify` says too little about the outcome. All others use `notify`.
_OWN = {
    "slack-incoming-webhook": slack.send_to_webhook,
    "slack-webhook": slack.send_to_built_in,
    "slack-credentials": slack.send_as_bot,
    "pager-duty-webhook": pagerduty.send_to_pagerduty,
    "custom-webhook": webhook.send_to_webhook,
    "email-server-credentials": email.send_by_email,
}
