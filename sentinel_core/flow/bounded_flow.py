"""A flow whose timeout is that of the rule it runs, which may differ from its trigger's."""

from collections.abc import Callable, Mapping
from typing import Any

from prefect import Flow, Task
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.utilities.callables import ParameterSchema
from pydantic import ValidationError

from sentinel_core.model.alert import Outputs
from sentinel_core.model.attempts import Attempts, TriggerAttempts


class BoundedFlow(Flow[..., State[Any]]):
    """Prefect asks a flow for its timeout once the run's parameters are known.

    The schema of its parameters is derived when it is first asked for, as a file of many flows is
    often imported for one of them.
    """

    attempts: TriggerAttempts | None = None
    schema: Callable[[], ParameterSchema] | None = None
    _timeout: float | None = None
    _parameters: ParameterSchema

    @property
    def parameters(self) -> ParameterSchema:
        """What `schema` returns, else what Prefect has derived from the function."""
        if (derive := self.schema) is not None:  # once: another thread may ask meanwhile
            self._parameters, self.schema = derive(), None
        return self._parameters

    @parameters.setter
    def parameters(self, value: ParameterSchema) -> None:
        self._parameters, self.schema = value, None

    @property
    def timeout_seconds(self) -> float | None:
        """That of the run under way, else that of a rule which changes nothing."""
        context = FlowRunContext.get()
        if context is None or context.flow is None or context.flow.name != self.name:
            return self._timeout
        return self.timeout_of(context.parameters or {})

    @timeout_seconds.setter
    def timeout_seconds(self, value: float | None) -> None:
        self._timeout = value

    def timeout_of(self, parameters: Mapping[str, Any]) -> float | None:
        """The timeout of a run with these parameters."""
        given = attempts_in(parameters)
        if self.attempts is None or given == Attempts():
            return self._timeout
        return self.attempts.changed_by(given).longest_seconds


def attempts_in(parameters: Mapping[str, Any]) -> Attempts:
    """A rule's attempts among its parameters; those that can't be read count as not given."""
    try:
        return Attempts.model_validate(dict(parameters))
    except ValidationError:
        return Attempts()


def tried_as(
    task: Task[..., Outputs], attempts: TriggerAttempts, rule: Attempts
) -> Task[..., Outputs]:
    """The task of a check, tried as its rule says."""
    if rule == Attempts():
        return task
    changed = attempts.changed_by(rule)
    return task.with_options(
        retries=changed.retries,
        retry_delay_seconds=changed.retry_delay_seconds,
        timeout_seconds=changed.timeout_seconds,
    )
