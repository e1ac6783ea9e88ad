"""The body of a real answer in each encoding, and what a health check makes of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_core import AlertOutput, NoHistory
from tests.support.json_site import JsonSite, json_site
from triggers.service.health_check import HealthCheck
from triggers.sources.errors import SourceError
from triggers.sources.request import BODY_LIMIT

GOOD = "Alle Geschäfte geöffnet"
LATIN = GOOD.encode("latin-1")
ODD = "Geschäfte geschlossen".encode("latin-1")  # not UTF-8, and no charset


@pytest.fixture(scope="module")
def site() -> Iterator[JsonSite]:
    with json_site() as running:
        yield running


def ask(
    site: JsonSite, body: bytes, content_type: str = "text/html", status: int = 200, **check: Any
) -> AlertOutput:
    url = site.at("/page", body, status, **{"Content-Type": content_type})
    output = HealthCheck(url=url, **check).measure(NoHistory())
    assert isinstance(output, AlertOutput)
    return output


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (LATIN, "text/html; charset=ISO-8859-1"),
        (GOOD.encode("utf-8-sig"), "text/html"),
        (GOOD.encode("utf-16"), "text/html"),
        (GOOD.encode(), "text/html; charset=utf-8"),
    ],
)
def test_text_is_found_in_a_page_of_any_encoding(
    site: JsonSite, body: bytes, content_type: str
) -> None:
    output = ask(site, body, content_type, body_contains="geöffnet")
    assert not output.triggered
    assert output.metadata["body"] == GOOD
    assert ask(site, body, content_type, body_must_not_contain="geöffnet").triggered
    assert ask(site, body, content_type, body_contains="geschlossen").triggered


def test_json_with_a_byte_order_mark_is_json(site: JsonSite) -> None:
    body = '{"state": "läuft"}'.encode("utf-8-sig")
    output = ask(site, body, "application/json", json_field={"path": "state", "equals": "läuft"})
    assert not output.triggered


@pytest.mark.parametrize(
    "check",
    [
        {"body_contains": "Geschäfte"},
        {"body_must_not_contain": "geöffnet"},
        {"json_field": {"path": "a", "equals": 1}},
    ],
)
def test_a_body_that_can_not_be_read_is_not_checked(site: JsonSite, check: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="the body can't be read: line 1 is not UTF-8"):
        ask(site, ODD, **check)


def test_a_body_that_can_not_be_read_hides_no_alert(site: JsonSite) -> None:
    output = ask(site, ODD, status=500, body_contains="geöffnet")
    assert output.triggered
    assert "status 500" in output.message
    assert "the body can't be read: line 1 is not UTF-8" in output.message
    assert output.metadata["not_checked"] == {"body": "the body can't be read: line 1 is not UTF-8"}
    assert ask(site, ODD, body_must_not_contain="geschlossen").triggered


def test_a_body_of_which_nothing_is_expected_may_be_anything(site: JsonSite) -> None:
    assert not ask(site, ODD).triggered
    assert not ask(site, ODD, body_contains="geschlossen").triggered


def test_a_long_body_may_be_cut_within_a_character(site: JsonSite) -> None:
    body = b"x" * (BODY_LIMIT - 1) + "ö".encode() * 5
    output = ask(site, body, body_contains="xxx")
    assert not output.triggered
    assert ask(site, body, body_contains="not there").triggered
