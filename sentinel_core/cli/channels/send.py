"""`sentinel channels test` and `retry`: what is really sent."""

import logging
import time
from datetime import UTC, datetime

from sentinel_core.base.errors import ChannelError, UsageError
from sentinel_core.cli.parse import author, event_store, moment_back, moment_now, said
from sentinel_core.cli.store import settings
from sentinel_core.message import About, Content, Links, Medium, render
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.routing import Route
from sentinel_core.model.times import utc
from sentinel_core.notify.channel import Address, Delivery, Outcome, Signal, medium_of, send
from sentinel_core.prefect_io.client import (
    channels,
    needs_recipient,
    prefect_api,
    read_channel,
    wrong_channel,
)
from sentinel_core.rulefile.phrases import did_you_mean


def test(channel: str, to: str | None) -> int:
    """Send a test message; 0 when it was accepted. Raises ChannelError when it was not."""
    recipient = _recipient(_slug(channel), to)
    _usable(channel)
    address = Address(channel, recipient, dedup_key=f"sentinel/test/{channel}")
    where = f"{channel} to {recipient}" if recipient else channel
    seconds = _accepted(address, where)
    print(f"{where} accepted the test message in {seconds:.2f} s; check that it arrived")
    if medium_of(channel) is Medium.PAGERDUTY:
        _accepted(Address(channel, dedup_key=address.dedup_key, signal=Signal.RESOLVE), where)
        print("the incident it opened is resolved")
    return 0


def _accepted(address: Address, where: str) -> float:
    """Send; how long it took. Raises ChannelError when it was not accepted."""
    now = datetime.now(UTC)
    facts = {"channel": address.channel, "sent by": author(None), "at": utc(now)}
    own = settings()
    message = render(
        medium_of(address.channel),
        Content(About.TEST, facts=facts),
        Links(own.viewer_url, own.prefect_ui_url),
    )
    # Prefect counts what blocks do, and at the end of a short command says that it still does.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)
    began = time.monotonic()
    delivery = send(address, message, own)
    if delivery.outcome is not Outcome.SENT:
        raise ChannelError(f"{where} did not accept the test message: {_why(delivery)}")
    if delivery.error:
        print(f"not everybody got it: {clean_text(delivery.error)}")
    return time.monotonic() - began


def _why(delivery: Delivery) -> str:
    reason = clean_text(delivery.error or "no reason given").rstrip(".")
    if delivery.outcome is Outcome.FAILED:
        return f"{reason}. It will not work until something is changed"
    wait = delivery.retry_after_seconds
    later = f"it asks to wait {wait:g} s" if wait else "it may work later"
    arrived = "; whether the message arrived is unknown" if delivery.unknown else ""
    return f"{reason}. An event's message would be tried again: {later}{arrived}"


def retry(channel: str, since: str) -> int:
    """Owe again what a channel failed to take, and send it; 0 when nothing is left failed."""
    from sentinel_core.notify.deliver import deliver
    from sentinel_core.store.outbox import channels as record
    from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT
    from sentinel_core.store.outbox.settle import retry_failed

    now = moment_now()
    begin = moment_back(since, "--since", now)
    _slug(channel)
    _usable(channel)
    with event_store() as engine:
        ids = record.failed_since(engine, channel, begin)
        if not ids:
            print(f"{channel} has failed to take nothing since {utc(begin)}")
            return 0
        retry_failed(engine, channel, begin, now)
        deliver(engine, settings(), ids)
        left = record.standing(engine, ids)
        error = record.states(engine)[channel].last_error
    sent, waiting, failed = (left.get(status, 0) for status in (SENT, PENDING, FAILED))
    other = len(ids) - sent - waiting - failed
    print(
        f"{channel}: {len(ids)} owed again, {sent} sent, {waiting} still owed, "
        f"{failed} failed again" + (f", {other} no longer needed" if other else "")
    )
    if waiting or failed:
        print(f"the newest of them: {clean_text(error or 'not tried yet')}")
    if waiting:
        print("what is still owed is tried again by the flow `deliver`")
    return 1 if failed or (waiting and not sent) else 0


# -- what was typed --------------------------------------------------------------------------


def _slug(channel: str) -> str:
    """A channel as typed. Raises UsageError for what can't be one."""
    try:
        Route(channel=channel, to=("x",))
    except ValueError:
        raise UsageError(
            f"{said(channel)} is no channel: write type/name, like "
            "slack-incoming-webhook/alerts-critical; `sentinel channels list` shows them"
        ) from None
    return channel


def _recipient(channel: str, to: str | None) -> str:
    """Whom to tell there. Raises UsageError."""
    if not needs_recipient(channel):
        if to is not None:
            raise UsageError(f"--to means nothing to {channel}: the block says where it sends to")
        return ""
    try:
        return Route.model_validate({"channel": channel, "to": to or ()}).recipient
    except ValueError:
        example = "#alerts" if medium_of(channel) is Medium.SLACK else "ops@example.org"
        raise UsageError(
            f"say whom {channel} is to tell: --to {example}" + (f" (not {said(to)})" if to else "")
        ) from None


def _usable(channel: str) -> None:
    """Raises ChannelError for a block that is not there, and when Prefect is not."""
    with prefect_api() as client:
        block = read_channel(client, channel)
        if block is None:
            raise ChannelError(
                f"Prefect has no block {channel}{did_you_mean(channel, list(channels(client)))} "
                "(`sentinel channels list` shows them, `sentinel channels setup` makes some)"
            )
        if (wrong := wrong_channel(channel, block)) is not None:
            raise ChannelError(wrong)
