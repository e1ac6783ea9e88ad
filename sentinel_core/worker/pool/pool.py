"""All warm processes of a worker: a fork server for each kind of run, started on demand.

Knows processes and messages; Prefect's states are the worker's business (worker/run.py).
"""

import asyncio
import logging
from dataclasses import dataclass, field

from sentinel_core.worker.pool.handle import Ended, ForkServerHandle, OnAssigned, StaleCodeError
from sentinel_core.worker.pool.protocol import Job, ProcessSpec


@dataclass
class ProcessPool:
    """All fork servers of a worker: one for each ProcessSpec in use, at most `max_servers`."""

    log: logging.Logger
    overrun_seconds: float
    max_servers: int = 8
    _servers: dict[ProcessSpec, ForkServerHandle] = field(default_factory=dict)
    _old: list[ForkServerHandle] = field(default_factory=list)
    _starting: dict[ProcessSpec, asyncio.Lock] = field(default_factory=dict)

    async def run(self, job: Job, spec: ProcessSpec, on_assigned: OnAssigned) -> Ended:
        """Run a job in a warm process that fits `spec`.

        Raises OSError when no process can be started there.
        """
        for _attempt in range(3):
            server = await self._server(spec)
            try:
                return await server.run(job, on_assigned)
            except StaleCodeError:
                self.log.info("The code in %s has changed: loading it anew", spec.folder)
        return Ended(concluded=False, error=f"the code in {spec.folder} changes all the time")

    def cancel(self, job_id: str) -> bool:
        """Ask the run to cancel itself; False when no child has it."""
        return any(server.cancel(job_id) for server in self._all())

    def kill(self, job_id: str, because: str) -> bool:
        """Kill the child that has the run; False when no child has it."""
        return any(server.kill(job_id, because) for server in self._all())

    async def close(self, seconds: float = 5.0) -> None:
        """End all fork servers; those that don't are left to end after their children."""
        for server in self._all():
            server.close()
        await asyncio.gather(*(server.ended(seconds) for server in self._all()))

    def _all(self) -> list[ForkServerHandle]:
        return [*self._servers.values(), *self._old]

    async def _server(self, spec: ProcessSpec) -> ForkServerHandle:
        async with self._starting.setdefault(spec, asyncio.Lock()):
            server = self._servers.get(spec)
            if server is not None and not server.retired:
                return server
            if server is not None:
                self._retire(spec)
            server = ForkServerHandle(spec, self.overrun_seconds, self.log)
            await server.start()
            idle = [other for other in self._servers.values() if not other.busy]
            idle.sort(key=lambda other: other.last_used)
            for other in idle[: max(0, len(self._servers) + 1 - self.max_servers)]:
                self._retire(other.spec)
                self._starting.pop(other.spec, None)
            self._servers[spec] = server
        return server

    def _retire(self, spec: ProcessSpec) -> None:
        server = self._servers.pop(spec)
        server.close()
        self._old = [old for old in self._old if old.busy]
        self._old.append(server)
