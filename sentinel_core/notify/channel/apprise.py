"""Prefect's blocks that send through Apprise, and any other block that can `notify`."""

import asyncio
import html
import inspect
import re
from contextlib import nullcontext
from typing import Any

from prefect.blocks.abstract import NotificationError

from sentinel_core.message.content import Message
from sentinel_core.notify.channel.attempt import Attempt
from sentinel_core.notify.channel.classify import by_apprise_log
from sentinel_core.notify.channel.outcome import Delivery, Outcome, failed

_TAKES_HTML = "sendgrid-email"
_PICTURE = re.compile(r"<img\b[^>]*\bcid:[^>]*>", re.IGNORECASE)


def send_by_notify(block: Any, message: Message, attempt: Attempt) -> Delivery:
    """Call the block's own `notify`, set to raise where it would hide a failure.

    It has its own timeouts (Apprise: four seconds to connect, four for the answer).
    """
    client = getattr(block, "_apprise_client", None)
    if client is not None and not len(client):
        # Apprise would send nothing and fail without a reason.
        return failed("the block's URL belongs to no service that Apprise knows; correct it")
    _ = attempt.left
    attempt.begin()
    try:
        _notify(block, message)
    except NotificationError as error:
        return by_apprise_log(error.log)
    return Delivery(Outcome.SENT)


def _notify(block: Any, message: Message) -> None:
    body = message.body
    if block.get_block_type_slug() == _TAKES_HTML:  # it would read plain text as markup
        # Apprise can't attach the pictures it shows.
        shown = _PICTURE.sub("", message.html or "")
        body = shown or html.escape(body).replace("\n", "<br>\n")
    with getattr(block, "raise_on_failure", nullcontext)():
        result = block.notify(body, message.subject)
        if inspect.isawaitable(result):

            async def wait() -> None:
                await result

            asyncio.run(wait())
