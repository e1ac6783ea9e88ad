"""Real fork servers and real children, whose jobs do what they are asked to.

`work.py` below does what its job says while it is loaded, writes down what it saw and raises
Prefect's `Abort`, by which a run ends that must not start. So Prefect's engine, which would need a
server, never begins; all up to there is as always.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psutil
from prefect.client.schemas.objects import FlowRun

from sentinel_core.worker.pool.handle import Ended
from sentinel_core.worker.pool.pool import ProcessPool
from sentinel_core.worker.pool.protocol import Job, ProcessSpec, ReusePolicy
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.processes import free_port

T = TypeVar("T")

WORK = """
import json, os, signal, sys, threading, time
from pathlib import Path

from prefect.exceptions import Abort

import pool_helper

word = Path(os.environ["PREFECT__WORD"])
umask = os.umask(0o022)
os.umask(umask)
facts = {
    "pid": os.getpid(),
    "cwd": os.getcwd(),
    "umask": umask,
    "version": pool_helper.VERSION,
    "env": {name: value for name, value in os.environ.items() if name.startswith("POOL_")},
    "said": os.environ["PREFECT__DO"],
}
word.with_suffix(".part").write_text(json.dumps(facts))
word.with_suffix(".part").rename(word)
exec(os.environ["PREFECT__DO"])
raise Abort("as the test wants it")
"""


class Lab:
    """A pool, an event loop for it, and a checkout its jobs take their code from."""

    def __init__(self, folder: Path, **pool: Any) -> None:
        self.words, self.checkout = folder / "words", folder / "checkout"
        for made in (self.words, self.checkout):
            made.mkdir(parents=True)
        (self.checkout / "work.py").write_text(WORK)
        self.set_version(1)
        env = {
            **clean_environment(folder),
            "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",  # nobody answers
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PYTHONDONTWRITEBYTECODE": "1",  # the helper changes twice within a second
        }
        self.spec = ProcessSpec(str(self.checkout), tuple(sorted(env.items())), (), ReusePolicy())
        self.pool = ProcessPool(logging.getLogger("pool-test"), overrun_seconds=15, **pool)
        self.runner = asyncio.Runner()

    def set_version(self, version: int) -> None:
        (self.checkout / "pool_helper.py").write_text(f"VERSION = {version}\n")

    def job(self, do: str = "", text: str = "", run: FlowRun | None = None) -> Job:
        """A job that does this, for a run of its own or for this one."""
        run = run or FlowRun(flow_id=uuid4(), parameters={"text": text})
        env = {"PREFECT__DO": do, "PREFECT__WORD": str(self.words / str(run.id))}
        return Job(str(run.id), env, run.model_dump(mode="json"), "work.py:nothing")

    def word(self, job: Job) -> dict[str, Any]:
        """What the job saw."""
        found: dict[str, Any] = json.loads((self.words / job.id).read_text())
        return found

    def reuse(self, **reuse: Any) -> ProcessSpec:
        return replace(self.spec, reuse=ReusePolicy(**reuse))

    def wait(self, coroutine: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        async def in_time() -> T:
            return await asyncio.wait_for(coroutine, patient(seconds))

        return self.runner.run(in_time())

    async def start(
        self, job: Job, spec: ProcessSpec | None = None
    ) -> tuple[asyncio.Task[Ended], int]:
        """The job under way: its end, and the process that has it."""
        task = asyncio.create_task(self.pool.run(job, spec or self.spec, lambda _: None))
        while not (self.words / job.id).exists():
            assert not task.done(), task.result()
            await asyncio.sleep(0.02)
        return task, self.word(job)["pid"]

    def run(self, do: str = "", spec: ProcessSpec | None = None, **more: Any) -> dict[str, Any]:
        """What a job saw that ends well."""
        job = self.job(do, **more)
        ended = self.wait(self.pool.run(job, spec or self.spec, lambda _: None))
        assert ended.concluded, ended
        assert ended.pid == self.word(job)["pid"]
        return self.word(job)

    def fork_servers(self) -> list[psutil.Process]:
        """This pool's fork server processes."""
        return [
            process
            for process in psutil.Process().children()
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self.checkout)
        ]

    def close(self) -> None:
        """End everything; what hangs is killed, children first."""
        left = [p for server in self.fork_servers() for p in (*server.children(), server)]
        with contextlib.suppress(TimeoutError):
            self.wait(self.pool.close(seconds=3), 20)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait(asyncio.sleep(0.5))  # the readers notice, and wait for their processes
        self.runner.close()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
