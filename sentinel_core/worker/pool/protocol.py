"""What worker, fork server and child say to each other, and how it travels over a socket.

Each message is a JSON object behind its length (4 bytes, big-endian). Knows no process.
"""

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

_LENGTH = struct.Struct(">I")
Message = dict[str, Any]


@dataclass(frozen=True)
class ReusePolicy:
    """How long a child is reused, how long an idle one is kept, and its runs' heartbeat."""

    max_runs: int = 1000
    max_memory_mb: float = 512
    idle_seconds: float = 600
    heartbeat_seconds: int | None = None


@dataclass(frozen=True)
class ProcessSpec:
    """What runs must have in common to share warm processes."""

    folder: str
    env: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]
    reuse: ReusePolicy


@dataclass(frozen=True)
class Job:
    """One thing a child does: run a flow run, or run its hooks for a state it did not reach alive.

    `flow_run` is the run as Prefect's API gave it, as JSON. Without an `entrypoint` Prefect
    fetches the code (pull steps, storage) into a temporary folder first. `hooks` names the hooks
    to run instead of the flow ("on_crashed", "on_cancellation"); `state` is what they are given.
    """

    id: str
    env: dict[str, str]
    flow_run: Message
    entrypoint: str | None = None
    hooks: str | None = None
    state: Message | None = None

    def message(self) -> Message:
        """As it travels."""
        return {"kind": "job", **asdict(self)}

    @classmethod
    def of(cls, message: Message) -> "Job":
        """As it arrives."""
        return cls(**{name: value for name, value in message.items() if name != "kind"})


@dataclass
class Frames:
    """Messages out of a stream of bytes that arrives in pieces."""

    buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete now that `data` has arrived."""
        self.buffer += data
        while len(self.buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self.buffer)
            end = _LENGTH.size + length
            if len(self.buffer) < end:
                return
            body = bytes(self.buffer[_LENGTH.size : end])
            del self.buffer[:end]
            yield json.loads(body)


def pack(message: Message) -> bytes:
    """The bytes of one message."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


def receive(connection: socket.socket) -> Message | None:
    """Wait for one message; None when the other side is gone."""
    head = _exactly(connection, _LENGTH.size)
    if head is None:
        return None
    body = _exactly(connection, _LENGTH.unpack(head)[0])
    if body is None:
        return None
    message: Message = json.loads(body)
    return message


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            piece = connection.recv(size - len(data))
        except OSError:
            return None
        if not piece:
            return None
        data += piece
    return bytes(data)
