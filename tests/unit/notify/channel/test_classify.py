"""What a failure means."""

import io
import socket
import urllib.error
from datetime import UTC, datetime
from email.message import Message as Headers
from json import JSONDecodeError

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.blocks.core import UnknownBlockType
from pydantic import BaseModel, ValidationError

from sentinel_core.notify.channel.classify import (
    A_DAY,
    by_apprise_log,
    by_exception,
    by_slack_error,
    by_smtp,
    by_smtp_recipients,
    by_status,
    is_permanent_load_error,
    retry_after,
)
from sentinel_core.notify.channel.outcome import Delivery, Outcome

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("status", [300, 301, 307, 400, 401, 403, 404, 405, 407, 410, 413, 422])
def test_what_will_be_the_same_tomorrow_is_given_up(status: int) -> None:
    found = by_status("Slack", status, {"retry-after": "5"}, "no_service", NOW)
    assert found == Delivery(Outcome.FAILED, f"Slack answered {status}: no_service")


@pytest.mark.parametrize("status", [200, 204, 408, 425, 429, 500, 501, 502, 503, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    found = by_status("Slack", status, {}, "", NOW)
    assert found == Delivery(Outcome.RETRY, f"Slack answered {status}: no reason given")


def test_what_a_gateway_gave_up_waiting_for_may_have_arrived() -> None:
    assert by_status("Slack", 504, {}, "", NOW).unknown


@pytest.mark.parametrize("status", [429, 503])
def test_a_provider_that_says_when_is_heard(status: int) -> None:
    assert by_status("x", status, {"retry-after": "30"}, "", NOW).retry_after_seconds == 30


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("30", 30),
        (" 30 ", 30),
        ("1.5", 1.5),
        ("86401", A_DAY),
        ("999999999", A_DAY),
        ("Mon, 05 Jan 2026 14:31:00 GMT", 60),
        ("Mon, 05 Jan 2026 14:31:00 -0000", 60),
        ("Mon, 05 Jan 2026 15:31:00 +0100", 60),
        ("Fri, 05 Jan 2029 14:31:00 GMT", A_DAY),
        ("Mon, 05 Jan 2026 14:29:00 GMT", None),
        ("-1", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("٣٠", None),
        ("9" * 5_000, None),
        ("Mon, 99 Jan 99999 99:99:99 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_when_to_come_again_is_at_most_a_day_away(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z]{3}, [0-9 A-Za-z:+-]{0,40}")))
def test_no_answer_whatever_makes_us_wait_more_than_a_day_or_fail(value: str) -> None:
    found = retry_after(value, NOW)
    assert found is None or 0 <= found <= A_DAY


@pytest.mark.parametrize(
    "word",
    [
        *("no_service", "channel_not_found", "invalid_auth", "invalid_payload", "account_inactive"),
        *("not_in_channel", "is_archived", "token_revoked", "a_word_of_next_year"),
    ],
)
def test_slacks_words_for_our_mistakes_are_final(word: str) -> None:
    assert by_slack_error(word) == Delivery(Outcome.FAILED, f"Slack answered: {word}")


@pytest.mark.parametrize(
    ("word", "unknown"),
    [("ratelimited", False), ("service_unavailable", False), ("internal_error", True)],
)
def test_slacks_words_for_its_own_troubles_are_not(word: str, unknown: bool) -> None:
    found = by_slack_error(word)
    assert (found.outcome, found.unknown) == (Outcome.RETRY, unknown)


REQUEST = httpx.Request("POST", "https://hooks.example.com/secret")


def refused_inside() -> Exception:
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as inner:
            raise RuntimeError("a client's own words") from inner
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("no route"), False),
        (httpx.WriteTimeout("half of it"), False),
        (httpx.ProxyError("503"), False),
        (ConnectionRefusedError(111, "Connection refused"), False),
        (socket.gaierror(-2, "Name or service not known"), False),
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), False),
        (refused_inside(), False),
        (httpx.ReadTimeout("hangs"), True),
        (httpx.ReadError("reset"), True),
        (httpx.RemoteProtocolError("closed without an answer"), True),
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError("timed out"), True),
        (RuntimeError("whatever"), True),
    ],
)
def test_what_was_lost_after_it_was_sent_may_have_arrived(error: Exception, unknown: bool) -> None:
    found = by_exception(error, begun=True, now=NOW)
    assert (found.outcome, found.unknown) == (Outcome.RETRY, unknown)
    assert type(error).__name__ in str(found.error)
    assert not by_exception(error, begun=False, now=NOW).unknown


