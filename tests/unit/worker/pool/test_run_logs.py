"""What a run's log in Prefect has: the rule's lines and all warnings, not the engine's."""

import logging

import pytest
from prefect import flow_engine
from prefect.logging import loggers

from sentinel_core.worker.pool.run_logs import is_wanted, leave_out_engine_lines


@pytest.mark.parametrize(
    ("path", "level", "wanted"),
    [
        (flow_engine.__file__, logging.INFO, False),
        (flow_engine.__file__, logging.WARNING, True),
        (loggers.__file__, logging.INFO, True),  # a flow's print(), with log_prints
        (__file__, logging.INFO, True),
        (__file__, logging.DEBUG, True),
    ],
)
def test_only_what_the_engine_says_of_every_run_is_left_out(
    path: str, level: int, wanted: bool
) -> None:
    record = logging.LogRecord("prefect.flow_runs", level, path, 1, "Beginning", (), None)
    assert is_wanted(record) is wanted


def test_the_handlers_of_runs_get_the_filter_once() -> None:
    leave_out_engine_lines()
    leave_out_engine_lines()
    [handler] = logging.getLogger("prefect.flow_runs").handlers
    try:
        assert handler.filters.count(is_wanted) == 1
    finally:
        for name in ("prefect.flow_runs", "prefect.task_runs"):
            for one in logging.getLogger(name).handlers:
                one.removeFilter(is_wanted)
