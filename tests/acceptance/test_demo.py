"""`sentinel demo` from the installed package, in a folder that has nothing to do with it."""

import signal
from pathlib import Path

import pytest

from tests.support.demo import Demo
from tests.support.deployed import rows
from tests.support.installed import Installed
from tests.support.processes import running, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_demo_runs_without_a_checkout_and_is_gone_at_the_end(
    installed: Installed, tmp_path: Path
) -> None:
    demo = Demo(tmp_path, installed.sentinel)
    env, here = installed.environment(demo.env), tmp_path / "elsewhere"
    here.mkdir()
    with running(*demo.command, env=env, log=demo.log, cwd=here, grace_seconds=90) as process:
        wait_for(
            lambda: process.poll() is not None or "event 1: sent to #alerts" in demo.said(),
            seconds=240,
            what="the first message",
        )
        assert process.poll() is None, demo.said()
        store = demo.store()
        kinds = rows(store, "SELECT DISTINCT kind FROM alert_event")
        assert [row["kind"] for row in kinds] == ["alert"], "every check ran"
        store.dispose()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0, demo.said()
    demo.require_gone()
    assert list(here.iterdir()) == []
