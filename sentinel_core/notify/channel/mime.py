"""Composes an email: text and HTML, images inside. Pure; email.py sends it.

The standard library's EmailMessage refuses line ends in headers; they are removed first, so
that a hostile rule name can't prevent a message.
"""

import contextlib
import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sentinel_core.message.content import Message
from sentinel_core.model.cleaning import clean_line, clean_text
from sentinel_core.notify.channel.outcome import Address

# Seven bits: not every server on the way accepts eight.
_POLICY = SMTP.clone(cte_type="7bit")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>", re.ASCII)
_NAMED = re.compile(r"([^<>]*)<([^<>]+)>")
_CID = re.compile(r"[^A-Za-z0-9.@_-]", re.ASCII)
_SUBJECT_LIMIT = 250
_IMAGES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


def recipients_of(text: str) -> list[MailAddress]:
    """The addresses of a comma-separated list, each once. Raises ValueError for an invalid one."""
    addresses = [mailbox(part) for part in text.split(",") if part.strip()]
    return list({address.addr_spec: address for address in addresses}.values())


def mailbox(text: str) -> MailAddress:
    """`alice@example.org` or `Alice <alice@example.org>`. Raises ValueError for anything else."""
    named = _NAMED.fullmatch(text.strip())
    name, spec = (named[1].strip(), named[2]) if named else ("", text.strip())
    user = domain = ""
    # IndexError: raised by the standard library for some truncated addresses.
    with contextlib.suppress(ValueError, IndexError, HeaderParseError):
        address = MailAddress(addr_spec=spec)
        domain = address.domain.encode("idna").decode()
        address.username.encode("ascii")  # others need an extension that few servers have
        user = address.username
    if not user or not domain:
        raise ValueError(f"{text[:100]!r} is not an email address")
    return MailAddress(one_line(name).strip('"'), user, domain)


def compose(
    sender: MailAddress,
    recipients: Sequence[MailAddress],
    address: Address,
    message: Message,
    now: datetime,
) -> EmailMessage:
    """The whole email. Its Message-ID stays the same when the same message is retried."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = tuple(recipients)
    mail["Subject"] = one_line(message.subject) or "(no subject)"
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = message_id(sender.domain, address)
    mail["Auto-Submitted"] = "auto-generated"  # so that no out-of-office reply is sent
    if address.thread and _MESSAGE_ID.fullmatch(address.thread):
        mail["In-Reply-To"] = address.thread
        mail["References"] = address.thread
    mail.set_content(clean_text(message.body) + "\n")
    if message.html is not None:
        mail.add_alternative(clean_text(message.html), subtype="html")
        *_, html = mail.iter_parts()
        assert isinstance(html, EmailMessage)
        for name, data in message.images.items():
            cid = _CID.sub("", name)
            subtype = next((kind for mark, kind in _IMAGES.items() if data.startswith(mark)), "png")
            html.add_related(
                data,
                maintype="image",
                subtype=subtype,
                cid=f"<{cid}>",
                disposition="inline",
                filename=f"{cid}.{subtype}",
            )
    return mail


def one_line(text: str) -> str:
    """Text from outside as one header line."""
    return clean_line(text)[:_SUBJECT_LIMIT]


def message_id(domain: str, address: Address) -> str:
    """The Message-ID: the same for the same key, and new each time without a key.

    Mail programs show two messages with the same id only once.
    """
    named = "\0".join((address.channel, address.recipient, address.key or uuid.uuid4().hex))
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{digest}@{domain}>"
