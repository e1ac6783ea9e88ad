"""Which host names the API answers to, on this machine alone and for everybody."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api.conftest import Bearer
from tests.integration.api.support import api_port

ADDRESSES = ("10.1.2.3", "10.1.2.3:8502", "[fd00::7]:8502")
UNKNOWN = ("attacker.example", "127.0.0.1.attacker.example", "10.1.2.3.nip.io", "x.sentinel-api")


@pytest.fixture(scope="module")
def open_port() -> Iterator[int]:
    with api_port(loopback=False) as port:
        yield port


@pytest.fixture
def everybody(open_port: int, store: Engine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{open_port}", timeout=60) as client:
        yield client


def status(client: httpx.Client, path: str, host: str, token: dict[str, str]) -> int:
    return client.get(path, headers={"Host": host, **token}).status_code


@pytest.mark.parametrize("host", ADDRESSES)
def test_monitors_may_ask_by_address_where_it_listens_for_everybody(
    http: httpx.Client, everybody: httpx.Client, bearer: Bearer, host: str
) -> None:
    token = bearer("read")
    assert status(everybody, "/metrics", host, token) == 200
    assert status(everybody, "/health", host, {}) == 503  # answered: there is no Prefect
    assert everybody.head("/health", headers={"Host": host}).status_code == 503
    assert status(everybody, "/metrics", host, {}) == 401
    for path in ("/events", "/status", "/stream", "/metrics/"):
        assert status(everybody, path, host, token) == 400
    for path in ("/health", "/metrics", "/events"):
        assert status(http, path, host, token) == 400


@pytest.mark.parametrize("host", UNKNOWN)
def test_an_unknown_name_is_refused_everywhere(
    http: httpx.Client, everybody: httpx.Client, bearer: Bearer, host: str
) -> None:
    token = bearer("operate")
    for path in ("/health", "/metrics", "/events"):
        assert status(everybody, path, host, token) == 400
        assert status(http, path, host, token) == 400


def test_a_known_name_is_answered_in_any_case_and_with_any_port(
    http: httpx.Client, everybody: httpx.Client, bearer: Bearer
) -> None:
    token = bearer("read")
    for host in ("127.0.0.1:1", "localhost", "sentinel-api", "SENTINEL-API:80"):
        assert status(everybody, "/events", host, token) == 200
        assert status(http, "/events", host, token) == 200
