"""No secret is ever told."""

import base64
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.blocks.notifications import CustomWebhookNotificationBlock, PagerDutyWebHook
from prefect.types import SecretDict
from prefect_email import EmailServerCredentials
from prefect_slack.credentials import SlackCredentials
from prefect_slack.credentials import SlackWebhook as SlackIncomingWebhook
from pydantic import BaseModel, SecretBytes, SecretStr

from sentinel_core.notify.channel.redact import LIMIT, redact, secrets_of, without_secrets
from sentinel_core.wording.text import without_userinfo

TOKENS = st.text(string.ascii_letters + string.digits + "-_+/=%&'\" ü💥", min_size=4).filter(
    lambda text: len(text.strip("*./…: ")) >= 4 and "://" not in text
)


@given(secret=TOKENS, before=st.text(), after=st.text(), data=st.data())
def test_a_secret_in_an_error_is_never_told_however_it_is_spelled(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    spellings = [secret, quote(secret), quote(secret, safe=""), repr(secret)[1:-1]]
    spellings += [base64.b64encode(secret.encode()).decode()]
    spelled = data.draw(st.sampled_from(spellings))
    told = redact(f"{before} {spelled} {after}", [secret])
    assert secret not in told.replace("***", "\0")
    if spelled not in (before + after):
        assert spelled not in told.replace("***", "\0")


@given(
    path=st.text(string.ascii_letters + string.digits, min_size=8),
    query=st.text(string.ascii_letters + string.digits, min_size=8),
    password=st.text(string.ascii_letters + string.digits, min_size=8),
    form=st.sampled_from(["{url}", "to {url}: refused", "POST /{path}?{query} HTTP/1.1", "{path}"]),
)
def test_of_an_address_only_the_host_is_told(
    path: str, query: str, password: str, form: str
) -> None:
    url = f"https://someone:{password}@hooks.invalid/{path}?{query}"
    told = redact(form.format(url=url, path=path, query=query), [url])
    for secret in (path, query, password):
        assert secret not in told.replace("hooks.invalid", "").replace("refused", "")


@given(st.text(), st.lists(st.text(), max_size=3))
def test_whatever_is_told_is_short_and_on_no_account_fails(text: str, secrets: list[str]) -> None:
    assert len(redact(text, secrets)) <= LIMIT


def test_an_address_nobody_called_secret_is_shortened_as_well() -> None:
    assert redact("no route to https://u:p@a.example:8443/x/y?z=1 today") == (
        "no route to https://a.example:8443/… today"
    )


@pytest.mark.timeout(60)
def test_a_megabyte_takes_no_hours() -> None:
    words = "x" * 1_000_000
    assert without_secrets(words) == words
    assert without_secrets(f"{words}://ana:geheim@db.example/x").endswith("x://db.example/…")
    assert without_userinfo(words) == words
    addresses = "a://" * 250_000
    assert without_userinfo(addresses) == addresses
    assert len(redact(addresses)) <= LIMIT
    assert without_userinfo(f"{addresses}b@c") == "a://***@c"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql+psycopg://ana:geh@eim@db.example/x", "postgresql+psycopg://db.example/…"),
        ("https://ana:ge?heim@db.example/x", "https://***/…"),
        ("https://db.example?token=a@geheim", "https://***/…"),
        ("https://ana:geheim@/x", "https://***/…"),
        ("file:///etc/motd", "file:///etc/motd"),
        ("https://db.example?token=geheim", "https://db.example/…"),
        ("'https://ana:geheim@db.example/x'", "'https://db.example/…'"),
    ],
)
def test_no_part_of_a_password_is_taken_for_a_host(address: str, told: str) -> None:
    assert redact(address) == told


def test_a_secret_cut_off_by_the_limit_is_not_told_in_part() -> None:
    secret = "s3cr3t-" * 10
    assert "s3cr3t" not in redact("x" * (LIMIT - 10) + secret, [secret])


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("s3cret\r", "key s3cret\r\nrefused", "key ***\nrefused"),  # gone after cleaning
        ("s3c\nret", "key s3c\r\nret refused", "key *** refused"),  # there only after cleaning
    ],
)
def test_a_secret_is_hidden_before_and_after_cleaning(
    secret: str, text: str, expected: str
) -> None:
    assert redact(text, [secret]) == expected


def test_words_are_not_taken_for_a_secret_of_three_letters() -> None:
    assert redact("an answer", ["an"]) == "an answer"


class Nested(BaseModel):
    key: SecretBytes


class Everything(BaseModel):
    one: SecretStr
    many: list[SecretStr]
    named: dict[str, SecretStr]
    inner: Nested
    plain: str


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            SlackIncomingWebhook(url=SecretStr("https://hooks.example.com/services/T/B/x")),
            {"https://hooks.example.com/services/T/B/x"},
        ),
        (SlackCredentials(token=SecretStr("xoxb-1")), {"xoxb-1"}),
        (
            EmailServerCredentials(username="alice@x.org", password=SecretStr("hunter2")),
            {"hunter2"},
        ),
        (
            PagerDutyWebHook(
                integration_key=SecretStr("i" * 32),
                api_key=SecretStr("a" * 20),
            ),
            {"i" * 32, "a" * 20},
        ),
        (
            CustomWebhookNotificationBlock(
                name="own",
                url="https://example.com/token",
                headers={"Authorization": "Bearer 1234"},
                cookies={"session": "5678"},
                params={"key": "9012"},
                secrets=SecretDict({"tokenFromSecrets": "3456"}),
                json_data={"text": "{{body}}"},
            ),
            {"https://example.com/token", "Bearer 1234", "5678", "9012", "3456"},
        ),
        (
            Everything(
                one=SecretStr("1111"),
                many=[SecretStr("2222")],
                named={"a": SecretStr("3333")},
                inner=Nested(key=SecretBytes(b"4444")),
                plain="5555",
            ),
            {"1111", "2222", "3333", "4444"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_secret_a_block_holds_is_known(block: BaseModel, expected: set[str]) -> None:
    found = secrets_of(block)
    assert expected <= found
    assert "5555" not in found
    assert "alice@x.org" not in found
