"""Logs as JSON: each record one line that a parser reads, whatever is in it."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from sentinel_core.base import logs
from sentinel_core.up.process import ManagedProcess
from tests.support.prefect import PrefectServer
from tests.support.processes import free_port, wait_for


def logged(message: str, *given: Any, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    stream = io.StringIO()
    logger = logging.Logger("some.name")
    logger.addHandler(logs.Stream(stream))
    logger.warning(message, *given, extra=extra)
    [line] = stream.getvalue().splitlines()
    return dict(json.loads(line))


def test_a_record_is_one_line_whatever_it_says() -> None:
    found = logged("a\nb %s \u2028 \ud800 \N{SNOWMAN}", {"x": object})
    assert (found["level"], found["logger"]) == ("WARNING", "some.name")
    assert found["message"].startswith("a\nb {")
    assert found["time"].endswith("+00:00")
    assert not found.keys() & {"flow_run_id", "exception"}
    assert logged("%d of %d", "x")["message"] == "%d of %d ('x',)"
    assert logged("in a run", extra={"flow_run_id": "5e47"})["flow_run_id"] == "5e47"


def test_an_exception_stands_in_the_object() -> None:
    stream = io.StringIO()
    logger = logging.Logger("some.name")
    logger.addHandler(logs.Stream(stream))
    try:
        int("no\nsuch thing")
    except ValueError:
        logger.exception("failed")
    found = json.loads(stream.getvalue())
    assert found["exception"]["type"] == "ValueError"
    assert "no\\nsuch thing" in found["exception"]["message"]
    assert "int(" in found["exception"]["traceback"]


@pytest.mark.parametrize("line", ["", "{", "[1]", '{"a": 1}', "\x1b[31mred\x1b[0m", "null"])
def test_any_other_line_becomes_an_object(line: str) -> None:
    found = json.loads(logs.as_object("server", line))
    assert (found["message"], found["logger"], found["level"]) == (line, "server", "INFO")
    once = logs.as_object("server", line)
    assert logs.as_object("again", once) == once


FLOW = """
import logging
from prefect import flow, get_run_logger
from prefect.logging import get_logger

@flow
def one():
    get_run_logger().info("by the run's logger")
    logging.getLogger("a.library").warning("by a library")
    raise ValueError("on purpose")

get_logger("sentinel.worker").info("without a run")
one()
"""


def test_a_run_of_prefect_logs_json_with_its_id(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", server.api_url)
    monkeypatch.setenv(logs.VARIABLE, "json")
    for name, value in logs.PREFECT.items():
        monkeypatch.setenv(name, value)
    code = f"from sentinel_core.base import logs\nlogs.configure()\n{FLOW}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert all(map(logs.parsed, done.stderr.splitlines())), done.stderr
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert "by the run's logger" in {one["message"] for one in found}, done.stderr
    by_message = {one["message"]: one for one in found}
    assert "flow_run_id" not in by_message["without a run"]
    run = by_message["by the run's logger"]["flow_run_id"]
    assert by_message["by a library"]["flow_run_id"] == run
    assert by_message["not caught"]["exception"]["message"] == "on purpose"
    [failed] = [one for one in found if "exception" in one and one["message"] != "not caught"]
    assert (failed["flow_run_id"], failed["exception"]["type"]) == (run, "ValueError")


def test_the_viewer_and_the_api_write_nothing_but_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    for command in ("viewer", "api"):
        log = tmp_path / f"{command}.log"
        with log.open("w") as output:
            arguments = [command, "--port", str(free_port())]
            process = subprocess.Popen(
                [sys.executable, "-m", "sentinel_core.cli", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: "127.0.0.1" in log.read_text(), what=command)  # noqa: B023
        finally:
            process.terminate()
            process.wait(30)
        lines = log.read_text().splitlines()
        assert lines
        assert all(logs.parsed(line) for line in lines), lines


def test_the_log_of_what_is_started_is_json_and_problems_are_still_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    said: list[str] = []
    error = logs.JsonLines().format(
        logging.LogRecord("x", logging.ERROR, "", 0, "it broke", None, None)
    )
    code = f"print('a banner'); print(); print({error!r})"
    log = tmp_path / "server.log"
    child = ManagedProcess(
        "server", [sys.executable, "-c", code], {}, log, lambda _name, text: said.append(text)
    )
    wait_for(lambda: said, what="the problem")
    child.stop(5)
    assert said == ["it broke"]
    texts = [one for line in log.read_text().splitlines() if (one := logs.parsed(line))]
    assert len(texts) == len(log.read_text().splitlines())
    assert [one["message"] for one in texts] == ["a banner", "it broke"]
