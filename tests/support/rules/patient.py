"""A rule whose check fails at first, and says how long its run may take."""

import time
from typing import ClassVar

from prefect.context import FlowRunContext, TaskRunContext

from sentinel_core import AlertOutput, Trigger, rule_flow


class Patient(Trigger):
    """Succeeds at its last attempt."""

    timeout_seconds: ClassVar[float] = 20

    failures: int = 0
    seconds: float = 0

    def check(self) -> AlertOutput:
        """The attempt that succeeded, and the timeout of the flow."""
        task, flow = TaskRunContext.get(), FlowRunContext.get()
        assert task is not None
        assert flow is not None
        assert flow.flow is not None
        time.sleep(self.seconds)
        if task.task_run.run_count <= self.failures:
            raise RuntimeError("not yet")
        limit = flow.flow.timeout_seconds
        assert limit is not None
        return AlertOutput(
            triggered=True, metrics={"attempt": task.task_run.run_count, "limit": limit}
        )


patient = rule_flow(Patient)
