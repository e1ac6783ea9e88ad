"""`sentinel up --server-workers 2`: Prefect's server in two processes over PostgreSQL and Redis."""

from pathlib import Path

import psutil
import pytest

from sentinel_core.up.scaled import DATABASE, REDIS
from tests.support import databases
from tests.support.prefect import clean_environment
from tests.support.processes import free_port, wait_for
from tests.support.up import rule_file, sentinel_up

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(databases.missing()), reason="run scripts/need-databases"),
]

RULE = {
    "name": "disk",
    "entrypoint": "flows/system.py:disk_usage",
    "parameters": {"check": {"path": "/", "threshold": 0}},
    "work_pool": {"name": "checks"},
    "schedules": [{"cron": "* * * * *"}],
}


def test_two_processes_share_a_server_and_a_rule_is_checked(tmp_path: Path) -> None:
    port = free_port()
    with databases.debian_postgres() as url, databases.redis_server(tmp_path) as redis:
        named = {DATABASE: url.replace("postgresql://", "postgresql+asyncpg://"), REDIS: redis}
        env = clean_environment(tmp_path) | named
        options = ("--server-workers", "2", "--server-port", str(port))
        with sentinel_up(tmp_path, rule_file(tmp_path, RULE), *options, env=env) as system:
            assert "2 processes" in system.said()
            found = "SELECT count(*) FROM evaluation"

            def evaluations() -> int:
                with system.store.connect() as connection:
                    return int(connection.exec_driver_sql(found).scalar_one())

            wait_for(lambda: evaluations() >= 2, seconds=150, what="a scheduled run")
            ours = [p.cmdline() for p in psutil.Process(system.process.pid).children(True)]
            assert sum("spawn_main" in " ".join(command) for command in ours) >= 2
        assert "Traceback" not in system.said()


def test_a_server_without_redis_is_refused_and_nothing_stays_behind(tmp_path: Path) -> None:
    options = ("--server-workers", "2", "--server-port", str(free_port()))
    env = clean_environment(tmp_path)
    file = rule_file(tmp_path, RULE)
    with sentinel_up(tmp_path, file, *options, env=env, ready=False) as system:
        assert system.process.wait(60) == 1
    assert f"set {DATABASE}=postgresql+asyncpg://" in system.said()
    assert REDIS in system.said()
    assert "Traceback" not in system.said()
