"""A script of any language as a trigger: parameters in as JSON, AlertOutput out as JSON."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, Importance, SentinelError, Trigger
from sentinel_core.base.errors import OutputError
from sentinel_core.model.alert import load_outputs
from triggers.custom._process import Outcome, run
from triggers.sources.allowed import allowed_file, file_warning, variable_warning
from triggers.sources.decoding import UndecodableError, decode
from triggers.sources.errors import AccessError
from triggers.sources.unusable import Warnings, missing_path

STDOUT_LIMIT = 2 << 20  # bytes
STDERR_KEPT = 4_000  # characters
_LONGEST_SECONDS = 600
_ALWAYS_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class ScriptError(SentinelError):
    """A script could not be started, or failed."""


class Script(Trigger):
    """A script in any language reports what it measured."""

    display_name: ClassVar[str] = "Script"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "General"
    timeout_seconds: ClassVar[float] = _LONGEST_SECONDS + 60

    path: str = Field(min_length=1, description="the script, relative to the working directory")
    interpreter: str = Field(
        "python3", min_length=1, description="a program's path, or its name on the PATH"
    )
    arguments: list[str] = Field(default=[], description="the script's command line")
    parameters: dict[str, Any] = Field(default={}, description="given to the script on stdin")
    script_timeout_seconds: float = Field(
        60, gt=0, le=_LONGEST_SECONDS, description="how long the script may run, in seconds"
    )
    pass_environment: list[str] = Field(
        default=[], description="environment variables the script is given, by name"
    )
    working_directory: str | None = Field(
        None, description="working directory of the script; empty: that of the rule's run"
    )

    def check(self) -> list[AlertOutput]:
        """Run the script. Raises ScriptError, and OutputError for invalid output."""
        return self.evaluate(self.read())

    def check_warnings(self) -> Warnings:
        """Files that rules may not read or that are missing here; variables they may not read."""
        folder = Path(self.working_directory or ".").expanduser()
        script = folder / Path(self.path).expanduser()
        refused = [
            ("working_directory", file_warning(folder)),
            ("path", file_warning(script)),
            *(("pass_environment", variable_warning(name)) for name in self.pass_environment),
        ]
        if found := [(field, said) for field, said in refused if said]:
            return found
        return missing_path("working_directory", "folder", folder) or missing_path(
            "path", "script", script
        )

    def read(self) -> Outcome:
        """Run the script until it ends or reaches a limit."""
        folder = Path(self.working_directory or ".").expanduser().absolute()
        allowed_file(folder)
        if not folder.is_dir():
            raise ScriptError(f"there is no working directory {folder}")
        script = folder / Path(self.path).expanduser()
        allowed_file(script)
        if not script.is_file():
            raise ScriptError(f"there is no script {script}")
        try:
            return run(
                [self._program(folder), str(script), *self.arguments],
                stdin=json.dumps(self.parameters).encode(),
                environment=self._environment(),
                folder=folder,
                timeout_seconds=self.script_timeout_seconds,
                stdout_limit=STDOUT_LIMIT,
                stderr_kept=4 * STDERR_KEPT,  # a character takes up to four bytes
            )
        except OSError as error:
            raise ScriptError(f"{self.interpreter} could not be started: {error}") from error

    def _program(self, folder: Path) -> str:
        """The interpreter's path; one with a slash is relative to the working directory."""
        wanted = self.interpreter
        if os.sep in wanted:
            wanted = str(folder / Path(self.interpreter).expanduser())
        found = shutil.which(wanted)
        if found is None:
            raise ScriptError(f"there is no program {wanted} to run {self.path} with")
        return found

    def _environment(self) -> dict[str, str]:
        for name in self.pass_environment:
            if refusal := variable_warning(name):
                raise AccessError(f"pass_environment: {refusal}")
        missing = [name for name in self.pass_environment if name not in os.environ]
        if missing:
            raise ScriptError(f"environment variables to pass on are not set: {missing}")
        names = [*_ALWAYS_PASSED, *self.pass_environment]
        return {name: os.environ[name] for name in names if name in os.environ}

    def evaluate(self, outcome: Outcome) -> list[AlertOutput]:
        """The script's output as AlertOutputs. Raises ScriptError and OutputError."""
        stderr = outcome.stderr.decode("utf-8", errors="replace")[-STDERR_KEPT:].strip()
        said = f"\nstderr ends with:\n{stderr}" if stderr else "\nIt wrote nothing to stderr."
        if ended_badly := self._ended_badly(outcome):
            raise ScriptError(f"{self.path} {ended_badly}.{said}")
        try:
            return load_outputs(_with_stderr(_documents(bytes(outcome.stdout)), stderr))
        except OutputError as error:
            raise OutputError(f"{self.path}: {error}{said}") from error

    def _ended_badly(self, outcome: Outcome) -> str | None:
        if outcome.timed_out:
            return f"did not end within {self.script_timeout_seconds:g} s and was stopped"
        if outcome.too_much:
            return f"printed more than {STDOUT_LIMIT:,} bytes and was stopped"
        if outcome.exit_code < 0:
            return f"was ended by signal {_signal_name(-outcome.exit_code)}"
        return f"ended with exit code {outcome.exit_code}" if outcome.exit_code else None


def _documents(stdout: bytes) -> list[Any]:
    """The one JSON document of a script as a list of outputs. Raises OutputError."""
    try:
        text = decode(stdout).strip()
    except UndecodableError as error:
        raise OutputError(f"stdout: {error}; print UTF-8") from error
    if not text:
        raise OutputError("it printed nothing; expected an AlertOutput as JSON on stdout")
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise OutputError(
            f"stdout, {len(text):,} characters, is not one JSON document ({error}). Print the "
            "AlertOutput and nothing else; everything for people goes to stderr"
        ) from error
    return found if isinstance(found, list) else [found]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _with_stderr(documents: list[Any], stderr: str) -> list[Any]:
    """Each output with the end of stderr as evidence; validation comes later."""
    if not stderr:
        return documents
    return [
        {**item, "metadata": {**metadata, "stderr": stderr}}
        if isinstance(item, dict) and isinstance(metadata := item.get("metadata", {}), dict)
        else item
        for item in documents
    ]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
