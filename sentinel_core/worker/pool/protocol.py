"""The messages of worker, fork server and child: each is a line of JSON. Knows no process."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from io import IOBase
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class ReusePolicy:
    """The limits of a child's reuse and idle time, and its runs' heartbeat."""

    max_runs: int = 1000
    max_memory_mb: float = 512
    idle_seconds: float = 600
    heartbeat_seconds: int | None = None


@dataclass(frozen=True)
class ProcessSpec:
    """The kind of process that runs share: runs with the same one may follow each other in it."""

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
    `deployment` has its id, name and tags, which the run's events name.
    """

    id: str
    env: dict[str, str]
    flow_run: Message
    entrypoint: str | None = None
    hooks: str | None = None
    state: Message | None = None
    deployment: Message | None = None

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

    pieces: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete now that `data` has arrived."""
        first, *more = data.split(b"\n")
        self.pieces.append(first)
        if not more:
            return iter(())
        lines = [b"".join(self.pieces), *more[:-1]]
        self.pieces = [more[-1]]
        return map(json.loads, lines)


def pack(message: Message) -> bytes:
    """The bytes of one message."""
    return json.dumps(message).encode() + b"\n"


def receive(stream: IOBase) -> Message | None:
    """Wait for a message from `socket.makefile("rb")`; None when the other side is gone."""
    try:
        line = stream.readline()
    except OSError:
        return None
    message: Message | None = json.loads(line) if line.endswith(b"\n") else None
    return message
