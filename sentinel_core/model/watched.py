"""Hooks on people's own flows and tasks, as they are recorded. Pure data."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import StateType


class HookKind(StrEnum):
    """The question that a hook answers about a run."""

    FAILURE = "failure"
    TIMEOUT = "timeout"
    CRASH = "crash"
    SLOW = "slow"
    RESULT = "result"
    CHECK = "check"  # of data, inside a run


class Hook(BaseModel):
    """One hook of a flow, or of a task of it.

    `states` are the ends of a run at which Prefect calls it. With `leaves_timeouts`, another hook
    of the flow handles timeouts. `rule` names the rule whose policy and routes it takes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: HookKind
    ticker: str
    task: str = ""
    task_key: str = ""  # Prefect's name of the task in its task runs
    rule: str = ""
    settings: RuleSettings = RuleSettings()
    given: tuple[str, ...] = ()  # the settings written at the hook, which go before the rule's
    states: tuple[StateType, ...] = ()
    leaves_timeouts: bool = False
    seconds: Annotated[float | None, Field(ge=0)] = None  # the limit of a slow run
    timeout_seconds: float | None = None  # that of the flow or task
