"""Prefect's custom webhook: the block's templates, sent with a status, a timeout, Retry-After."""

from typing import Any

from prefect.utilities.urls import SSRFProtectedHTTPTransport, validate_restricted_url

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.notify.channel.attempt import Attempt
from sentinel_core.notify.channel.http import request
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, failed


def send_to_webhook(
    block: Any, _address: Address, message: Message, _settings: Settings, attempt: Attempt
) -> Delivery:
    """Make the block's request here: the block reports no status and has its own timeout."""
    arguments = block._build_request_args(_inert(message.body), _inert(message.subject))
    method, url = arguments.pop("method"), arguments.pop("url")
    timeout = arguments.pop("timeout", None)
    client: dict[str, Any] = {
        "headers": {"User-Agent": "Prefect Notifications"},
        "cookies": arguments.pop("cookies", None),
    }
    if not block.allow_private_urls:
        try:
            validate_restricted_url(url)
        except ValueError as error:
            return failed(str(error))
        client["transport"] = SSRFProtectedHTTPTransport()
    answer = request(attempt, method, url, timeout=timeout, client=client, **arguments)
    if answer.ok:
        return Delivery(Outcome.SENT)
    return answer.refused("the webhook")


def _inert(text: str) -> str:
    """Text without placeholders, which the block would fill with its secrets."""
    return text.replace("{{", "{\N{WORD JOINER}{")
