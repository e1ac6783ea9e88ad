"""The lease on deploying: a variable in Prefect that one deploy at a time holds.

Prefect's server refuses to create a variable whose name is taken, and deletes one by its id for one
process only. So it alone decides who holds the lease, and who takes over one that was left behind.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectAlreadyExists
from pydantic import BaseModel, ValidationError

from sentinel_core.base.errors import DeployTakenError
from sentinel_core.prefect_io.client import server_time
from sentinel_core.prefect_io.variables import new_variable

RENEWED_SECONDS = 5.0
EXPIRES_SECONDS = 30.0
_LOOK_SECONDS = 1.0  # between looks while another deploy is under way
_GONE = 404
_SAME_START_SECONDS = 1.0

Say = Callable[[str], None]


class Holder(BaseModel):
    """Who deploys what, since when, and in which process of which machine."""

    by: str
    file: str
    began_at: datetime
    machine: str = ""
    pid: int = 0
    started: float = 0.0

    @classmethod
    def me(cls, by: str, file: str) -> "Holder":
        """This process."""
        return cls(
            by=f"{by}@{socket.gethostname()}",
            file=file,
            began_at=datetime.now(UTC),
            machine=_machine(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
        )

    @property
    def is_dead(self) -> bool:
        """True if the process is known to have ended: it was on this machine."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            began = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        return abs(began - self.started) > _SAME_START_SECONDS


def _machine() -> str:
    """This boot of this machine, and its process numbers; empty where that can't be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 (not a path)
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Found:
    """The variable as it is: its holder, and for how long the lease was not renewed."""

    id: UUID
    holder: Holder | None
    idle: timedelta

    @property
    def is_held(self) -> bool:
        if self.idle > timedelta(seconds=EXPIRES_SECONDS):
            return False
        return self.holder is None or not self.holder.is_dead


def variable_of(store_variable: str) -> str:
    """The name of the lease's variable: all who record into one store share it."""
    return f"{store_variable[:240]}_deploying"


def current_holder(client: SyncPrefectClient, variable: str) -> Holder | None:
    """Who is deploying now; None if nobody is."""
    found = _read(client, variable)
    return found.holder if found is not None and found.is_held else None


def _read(client: SyncPrefectClient, variable: str) -> _Found | None:
    found = client.read_variable_by_name(variable)
    if found is None:
        return None
    try:
        holder = Holder.model_validate(found.value)
    except ValidationError:
        holder = None
    # Both times are the server's: clocks of machines differ.
    renewed = found.updated or found.created
    idle = server_time(client) - renewed if renewed else timedelta(0)
    return _Found(found.id, holder, idle)


@contextmanager
def deploy_lease(
    client: SyncPrefectClient, variable: str, holder: Holder, wait_seconds: float, say: Say
) -> Iterator["DeployLease"]:
    """Hold the lease; waits for another deploy at most so long. Raises DeployTakenError."""
    deadline = time.monotonic() + wait_seconds
    announced = False
    while (key := _taken(client, variable, holder)) is None:
        other = current_holder(client, variable)
        if time.monotonic() >= deadline:
            raise DeployTakenError(
                f"{_words(other)}: nothing was done. Try again when that deploy has ended, or wait "
                "for it with `--wait 300`"
            )
        if not announced and other is not None:
            say(f"{_words(other)}; waiting for at most {wait_seconds:g} s")
            announced = True
        time.sleep(min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
    with DeployLease(client, key, holder) as lease:
        yield lease


def _taken(client: SyncPrefectClient, variable: str, holder: Holder) -> UUID | None:
    """The id of the variable if the lease could be taken; None while another deploy holds it."""
    found = _read(client, variable)
    if found is not None and (found.is_held or not _delete(client, found.id)):
        return None
    try:
        return client.create_variable(new_variable(variable, holder)).id
    except ObjectAlreadyExists:
        return None


def _delete(client: SyncPrefectClient, key: UUID) -> bool:
    """True if this process has deleted the variable; False if it was gone."""
    try:
        client.request("DELETE", "/variables/{id}", path_params={"id": key})
    except httpx.HTTPStatusError as error:
        if error.response.status_code != _GONE:
            raise
        return False
    return True


def _words(holder: Holder | None) -> str:
    if holder is None:
        return "another deploy is under way"
    return f"{holder.by} has been deploying {holder.file} since {holder.began_at:%F %T} UTC"


class DeployLease:
    """A lease that this process holds, and renews in the background until it is released."""

    def __init__(self, client: SyncPrefectClient, key: UUID, holder: Holder) -> None:
        self.holder = holder
        self._client = client
        self._id = key
        self._lost = False
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="deploy lease", daemon=True)

    def __enter__(self) -> "DeployLease":
        self._renewing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._renewing.join()
        with suppress(httpx.HTTPError):  # it expires
            _delete(self._client, self._id)

    def require(self) -> None:
        """Renew it now. Raises DeployTakenError if another deploy has taken it over."""
        self._touch()
        if self._lost:
            raise DeployTakenError(
                "this deploy could not renew its lease for too long, and another deploy took over: "
                "see with `sentinel rules list` what is deployed, and deploy again"
            )

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_SECONDS):
            with suppress(httpx.HTTPError):  # Prefect is away: the next attempt may be in time
                self._touch()

    def _touch(self) -> None:
        try:
            self._client.request(
                "PATCH",
                "/variables/{id}",
                path_params={"id": self._id},
                json={"value": self.holder.model_dump(mode="json")},
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code != _GONE:
                raise
            self._lost = True
