"""Sends one message through one Prefect notification block, in bounded time, and says how it went.

Never opens the event store: hooks.py and flows/ write down what this reports.
"""

import inspect
import math
import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from json import JSONDecodeError
from time import monotonic
from typing import Any, cast

from prefect.blocks.core import Block
from prefect.context import get_settings_context

from sentinel_core.alert import clean_text
from sentinel_core.message import slack_text
from sentinel_core.settings import Settings

MOST_ATTEMPTS = 30  # with the growing pauses between them, about a day

_SLACK = "slack-incoming-webhook"
# A webhook's URL is its password: of an address only the host is told.
_ADDRESS = re.compile(r"(\w+://)(?:[^\s/@'\"]*@)?([^\s/?#@'\"]+)(?:[/?#][^\s'\"]*)?")


class Outcome(StrEnum):
    """How a delivery went."""

    SENT = "sent"
    RETRY = "retry"  # may work later
    FAILED = "failed"  # will not work until somebody changes something


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome and, unless sent, the reason in a sentence."""

    outcome: Outcome
    error: str | None = None


def send(
    channel: str, event: dict[str, Any], settings: Settings, reason: str = "opened"
) -> Delivery:
    """Tell `channel` (a block slug) of an event. Never raises; takes at most the notify timeout."""
    run_id = event["prefect_flow_run_id"]
    subject, body = slack_text(
        event,
        run_url=settings.flow_run_url(run_id) if run_id else None,
        event_url=settings.event_url(event["id"]),
        reason=reason,
    )
    box: list[Delivery] = []
    deadline = monotonic() + settings.notify_timeout_seconds
    prefect_settings = get_settings_context().model_copy()

    def attempt() -> None:
        with prefect_settings:  # the caller's; a new thread starts without them
            box.append(_attempt(channel, subject, body, deadline))

    # A thread of its own: a block's own timeout may be thirty seconds, and some have none. Nor
    # does it run inside the caller's flow or event loop, where blocks answer with coroutines.
    worker = threading.Thread(target=attempt, daemon=True)
    worker.start()
    worker.join(settings.notify_timeout_seconds)
    if box:
        return box[0]
    return Delivery(
        Outcome.RETRY,
        f"no answer from {channel} within {settings.notify_timeout_seconds:g} s; "
        "whether it arrived is unknown",
    )


def _attempt(channel: str, subject: str, body: str, deadline: float) -> Delivery:
    try:
        block = cast("Any", Block.load)(channel, _sync=True)
    except Exception as error:
        # Prefect says ValueError for: no such block. JSON that is none is a proxy's answer.
        missing = isinstance(error, ValueError) and not isinstance(error, JSONDecodeError)
        outcome = Outcome.FAILED if missing else Outcome.RETRY
        return Delivery(outcome, f"block {channel!r} can't be loaded: {_plain(error)}")
    if not callable(getattr(block, "notify", None)):
        return Delivery(Outcome.FAILED, f"block {channel!r} is not a notification block")
    left = deadline - monotonic()
    if left <= 0:  # the caller has given up and will try again: sending now would be once too many
        return Delivery(Outcome.RETRY, f"block {channel!r} took too long to load; nothing was sent")
    try:
        if block.get_block_type_slug() == _SLACK:
            _post_to_slack(block, subject, body, left)
        else:
            _notify(block, subject, body)
    except Exception as error:
        return Delivery(Outcome.RETRY, _plain(error))
    return Delivery(Outcome.SENT)


def _post_to_slack(block: Any, subject: str, body: str, timeout: float) -> None:
    """The block's own client: its `notify` leaves the status out of the error and waits 30 s."""
    client = block.get_client(sync_client=True)
    client.timeout = math.ceil(timeout)
    client.retry_handlers = []  # by itself it posts again when the answer, not the message, is lost
    response = client.send(text=f"{subject}\n{body}")
    if response.status_code != HTTPStatus.OK:
        raise ConnectionError(f"Slack answered {response.status_code}: {response.body[:200]}")


def _notify(block: Any, subject: str, body: str) -> None:
    """Blocks that swallow failures are told to raise: unaccepted is never recorded as sent."""
    raising = getattr(block, "raise_on_failure", None)
    if callable(raising):
        with raising():
            _call(block, subject, body)
    else:
        _call(block, subject, body)


def _call(block: Any, subject: str, body: str) -> None:
    result = block.notify(body, subject)
    if inspect.isawaitable(result):
        import asyncio

        async def _wait() -> None:
            await result

        asyncio.run(_wait())


def _plain(error: BaseException) -> str:
    text = getattr(error, "log", None) or str(error) or "no reason given"
    return _ADDRESS.sub(r"\1\2/…", clean_text(f"{type(error).__name__}: {text}"))[:1_000]
