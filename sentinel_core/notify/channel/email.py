"""Email through prefect-email's `EmailServerCredentials`."""

import smtplib
import ssl
from contextlib import closing
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.notify.channel.attempt import Attempt
from sentinel_core.notify.channel.classify import by_smtp, by_smtp_recipients, refusals
from sentinel_core.notify.channel.mime import compose, mailbox, recipients_of
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, failed

_OK, _WILL_FORWARD, _CLOSING = 250, 251, 421
_STAGES = {
    smtplib.SMTPAuthenticationError: "user name and password",
    smtplib.SMTPSenderRefused: "sender",
    smtplib.SMTPDataError: "message",
}


def send_by_email(
    block: Any, address: Address, message: Message, settings: Settings, attempt: Attempt
) -> Delivery:
    """Send to `address.recipient`, one address or several separated by commas.

    If only some recipients are refused, the message counts as sent and `error` names them: the
    others have it and must not get it again.
    """
    try:
        sender = mailbox(settings.email_from or block.username or "")
    except ValueError as error:
        return failed(f"{address.channel} has no valid sender ({error}): set SENTINEL_EMAIL_FROM")
    try:
        recipients = recipients_of(address.recipient)
    except ValueError as error:
        return failed(f"{address.channel} has an invalid recipient in the route's `to`: {error}")
    if not recipients:
        return failed(f"{address.channel} has no recipient: give the route a `to`")
    mail = compose(sender, recipients, address, message, datetime.now(UTC))
    try:
        with closing(_connect(block, attempt)) as server:
            attempt.at_the_end(server.close)
            refused = _submit(server, mail, attempt)
    except smtplib.SMTPException as error:
        if (delivery := _refusal(error)) is None:
            raise
        return delivery
    error_text = f"refused: {refusals(_texts(refused))}" if refused else None
    return Delivery(Outcome.SENT, error_text, reference=str(mail["Message-ID"]))


def _refusal(error: smtplib.SMTPException) -> Delivery | None:
    """The outcome of a mail server's refusal; None if it did not answer."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return by_smtp_recipients(_texts(error.recipients))
        case smtplib.SMTPNotSupportedError():
            return failed(f"the mail server does not support a setting of the block: {error}")
        case smtplib.SMTPResponseException():
            stage = _STAGES.get(type(error), "connection")
            return by_smtp(stage, error.smtp_code, _text(error.smtp_error))
    return None


def _connect(block: Any, attempt: Attempt) -> smtplib.SMTP:
    """An open connection. The block's own `get_server` may wait forever and leak connections."""
    host = getattr(block.smtp_server, "value", block.smtp_server)
    kind = block.smtp_type
    port = block.smtp_port or kind.value
    server: smtplib.SMTP
    if kind.name == "SSL":
        server = smtplib.SMTP_SSL(host, port, timeout=attempt.left, context=_context(block))
    else:
        server = smtplib.SMTP(host, port, timeout=attempt.left)
    try:
        if kind.name == "STARTTLS":
            server.starttls(context=_context(block))
        if block.username is not None and block.password.get_secret_value():
            server.login(block.username, block.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _context(block: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not block.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _submit(
    server: smtplib.SMTP, mail: EmailMessage, attempt: Attempt
) -> dict[str, tuple[int, bytes]]:
    """Send one message to all; returns the refused recipients. The last command sends it."""
    data, sender = mail.as_bytes(), mail["From"].addresses[0].addr_spec
    recipients = [address.addr_spec for address in mail["To"].addresses]
    server.ehlo_or_helo_if_needed()
    options = [f"size={len(data)}"] if server.has_extn("size") else []
    code, text = server.mail(sender, options)
    if code != _OK:
        raise smtplib.SMTPSenderRefused(code, text, sender)
    refused: dict[str, tuple[int, bytes]] = {}
    for recipient in recipients:
        code, text = server.rcpt(recipient)
        if code == _CLOSING:
            raise smtplib.SMTPConnectError(code, text)
        if code not in (_OK, _WILL_FORWARD):
            refused[recipient] = (code, text)
    if len(refused) == len(recipients):
        raise smtplib.SMTPRecipientsRefused(refused)
    if server.sock is not None:
        server.sock.settimeout(attempt.left)
    attempt.begin()
    code, text = server.data(data)
    if code != _OK:
        raise smtplib.SMTPDataError(code, text)
    return refused


def _texts(refused: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, str]]:
    return {who: (code, _text(text)) for who, (code, text) in refused.items()}


def _text(answer: bytes | str) -> str:
    return answer if isinstance(answer, str) else answer.decode("utf-8", "replace")
