"""The programs that `sentinel up` starts understand the commands it gives them."""

import pytest

from sentinel_core.cli import app
from sentinel_core.up.commands import (
    SENTINEL,
    api_command,
    server_command,
    viewer_command,
    worker_command,
)
from sentinel_core.up.process import program


@pytest.mark.parametrize("read_only", [True, False])
def test_the_viewer_is_read_only_when_that_is_asked_for(read_only: bool) -> None:
    command = viewer_command(8501, read_only=read_only)
    named = app.parse_args(command[len(program(SENTINEL)) :])[1].arguments
    assert named.get("read_only", False) is read_only
    assert (named["port"], named["address"]) == (8501, "127.0.0.1")


def test_the_api_listens_where_that_is_asked_for() -> None:
    named = app.parse_args(api_command(8502)[len(program(SENTINEL)) :])[1].arguments
    assert named == {"port": 8502}


def test_a_worker_without_a_limit_has_its_own() -> None:
    assert worker_command("checks", 4)[-2:] == ["--limit", "4"]
    assert worker_command("checks", None)[-2:] == ["--pool", "checks"]


@pytest.mark.parametrize(("workers", "named"), [(1, []), (4, ["--workers", "4"])])
def test_a_server_in_one_process_keeps_its_services_to_itself(
    workers: int, named: list[str]
) -> None:
    assert server_command(4200, workers)[-2 - len(named) :] == ["--port", "4200", *named]
