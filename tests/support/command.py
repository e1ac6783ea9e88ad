"""The `sentinel` command as a person's shell runs it: a process of its own over a real store."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sentinel_core.cli import main
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, ROOT


@dataclass(frozen=True)
class Command:
    """`sentinel …` over the event store at `url`, run by the user `ana`."""

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
        env = {**clean_environment(self.folder), "LOGNAME": "ana", "COLUMNS": "200"}
        return subprocess.run(
            [str(BIN / "sentinel"), *arguments],
            env={**env, "SENTINEL_DATABASE_URL": self.url, **self.env},
            cwd=ROOT,
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=120,
            check=False,
        )


def refused_here(capture: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Like `Command.refused`, in this process over the test's own store.

    For tables of what can't be: the imports of a new process would take most of the time.
    """
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
