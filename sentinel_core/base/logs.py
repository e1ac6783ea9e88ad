"""Logs as JSON, one object a line, where SENTINEL_LOG_FORMAT is json (docs/logs.md).

Prefect sets up logging for the processes that import it, by a configuration of which environment
variables replace parts. Those of PREFECT have it use what is here. Nothing but the standard library
is imported: Prefect imports this module while it is being imported itself.
"""

import io
import json
import logging
import os
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

VARIABLE = "SENTINEL_LOG_FORMAT"
PREFECT = {
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": f"{__name__}.JsonLines",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": f"{__name__}.Stream",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER": "json",
}
"""The environment of a process in which Prefect logs JSON."""


def wanted() -> bool:
    """True if this process is to log JSON."""
    return os.environ.get(VARIABLE, "").strip().lower() == "json"


class JsonLines(logging.Formatter):
    """A record as a JSON object on one line."""

    def __init__(self, *_given: Any, **_further: Any) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """The object: time, level, logger, message; the ids of runs and the exception if any."""
        at = datetime.fromtimestamp(record.created, UTC)
        found: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        if run := _flow_run(record):
            found["flow_run_id"] = run
        if task := getattr(record, "task_run_id", None):
            found["task_run_id"] = str(task)
        if record.exc_info and record.exc_info[0]:
            found["exception"] = {
                "type": record.exc_info[0].__name__,
                "message": str(record.exc_info[1]),
                "traceback": self.formatException(record.exc_info),
            }
        return json.dumps(found)


class Stream(logging.StreamHandler[TextIO]):
    """Writes to a stream; takes and ignores the colours of Prefect's own handler."""

    def __init__(self, stream: TextIO | None = None, **_styles: object) -> None:
        super().__init__(stream)
        self.setFormatter(JsonLines())


class Lines(io.TextIOBase):
    """In place of stdout: what a program prints for people becomes an object for each line."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name, self._stream, self._rest = name, stream, ""

    def write(self, text: str) -> int:
        """Write each line that is complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._stream.write(as_object(self._name, line) + "\n")
        return len(text)

    def flush(self) -> None:
        """Flush what has been written."""
        self._stream.flush()


def parsed(line: str) -> dict[str, Any] | None:
    """The object of a line that is one of ours; None for any other."""
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= {"level", "message"} else None


def as_object(name: str, line: str) -> str:
    """The line as a JSON object, if it isn't one."""
    if parsed(line) is not None:
        return line
    return JsonLines().format(logging.LogRecord(name, logging.INFO, "", 0, line, None, None))


def configure(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make this process and those it starts log JSON, if that is wanted."""
    if not wanted():
        return
    for name, value in PREFECT.items():
        environment.setdefault(name, value)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(Stream())
    sys.excepthook = _uncaught


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Log what nobody caught, which Python prints over many lines."""
    logging.getLogger("sentinel").critical("not caught", exc_info=(kind, error, traceback))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit are no reason to lose it
        return f"{record.msg} {record.args}"


def _flow_run(record: logging.LogRecord) -> str | None:
    """The id of the flow run that the record is of, or in which it was made."""
    if given := getattr(record, "flow_run_id", None):
        return str(given)
    context = getattr(sys.modules.get("prefect.context"), "FlowRunContext", None)
    run = getattr(context.get(), "flow_run", None) if context else None
    return str(run.id) if run else None
