"""A run that was cancelled in Prefect and does not stop by itself: real runs, real processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Running

from sentinel_core.worker import watch as watching
from sentinel_core.worker.pool.handle import Ended
from tests.support.pool_lab import Lab, is_gone
from tests.support.prefect import PrefectServer

STUBBORN = """
while True:
    try:
        time.sleep(3_600)
    except BaseException:
        pass
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@flow
def cancelled() -> None:
    """Has runs in Prefect; its process is the lab's."""


def test_a_cancelled_run_that_does_not_stop_is_killed_after_a_while(
    server: PrefectServer, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(watching, "CANCEL_GRACE_SECONDS", 1)

    async def killed() -> tuple[Ended, int]:
        async with get_client() as client:
            run = await client.create_flow_run(cancelled, state=Running())
            task, pid = await lab.start(lab.job(STUBBORN, run=run))
            watcher = asyncio.create_task(watching.watch(client, lab.pool, {run.id: run}))
            await asyncio.sleep(0.5)
            assert not task.done()  # nobody has cancelled it yet
            await client.set_flow_run_state(run.id, Cancelling(), force=True)
            ended = await task
            watcher.cancel()
            return ended, pid

    with temporary_settings({PREFECT_API_URL: server.api_url}):
        ended, pid = lab.wait(killed())
    assert (ended.concluded, ended.exit_code) == (False, -9)
    assert ended.error == "it was cancelled and did not stop"
    assert is_gone(pid)
