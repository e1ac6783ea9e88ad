"""The next step for a failed run, by its state and the types of its exceptions."""

import urllib.error
from email.message import Message

import httpx
import pytest
import requests
from prefect.states import Failed

from sentinel_core.hooks.next_step import CODE, next_step
from sentinel_core.model.fault import Fault

URL = "https://shop.example.org/"


def http_status(status: int) -> Exception:
    request = httpx.Request("GET", URL)
    return httpx.HTTPStatusError("said", request=request, response=httpx.Response(status))


def requests_status(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def caused(by: Exception) -> Exception:
    error = RuntimeError("could not scrape: 403 timeout connection")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), Fault.TIMEOUT),
        (httpx.ReadTimeout("slow"), Fault.TIMEOUT),
        (requests.ConnectTimeout(), Fault.TIMEOUT),
        (http_status(401), Fault.REFUSED),
        (http_status(403), Fault.REFUSED),
        (requests_status(403), Fault.REFUSED),
        (urllib.error.HTTPError(URL, 401, "said", Message(), None), Fault.REFUSED),
        (ConnectionRefusedError(), Fault.CONNECTION),
        (httpx.ConnectError("away"), Fault.CONNECTION),
        (requests.ConnectionError(), Fault.CONNECTION),
        (caused(http_status(403)), Fault.REFUSED),
        (caused(TimeoutError()), Fault.TIMEOUT),
        (http_status(500), None),
        (KeyError("price"), None),
        (RuntimeError("timeout 401 403 connection"), None),  # sentences decide nothing
        (caused(KeyError("price")), None),
    ],
)
def test_types_and_statuses_decide(error: Exception, fault: Fault | None) -> None:
    assert next_step(Failed(), error) == (fault.next_step if fault else CODE)


def test_a_run_past_its_timeout_and_one_without_an_exception() -> None:
    assert next_step(Failed(name="TimedOut"), None) == Fault.TIMEOUT.next_step
    assert next_step(Failed(), None) == ""


def test_exceptions_that_cause_each_other_in_a_circle_end() -> None:
    one, other = KeyError(1), KeyError(2)
    one.__cause__, other.__cause__ = other, one
    assert next_step(Failed(), one) == CODE
