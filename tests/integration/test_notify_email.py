"""Email through a real mail server, with and without TLS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sentinel_core.base.settings import Settings
from sentinel_core.message.content import Message
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome
from sentinel_core.notify.channel.send import send
from tests.support.certificates import Certificates, certificates
from tests.support.channels import (
    IMPATIENT,
    SETTINGS,
    as_provider,
    email_server_credentials,
    rendered,
)
from tests.support.endpoint import Endpoint
from tests.support.processes import free_port
from tests.support.smtp import MailServer, mail_server

pytestmark = pytest.mark.usefixtures("sends")
PASSWORD = "hunter2-in-clear"


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def write(
    channel: str, to: str = "alice@example.org", settings: Settings = SETTINGS, **fields: Any
) -> Delivery:
    message = Message("HIGH · AAPL", "Grüße", html="<p>Grüße</p>")
    return send(Address(channel, to, key="7", **fields), message, settings)


def test_an_email_arrives_with_a_name_of_its_own(mail: MailServer) -> None:
    channel = email_server_credentials(mail.port)
    delivery = write(channel, "alice@example.org, bob@example.org")
    assert (delivery.outcome, delivery.error) == (Outcome.SENT, None)
    [taken] = mail.taken
    assert taken.recipients == ("alice@example.org", "bob@example.org")
    assert taken.message["Subject"] == "HIGH · AAPL"
    assert taken.message["From"] == "sentinel@example.org"
    assert taken.message["Message-ID"] == delivery.reference
    assert write(channel, thread=delivery.reference).outcome is Outcome.SENT
    assert mail.taken[1].message["In-Reply-To"] == delivery.reference


@pytest.mark.parametrize("stage", ["MAIL", "alice@example.org", "DATA"])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("451 4.7.1 come again", Outcome.RETRY),
        ("421 4.3.2 shutting down", Outcome.RETRY),
        ("550 5.1.1 never", Outcome.FAILED),
        ("554 5.7.1 spam", Outcome.FAILED),
    ],
)
def test_a_mail_servers_refusal_is_for_now_or_for_good(
    mail: MailServer, stage: str, answer: str, outcome: Outcome
) -> None:
    mail.refuse[stage] = answer
    delivery = write(email_server_credentials(mail.port))
    assert (delivery.outcome, delivery.unknown) == (outcome, False)
    assert answer[:3] in str(delivery.error)
    assert mail.taken == []


@pytest.mark.parametrize("answer", ["550 5.1.1 no such user", "452 4.2.2 mailbox full"])
def test_a_recipient_who_is_refused_is_named_and_the_other_is_not_written_to_again(
    mail: MailServer, answer: str
) -> None:
    mail.refuse["bob@example.org"] = answer
    delivery = write(email_server_credentials(mail.port), "alice@example.org, bob@example.org")
    assert delivery.outcome is Outcome.SENT
    assert delivery.error == f"refused: bob@example.org: {answer[:3]} {answer[4:]}"
    assert mail.taken[0].recipients == ("alice@example.org",)


@pytest.mark.parametrize("ending", ["hang", "drop"])
def test_whether_an_email_without_a_receipt_arrived_is_unknown(
    mail: MailServer, ending: str
) -> None:
    mail.ending = ending
    channel = email_server_credentials(mail.port)
    delivery = write(channel, settings=IMPATIENT)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, True)
    mail.ending = "accept"
    assert write(channel).outcome is Outcome.SENT
    first, second = mail.taken  # it had arrived: the reader's program can tell
    assert first.message["Message-ID"] == second.message["Message-ID"]


def test_a_mail_server_that_is_away_has_taken_nothing() -> None:
    delivery = write(email_server_credentials(free_port()))
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)
    assert "refused" in str(delivery.error)


def test_a_mail_server_that_greets_nobody_has_taken_nothing(endpoint: Endpoint) -> None:
    # An HTTP server waits to be spoken to, as a mail server that hangs does.
    delivery = write(email_server_credentials(endpoint.port), settings=IMPATIENT)
    assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)


@pytest.mark.parametrize(
    ("to", "fields", "words"),
    [
        ("", {}, "give the route a `to`"),
        ("alice", {}, "'alice' is not an email address"),
        ("alice@example.org", {"username": None}, "SENTINEL_EMAIL_FROM"),
        ("alice@example.org", {"username": "apikey"}, "SENTINEL_EMAIL_FROM"),
    ],
)
def test_who_is_missing_is_told_in_words(
    mail: MailServer, to: str, fields: dict[str, Any], words: str
) -> None:
    delivery = write(email_server_credentials(mail.port, **fields), to)
    assert delivery.outcome is Outcome.FAILED
    assert words in str(delivery.error)
    assert mail.taken == []


def test_emails_come_from_whom_the_setting_names(mail: MailServer) -> None:
    settings = SETTINGS.model_copy(update={"email_from": "Alerts <alerts@example.org>"})
    channel = email_server_credentials(mail.port, username=None)
    assert write(channel, settings=settings).outcome is Outcome.SENT
    assert mail.taken[0].message["From"] == "Alerts <alerts@example.org>"


def test_a_rendered_email_shows_its_chart(mail: MailServer) -> None:
    channel = email_server_credentials(mail.port)
    message = rendered(channel)
    assert send(Address(channel, "alice@example.org"), message, SETTINGS).outcome is Outcome.SENT
    parts = list(mail.taken[0].message.walk())
    kinds = [part.get_content_type() for part in parts]
    assert {"text/plain", "text/html", "image/png"} <= set(kinds)
    assert parts[kinds.index("image/png")].get_content() == message.images["chart"]
    assert parts[kinds.index("image/png")]["Content-ID"] == "<chart>"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """Certificates which this process trusts for as long as the test runs."""
    made = certificates(tmp_path, ())
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    return made


def test_a_password_is_told_to_nobody_but_an_encrypted_server(trusted: Certificates) -> None:
    with mail_server(trusted.context, password=PASSWORD) as mail:
        channel = email_server_credentials(
            mail.port, smtp_type="STARTTLS", password=SecretStr(PASSWORD)
        )
        assert write(channel).outcome is Outcome.SENT
        assert (mail.taken[0].encrypted, mail.logins) == (True, 1)
        mail.password = "another"
        delivery = write(channel)
        assert delivery.outcome is Outcome.FAILED
        assert "user name and password" in str(delivery.error)
        assert PASSWORD not in str(delivery.error)


def test_a_mail_server_with_a_strangers_certificate_gets_no_password(tmp_path: Path) -> None:
    stranger = certificates(tmp_path, ())
    with mail_server(stranger.context, password=PASSWORD) as mail:
        fields = {"smtp_type": "STARTTLS", "password": SecretStr(PASSWORD)}
        delivery = write(email_server_credentials(mail.port, **fields))
        assert (delivery.outcome, delivery.unknown) == (Outcome.RETRY, False)
        assert "certificate verify failed" in str(delivery.error)
        assert mail.logins == 0
        # Unless its owner says that it may.
        assert write(email_server_credentials(mail.port, verify=False, **fields)).error is None


@pytest.fixture
def endpoint(endpoint: Endpoint) -> Endpoint:
    endpoint.reply = as_provider
    return endpoint
