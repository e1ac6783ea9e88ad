"""A real mail server: takes mail, or refuses it in the ways mail servers do."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.processes import free_port

HANG_SECONDS = 86_400.0  # as long as the test: whoever waits for it never gets on


@dataclass(frozen=True)
class Mail:
    """One mail as it was taken: who it is for, and its text."""

    recipients: tuple[str, ...]
    raw: bytes
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """The mail, read as a mail program reads it."""
        return BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(self.raw)


@dataclass
class MailServer:
    """The running server.

    `refuse` maps a stage ("MAIL", "DATA") or a recipient to the server's answer. `ending` is what
    it does with a mail that has come in: "accept", "hang", or "drop": the mail is taken and the
    connection is closed without a word.
    """

    port: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    ending: str = "accept"
    taken: list[Mail] = field(default_factory=list)
    password: str | None = None
    logins: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender."""
        if answer := self.refuse.get("MAIL"):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """One recipient."""
        if answer := self.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The mail itself."""
        if answer := self.refuse.get("DATA"):
            return answer
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        self.taken.append(Mail(tuple(envelope.rcpt_tos), raw, session.ssl is not None))
        if self.ending == "hang":
            await asyncio.sleep(HANG_SECONDS)
        if self.ending == "drop":
            assert server.transport is not None
            server.transport.abort()
        return "250 taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Is this the password?"""
        self.logins += 1
        good = isinstance(data, LoginPassword) and data.password == (self.password or "").encode()
        return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, password: str | None = None, port: int | None = None
) -> Iterator[MailServer]:
    """A fresh server on a loopback port of its own, or on this one.

    With TLS it insists on STARTTLS.
    """
    mailbox = MailServer(password=password)
    options: dict[str, Any] = {}
    if password is not None:
        options = {"authenticator": mailbox.authenticate, "auth_require_tls": tls is not None}
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port or free_port(),
        tls_context=tls,
        require_starttls=tls is not None,
        **options,
    )
    controller.start()
    try:
        mailbox.port = controller.port
        yield mailbox
    finally:
        controller.stop()
