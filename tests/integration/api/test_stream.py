"""Changes of events as a stream: as they come, resumed, with an end."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.api import stream
from sentinel_core.store.record.acknowledge import acknowledge
from tests.integration.api.support import api_port
from tests.support.processes import wait_for
from tests.support.recorded import NOON, a_rule, fire

Message = tuple[str, str, Any]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.05)


def messages(answer: httpx.Response) -> Iterator[Message]:
    """Each event of a stream: its kind, id and data."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "data" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def told(found: Iterator[Message]) -> Message:
    return next(message for message in found if message[0] == "events")


def test_changes_are_told_as_they_come_and_a_client_goes_on_where_it_was(
    http: httpx.Client, store: Engine
) -> None:
    before = fire(store, a_rule("disk"), NOON)
    with http.stream("GET", "/stream") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        found = messages(answer)
        assert next(found)[0] == "begin"
        event = fire(store, a_rule("cpu"), NOON)
        _, place, data = told(found)
        assert data == {"new": [event], "changed": []}
    acknowledge(store, [before], by="ana", now=NOON)
    with http.stream("GET", "/stream", headers={"Last-Event-ID": place}) as answer:
        assert told(messages(answer))[2] == {"new": [], "changed": [before]}


def test_a_stream_says_that_it_lives_and_ends_when_the_server_does(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    lines: list[str] = []
    lives = threading.Event()

    def read(port: int) -> None:
        url = f"http://127.0.0.1:{port}/stream"
        with httpx.stream("GET", url, timeout=60) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                if line.startswith(":"):
                    lives.set()
        lines.append("ended")

    with api_port() as port:
        thread = threading.Thread(target=read, args=(port,))
        thread.start()
        assert lives.wait(60)
    thread.join(60)  # the last piece was sent: reading on raised nothing
    assert lines[-1] == "ended"


def test_there_are_at_most_so_many_streams_and_each_one_frees_its_place(
    http: httpx.Client, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    with http.stream("GET", "/stream") as answer:
        found = messages(answer)  # kept: without it the connection would be closed
        assert next(found)[0] == "begin"
        refused = http.get("/stream")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too-many-streams")
    monkeypatch.setattr(stream, "LONGEST_SECONDS", 0.0)

    def over() -> bool:
        return http.get("/stream").status_code == 200

    wait_for(over, what="its place to be free")
    assert over()


@pytest.mark.parametrize("place", ["", "x", "1-2", "0-0-" + "9" * 30, "1-1-1; DROP TABLE"])
def test_a_place_that_is_none_is_refused(http: httpx.Client, place: str) -> None:
    answer = http.get("/stream", headers={"Last-Event-ID": place})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid-parameter")


def test_a_stream_needs_a_token_once_there_is_one(
    http: httpx.Client, bearer: Callable[[str], dict[str, str]]
) -> None:
    allowed = bearer("read")
    assert http.get("/stream").status_code == 401
    with http.stream("GET", "/stream", headers=allowed) as answer:
        assert answer.status_code == 200
