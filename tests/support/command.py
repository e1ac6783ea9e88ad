"""The `sentinel` command as a person's shell runs it, over a real store."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, ROOT
from tests.support.stores import variable_for


@dataclass(frozen=True)
class Command:
    """`sentinel …` over the event store at `url`, run by the user `ana`.

    It runs in this process, as the imports of a new one would take most of the time;
    test_command.py shows that a process of its own answers the same.
    """

    url: str
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What the command prints on success, with its errors; the exit code must be `code`."""
        done = self.run(*arguments)
        said = done.stdout + done.stderr
        assert done.returncode == code, (
            f"{' '.join(arguments)} ended with {done.returncode}:\n{said}"
        )
        assert "Traceback" not in said, said
        return said

    def json(self, *arguments: str) -> Any:
        """What the command prints with --json."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str) -> str:
        """The one sentence with which the command says that it can't."""
        done = self.run(*arguments)
        return _only_sentence(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
        environment, path = dict(os.environ), sys.path.copy()
        os.environ.clear()
        os.environ.update(self.environment)
        get_settings.cache_clear()
        try:
            with (
                contextlib.chdir(ROOT),
                contextlib.redirect_stdout(streams[0]),
                contextlib.redirect_stderr(streams[1]),
                pytest.raises(SystemExit) as exit_,
            ):
                main(list(arguments))
        finally:
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:] = path
            get_settings.cache_clear()
        out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
        return subprocess.CompletedProcess(list(arguments), int(str(exit_.value.code)), out, err)

    def spawn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it in a process of its own, whatever comes of it."""
        return subprocess.run(
            [str(BIN / "sentinel"), *arguments],
            env=self.environment,
            cwd=ROOT,
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=patient(300),
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the command knows of its surroundings."""
        env = {**clean_environment(self.folder), "LOGNAME": "ana", "COLUMNS": "200"}
        store = {
            "SENTINEL_DATABASE_URL": self.url,
            "SENTINEL_STORE_VARIABLE": variable_for(self.url),
        }
        return {**env, **store, **self.env}


def changes(printed: str) -> dict[str, Any]:
    """The JSON of a command that changes something, which has one form everywhere."""
    said: dict[str, Any] = json.loads(printed)
    assert {"ok", "changed", "unchanged"} <= said.keys()
    for item in said["changed"] + said["unchanged"]:
        assert item.keys() & {"id", "name"}, item
        assert item["sentence"]
    assert all(item["code"] for item in said["unchanged"])
    return said


def refused_here(capture: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Like `Command.refused`, in the environment and over the store of the test itself."""
    capture.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capture.readouterr()
    return _only_sentence(int(str(exit_.value.code)), out, err)


def _only_sentence(code: int, out: str, err: str) -> str:
    assert (code, out) == (1, ""), f"{code}: {out}{err}"
    [sentence] = err.splitlines()
    assert sentence.startswith("sentinel: ")
    return sentence.removeprefix("sentinel: ")
