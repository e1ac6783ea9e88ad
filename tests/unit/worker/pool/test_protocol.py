"""Messages survive any way in which a socket may cut them."""

import itertools
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.worker.pool.protocol import Frames, Job, ReusePolicy, pack, receive

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.dictionaries(st.text(), JSON, max_size=6)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(min_value=0), max_size=12))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    messages: list[dict[str, Any]], cuts: list[int]
) -> None:
    frames = Frames()
    stream = b"".join(pack(message) for message in messages)
    arrived = [message for piece in pieces_of(stream, cuts) for message in frames.feed(piece)]
    assert arrived == messages
    assert b"".join(frames.pieces) == b""


@given(MESSAGES)
def test_a_message_comes_with_its_last_byte_and_not_before(message: dict[str, Any]) -> None:
    frames, data = Frames(), pack(message)
    for byte in data[:-1]:
        assert list(frames.feed(bytes([byte]))) == []
    assert list(frames.feed(data[-1:])) == [message]


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000])
def test_a_message_of_any_size_is_received_through_a_real_socket(size: int) -> None:
    message = {"kind": "job", "text": "é" * size}
    here, there = socket.socketpair()
    with here, there:
        sender = threading.Thread(target=here.sendall, args=(pack(message),))
        sender.start()
        assert receive(there.makefile("rb")) == message
        sender.join(10)


@pytest.mark.parametrize("sent", [0, 1, 3, 4, 5, 20])
def test_a_sender_that_ends_within_a_message_counts_as_gone(sent: int) -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(pack({"kind": "done", "id": "a run's id"})[:sent])
        assert receive(there.makefile("rb")) is None


def test_what_was_sent_before_the_sender_ended_is_still_received() -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(pack({"n": 1}) + pack({"n": 2}))
        stream = there.makefile("rb")
        assert [receive(stream), receive(stream), receive(stream)] == [{"n": 1}, {"n": 2}, None]


@given(
    st.builds(
        Job,
        id=st.uuids().map(str),
        env=st.dictionaries(st.text(), st.text(), max_size=3),
        flow_run=MESSAGES,
        entrypoint=st.none() | st.text(),
        hooks=st.none() | st.sampled_from(["on_crashed", "on_cancellation"]),
        state=st.none() | MESSAGES,
    )
)
def test_a_job_arrives_as_it_was_sent(job: Job) -> None:
    [message] = Frames().feed(pack(job.message()))
    assert message["kind"] == "job"
    assert Job.of(message) == job


def test_heartbeats_are_off_unless_asked_for() -> None:
    assert ReusePolicy().heartbeat_seconds is None
