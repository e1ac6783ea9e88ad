"""An email as it leaves."""

from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.message.content import Message
from sentinel_core.notify.channel.mime import compose, mailbox, message_id, recipients_of
from sentinel_core.notify.channel.outcome import Address

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TO = Address("email-server-credentials/office", "bob@example.org", dedup_key="rule/AAPL", key="7")
SENDER = mailbox("Sentinel <sentinel@example.org>")


def read(address: Address, message: Message) -> EmailMessage:
    """The email, written and read again as the recipient's program does."""
    mail = compose(SENDER, recipients_of(address.recipient), address, message, NOW)
    return BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(mail.as_bytes())


def test_an_email_shows_text_or_html_with_its_chart_inside() -> None:
    message = Message(
        subject="AAPL trades at 151.2",
        body="Grüße,\nAAPL",
        html='<p>Grüße</p><img src="cid:chart">',
        images={"chart": PNG},
    )
    mail = read(TO, message)
    assert mail["From"] == "Sentinel <sentinel@example.org>"
    assert mail["To"] == "bob@example.org"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    text, related = mail.iter_parts()
    assert text.get_content().splitlines() == ["Grüße,", "AAPL"]  # type: ignore[attr-defined]
    page, image = related.iter_parts()  # type: ignore[attr-defined]
    assert "<p>Grüße</p>" in page.get_content()
    assert (image.get_content_type(), image["Content-ID"]) == ("image/png", "<chart>")
    assert image.get_content() == PNG


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0 JFIF", "jpeg"),
        (b"GIF89a", "gif"),
        (b"of a kind unknown here", "png"),
    ],
)
def test_a_picture_is_inside_the_page_under_its_kind(data: bytes, kind: str) -> None:
    mail = read(TO, Message("s", "b", html="<p></p>", images={"my chart": data}))
    *_, image = mail.walk()
    assert image.get_content_type() == f"image/{kind}"
    assert image.get_content_disposition() == "inline"
    assert image.get_filename() == f"mychart.{kind}"
    assert image["Content-ID"] == "<mychart>"


def test_an_email_without_html_is_plain_text() -> None:
    assert read(TO, Message("s", "b")).get_content_type() == "text/plain"


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_nothing_an_event_says_becomes_a_header_or_breaks_an_email(
    subject: str, body: str, html: str, cid: str, thread: str
) -> None:
    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"}
    expected |= {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    address = Address(TO.channel, TO.recipient, thread=thread)
    mail = read(address, Message(subject, body, html=html, images={cid: PNG}))
    assert set(mail.keys()) <= expected
    assert mail["To"] == "bob@example.org"


@pytest.mark.parametrize(
    "subject",
    ["a\r\nBcc: eve@example.org", "a\nBcc: eve@example.org", "a\rBcc: e@x", "a\x0bBcc: x"],
)
def test_a_subject_with_a_line_end_adds_no_recipient(subject: str) -> None:
    mail = read(TO, Message(subject, "b"))
    assert mail["Bcc"] is None
    assert "Bcc:" in mail["Subject"]


def test_an_email_that_is_tried_again_can_be_recognised() -> None:
    first = message_id("example.org", TO)
    assert first == message_id("example.org", TO)
    for other in (replace(TO, key="8"), replace(TO, recipient="alice@example.org")):
        assert first != message_id("example.org", other)


def test_without_a_key_no_email_is_taken_for_another() -> None:
    nameless = replace(TO, key="")
    assert message_id("example.org", nameless) != message_id("example.org", nameless)


def test_emails_about_one_event_make_a_thread() -> None:
    first = str(read(TO, Message("opened", "b"))["Message-ID"])
    later = Address(TO.channel, TO.recipient, thread=first, key="8")
    mail = read(later, Message("resolved", "b"))
    assert mail["In-Reply-To"] == mail["References"] == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@x.org", ["a@x.org"]),
        ("a@x.org, b@x.org ,a@x.org,", ["a@x.org", "b@x.org"]),
        ("Alice <a@x.org>, Bob <b@x.org>", ["a@x.org", "b@x.org"]),
        ("a@bücher.example", ["a@xn--bcher-kva.example"]),
        ("root@localhost", ["root@localhost"]),
        ("", []),
    ],
)
def test_recipients_are_separated_by_commas(text: str, expected: list[str]) -> None:
    assert [address.addr_spec for address in recipients_of(text)] == expected


@pytest.mark.parametrize(
    "text", ["bob", "@x.org", "a@", "a b@x.org", "a@x.org\r\nDATA", "<a@x.org", "ü@x.org", "a@x@y"]
)
def test_what_is_no_address_is_told_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not an email address"):
        recipients_of(f"good@x.org, {text}")


@given(st.text())
def test_whatever_stands_where_an_address_should_be_is_an_address_or_an_error(text: str) -> None:
    try:
        found = recipients_of(text)
    except ValueError as error:
        assert "is not an email address" in str(error)
    else:
        assert all("\n" not in str(address) and "@" in str(address) for address in found)
