"""`sentinel channels test` and `retry`: the commands that send."""

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.base.errors import ChannelError, UsageError
from sentinel_core.cli.options import Channel, Json
from sentinel_core.cli.output import print_changes
from sentinel_core.cli.parse import author, quoted, time_ago, utc_now
from sentinel_core.cli.store import settings, writable_store
from sentinel_core.message.content import About, Content, Links, Medium
from sentinel_core.message.render import render
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.routing import Route
from sentinel_core.model.times import utc
from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, Signal
from sentinel_core.notify.channel.send import send
from sentinel_core.prefect_io.client import (
    channels,
    needs_recipient,
    prefect_api,
    read_channel,
    wrong_channel,
)
from sentinel_core.rulefile.phrases import did_you_mean


def test(
    channel: Channel,
    *,
    to: Annotated[
        str | None,
        Parameter(
            help="Email addresses with commas between, or a Slack channel; for blocks that hold "
            "only credentials."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a test message to a channel and print the result. Nothing is recorded.

    Exits with 1 when the channel did not accept it. In PagerDuty an incident of the lowest urgency
    is opened and resolved at once.

    `sentinel channels test slack-incoming-webhook/alerts-critical`

    `sentinel channels test email-server-credentials/alerts --to ops@example.org`
    """
    recipient = _recipient(_slug(channel), to)
    _usable(channel)
    address = Address(channel, recipient, dedup_key=f"sentinel/test/{channel}")
    where = f"{channel} to {recipient}" if recipient else channel
    seconds = _accepted(address, where)
    sentence = f"accepted the test message in {seconds:.2f} s; check that it arrived"
    if not as_json:
        print(f"{where} {sentence}")
    if medium_of(channel) is Medium.PAGERDUTY:
        _accepted(Address(channel, dedup_key=address.dedup_key, signal=Signal.RESOLVE), where)
        sentence += "; the incident it opened is resolved"
        if not as_json:
            print("the incident it opened is resolved")
    if as_json:
        sent = {"name": channel, "to": recipient, "sentence": sentence, "seconds": seconds}
        print_changes([sent])


def _accepted(address: Address, where: str) -> float:
    """Send; the seconds it took. Raises ChannelError when it was not accepted."""
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
        print(f"note: not every recipient got it: {clean_text(delivery.error)}", file=sys.stderr)
    return time.monotonic() - began


def _why(delivery: Delivery) -> str:
    reason = clean_text(delivery.error or "no reason given").rstrip(".")
    if delivery.outcome is Outcome.FAILED:
        return f"{reason}. It will fail until something is changed"
    wait = delivery.retry_after_seconds
    later = f"retry after {wait:g} s" if wait else "it may work later"
    arrived = "; it is unknown whether the message arrived" if delivery.unknown else ""
    return f"{reason}. A notification would be retried: {later}{arrived}"


def retry(
    channel: Channel,
    *,
    since: Annotated[
        str,
        Parameter(help="What failed since then: 24h, 7d, or a time like 2026-11-20T18:00 (UTC)."),
    ] = "7d",
    as_json: Json = False,
) -> int:
    """Send a channel's failed notifications again, once it is repaired.

    Sends as many as there is time for; the flow `deliver` sends the rest. Exits with 1 when the
    channel still does not accept them.

    `sentinel channels retry slack-incoming-webhook/alerts-critical --since 24h`
    """
    from sentinel_core.notify.deliver import deliver
    from sentinel_core.store.outbox import channels as record
    from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT
    from sentinel_core.store.outbox.settle import retry_failed

    now = utc_now()
    begin = time_ago(since, "--since", now)
    _slug(channel)
    _usable(channel)
    with writable_store() as engine:
        ids = record.failed_since(engine, channel, begin)
        if not ids:
            nothing = f"has no failed notifications since {utc(begin)}"
            if as_json:
                print_changes([], [{"name": channel, "code": "nothing", "sentence": nothing}])
            else:
                print(f"{channel} {nothing}")
            return 0
        retry_failed(engine, channel, begin, now)
        deliver(engine, settings(), ids)
        left = record.standing(engine, ids)
        error = record.states(engine)[channel].last_error
    sent, waiting, failed = (left.get(status, 0) for status in (SENT, PENDING, FAILED))
    other = len(ids) - sent - waiting - failed
    sentence = f"{len(ids)} retried, {sent} sent, {waiting} pending, {failed} failed again" + (
        f", {other} no longer needed" if other else ""
    )
    code = 1 if failed or (waiting and not sent) else 0
    if as_json:
        counts = {"retried": len(ids), "sent": sent, "pending": waiting, "failed": failed}
        last = clean_text(error or "") if waiting or failed else None
        retried = {"name": channel, "sentence": sentence, **counts, "last_error": last}
        print_changes([retried], ok=code == 0)
        return code
    print(f"{channel}: {sentence}")
    if waiting or failed:
        print(f"the newest error: {clean_text(error or 'not tried yet')}")
    if waiting:
        print("the flow `deliver` goes on with the pending ones")
    return code


def _slug(channel: str) -> str:
    """A channel as typed. Raises UsageError for an invalid one."""
    try:
        Route(channel=channel, to=("x",))
    except ValueError:
        raise UsageError(
            f"{quoted(channel)} is not a channel: write type/name, like "
            "slack-incoming-webhook/alerts-critical; `sentinel channels list` shows them"
        ) from None
    return channel


def _recipient(channel: str, to: str | None) -> str:
    """The recipient, where the channel needs one. Raises UsageError."""
    if not needs_recipient(channel):
        if to is not None:
            raise UsageError(f"--to does not apply to {channel}: the block has its own recipient")
        return ""
    try:
        return Route.model_validate({"channel": channel, "to": to or ()}).recipient
    except ValueError:
        example = "#alerts" if medium_of(channel) is Medium.SLACK else "ops@example.org"
        typed = f" (not {quoted(to)})" if to else ""
        raise UsageError(f"{channel} needs a recipient: --to {example}{typed}") from None


def _usable(channel: str) -> None:
    """Raises ChannelError for a block that is missing or can't notify."""
    with prefect_api() as client:
        block = read_channel(client, channel)
        if block is None:
            raise ChannelError(
                f"Prefect has no block {channel}{did_you_mean(channel, list(channels(client)))} "
                "(`sentinel channels list` shows them, `sentinel channels setup` makes some)"
            )
        if (wrong := wrong_channel(channel, block)) is not None:
            raise ChannelError(wrong)