@pytest.mark.parametrize(
    "error",
    [httpx.InvalidURL("no"), httpx.UnsupportedProtocol("ftp"), httpx.LocalProtocolError("header")],
)
def test_what_no_program_can_send_is_given_up(error: Exception) -> None:
    assert by_exception(error, begun=False, now=NOW).outcome is Outcome.FAILED


def test_a_request_that_can_not_be_made_is_given_up_but_not_one_under_way() -> None:
    assert by_exception(ValueError("NaN"), begun=False, now=NOW).outcome is Outcome.FAILED
    assert by_exception(ValueError("?"), begun=True, now=NOW).outcome is Outcome.RETRY


def test_an_answer_inside_an_exception_is_found() -> None:
    response = httpx.Response(429, headers={"Retry-After": "9"}, request=REQUEST)
    error = httpx.HTTPStatusError("too many", request=REQUEST, response=response)
    found = by_exception(error, begun=True, now=NOW)
    assert (found.outcome, found.retry_after_seconds, found.unknown) == (Outcome.RETRY, 9, False)
    headers = Headers()
    headers["Retry-After"] = "9"
    gone = urllib.error.HTTPError("https://x/secret", 410, "Gone", headers, io.BytesIO())
    assert by_exception(gone, begun=True, now=NOW).outcome is Outcome.FAILED
    gone.close()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(421, Outcome.RETRY), (451, Outcome.RETRY), (-1, Outcome.RETRY), (550, Outcome.FAILED)],
)
def test_a_mail_server_says_by_its_first_digit_whether_to_come_again(
    code: int, outcome: Outcome
) -> None:
    found = by_smtp("message", code, "greylisted")
    assert found == Delivery(outcome, f"the mail server refused the message: {code} greylisted")


def test_while_one_recipient_may_be_accepted_later_all_are_tried_again() -> None:
    gone, full = (550, "no such user"), (452, "mailbox full")
    assert by_smtp_recipients({"a@x": gone, "b@x": gone}).outcome is Outcome.FAILED
    found = by_smtp_recipients({"a@x": gone, "b@x": full})
    assert found.outcome is Outcome.RETRY
    assert "a@x: 550 no such user; b@x: 452 mailbox full" in str(found.error)


@pytest.mark.parametrize(
    ("log", "outcome", "unknown"),
    [
        ("Failed to send Discord notification: Not Found, error=404.", Outcome.FAILED, False),
        ("Failed to send Opsgenie notification:error=422.", Outcome.FAILED, False),
        ("Failed to send Twilio notification to +1: Bad, error=400.", Outcome.FAILED, False),
        ("Failed …: error=429.", Outcome.RETRY, False),
        ("Failed …: error=500.", Outcome.RETRY, False),
        ("Failed …: error=504.", Outcome.RETRY, True),
        ("Failed to A: error=404.\nFailed to B: error=500.", Outcome.RETRY, False),
        ("A Connection error occurred sending Mattermost.", Outcome.RETRY, True),
        ("", Outcome.RETRY, True),
    ],
)
def test_apprise_tells_by_its_log(log: str, outcome: Outcome, unknown: bool) -> None:
    found = by_apprise_log(log)
    assert (found.outcome, found.unknown) == (outcome, unknown)
    assert found.error


class Saved(BaseModel):
    number: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Saved(number="x")  # type: ignore[arg-type]
    return caught.value


def wrapped() -> Exception:
    error = RuntimeError("Unable to load")
    error.__cause__ = invalid()
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("no such block"), UnknownBlockType("x"), TypeError("bad token")),
        *(KeyError("x"), ModuleNotFoundError("prefect_email"), invalid(), wrapped()),
    ],
)
def test_a_block_that_is_missing_or_wrong_stays_so(error: Exception) -> None:
    assert is_permanent_load_error(error)


@pytest.mark.parametrize(
    "error",
    [
        *(httpx.ConnectError("refused"), JSONDecodeError("a proxy's page", "", 0), OSError("?")),
        httpx.HTTPStatusError("503", request=REQUEST, response=httpx.Response(503)),
    ],
)
def test_a_prefect_that_is_away_comes_back(error: Exception) -> None:
    assert not is_permanent_load_error(error)
