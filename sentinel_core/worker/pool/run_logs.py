"""Which log lines of a run go to Prefect's UI: everything but what the engine says of every run.

"Beginning flow run", "Finished in state": a row each in Prefect's database and a request for the
run, for what the run's states say as well. Lines of rules, and warnings of everybody, always go.
"""

import logging

from prefect import flow_engine, task_engine
from prefect.logging.handlers import APILogHandler

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
_ENGINE = {flow_engine.__file__, task_engine.__file__}


def is_wanted(record: logging.LogRecord) -> bool:
    """False for a line of Prefect's engine below WARNING."""
    return record.levelno >= logging.WARNING or record.pathname not in _ENGINE


def leave_out_engine_lines() -> None:
    """Have the handlers of runs' logs send nothing else to Prefect's API."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, APILogHandler) and is_wanted not in handler.filters:
                handler.addFilter(is_wanted)
