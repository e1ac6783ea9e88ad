"""The evidence of an alert: the run's last log lines, and where its exception was raised."""

import os
import re
import traceback
from typing import Any
from uuid import UUID

from prefect._internal.result_records import ResultRecord
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterTaskRunId
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import LogSort
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from sentinel_core.notify.channel.redact import redact, without_secrets
from sentinel_core.prefect_io.registration import BRIEF

LINES = 20
_LONGEST, _BEGINNING = 1_500, 300  # characters of a line
_SHORTEST = 6  # shorter values are hardly secrets, and would be replaced inside of words
_SECRET = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|_KEY$|CREDENTIAL|AUTH", re.IGNORECASE
)


def secrets_here() -> list[str]:
    """The values of this process's environment variables that have a secret's name."""
    return [
        value
        for name, value in os.environ.items()
        if _SECRET.search(name) and len(value) >= _SHORTEST
    ]


def last_log_lines(flow_run_id: UUID | None, task_run_id: UUID | None) -> list[str]:
    """The last lines of a run's log in Prefect, without secrets, oldest first.

    One line says so where they can't be read.
    """
    if not PREFECT_API_URL.value():
        return []
    wanted = LogFilter(
        flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]) if flow_run_id else None,
        task_run_id=LogFilterTaskRunId(any_=[task_run_id]) if task_run_id else None,
    )
    try:
        APILogWorker.drain_all(timeout=1)  # lines are sent in batches, the last ones late
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            logs = client.read_logs(wanted, limit=LINES, sort=LogSort.TIMESTAMP_DESC)
    except Exception as error:
        return [f"(the log could not be read: {type(error).__name__})"]
    hidden = secrets_here()
    return [
        shortened(without_secrets(f"{log.timestamp:%T} {log.message}", hidden))
        for log in reversed(logs)
    ]


def shortened(line: str) -> str:
    """The beginning and the end of a long line: a traceback ends with what was raised.

    Secrets must be gone from it already: cut in half they are not found.
    """
    if len(line) <= _LONGEST:
        return line
    return f"{line[:_BEGINNING]} … {line[_BEGINNING - _LONGEST + 3 :]}"


def exception_of(state: State[Any]) -> BaseException | None:
    """The exception of a failed run, as far as this process has it."""
    data = state.data.result if isinstance(state.data, ResultRecord) else state.data
    return data if isinstance(data, BaseException) else None


def last_frame(error: BaseException | None) -> dict[str, Any] | None:
    """The exception's class, and the file, line and function in which it was raised."""
    if error is None:
        return None
    kind = {"exception": f"{type(error).__module__}.{type(error).__qualname__}"}
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return kind
    last = frames[-1]
    code = redact(last.line or "", secrets_here())
    return {**kind, "file": last.filename, "line": last.lineno, "function": last.name, "code": code}
