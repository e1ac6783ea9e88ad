"""What one client can send: not too much, not too often, and not for ever."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.api import serve
from sentinel_core.api.rates import Rates
from tests.integration.api.support import api_port
from tests.support.recorded import NOON, a_rule, fire


@pytest.fixture
def alone(store: Engine) -> Iterator[httpx.Client]:
    """An API for this test alone, where a client may ask five times, and hardly more."""
    with (
        api_port(Rates(per_second=0.001, burst=5)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        yield http


def test_a_large_body_is_refused_before_it_is_read(
    http: httpx.Client, store: Engine, bearer: Callable[[str], dict[str, str]]
) -> None:
    event = fire(store, a_rule(), NOON)
    path = f"/events/{event}/comment"
    allowed = {**bearer("operate"), "Content-Type": "application/json"}
    large = http.post(path, content=b"x" * 10_000_000, headers=allowed)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too-large")
    pieces = (b"x" * 1_000 for _ in range(10_000))
    chunked = http.post(path, content=pieces, headers=allowed)
    assert (chunked.status_code, chunked.json()["error"]["code"]) == (413, "too-large")
    fits = b'{"comment": "on it"' + b" " * 60_000 + b"}"
    assert http.post(path, content=iter([fits]), headers=allowed).status_code == 200
    nobody = http.post(path, content=b"x" * 10_000_000)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "no-token")


def test_a_body_that_never_ends_is_cut_off(
    http: httpx.Client, bearer: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinel_core.api.bodies._SECONDS", 0.2)
    [(_, token)] = bearer("operate").items()
    with _connected(http) as client:
        client.sendall(
            b"POST /events/1/comment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
            b"Authorization: " + token.encode() + b"\r\n\r\nx"
        )
        assert _received(client).startswith(b"HTTP/1.1 408 ")


def test_too_many_requests_of_one_client_are_refused_and_those_of_others_are_not(
    alone: httpx.Client, bearer: Callable[[str], dict[str, str]]
) -> None:
    allowed = bearer("read")
    assert alone.get("/events", headers=allowed).status_code == 200  # now it is known
    for n in range(4):
        invented = alone.get("/events", headers={"Authorization": f"Bearer {n}"})
        assert invented.status_code == 401
    for wrong in ({}, {"Authorization": "Bearer other"}):
        refused = alone.post("/events/1/comment", json={"comment": "x"}, headers=wrong)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too-many")
        assert int(refused.headers["Retry-After"]) > 900
    assert alone.get("/events", headers=allowed).status_code == 200
    asked = [alone.get("/health").status_code for _ in range(6)]
    assert asked == [503] * 5 + [429]  # Prefect is down; that is answered


def test_a_connection_on_which_nothing_is_asked_is_closed(
    alone: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0.05)
    half = b"GET /health HTTP/1.1\r\nHost: localh"
    whole = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for sent, answered in ((b"", 0), (half, 0), (whole + half, 1)):
        with _connected(alone) as client:
            client.sendall(sent)
            assert _received(client).count(b"HTTP/1.1 404 ") == answered


@contextlib.contextmanager
def _connected(http: httpx.Client) -> Iterator[socket.socket]:
    assert http.base_url.port is not None
    with socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) as client:
        yield client


def _received(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    found = b""
    while some := client.recv(10_000):
        found += some
    return found
