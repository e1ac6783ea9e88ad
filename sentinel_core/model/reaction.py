"""What a rule does about an event besides notifying: runs it starts or retries. Pure data."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

DeploymentName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=400, pattern=r"^[^/]+/[^/]+$")
]
"""A Prefect deployment: `flow-name/deployment-name`."""

EVENT_TEXTS = ("rule", "ticker", "kind", "category", "importance", "message", "at", "run_id")
"""The event's values that are text."""
_MEASURED = ("metrics", "metadata")
_REFERENCE = re.compile(r"{{([^{}]*)}}")
_NAME = re.compile(r"[\w\-]+(\.[\w\-]+|\[\d+\])*")
_LONGEST_TEXT = 20_000


class Occasion(StrEnum):
    """The change of an event that a reaction answers."""

    OPEN = "open"
    RESOLVE = "resolve"
    ESCALATE = "escalate"


class ReactionStatus(StrEnum):
    """The state of a reaction."""

    WAITING = "waiting"  # for somebody's approval
    PENDING = "pending"  # to be started
    STARTED = "started"  # its run exists and has not ended
    ENDED = "ended"  # its run has ended, well or badly; a schedule was resumed
    SKIPPED = "skipped"  # not started, because something is in the way; the code says what
    FAILED = "failed"  # could not be started


class ReactionCode(StrEnum):
    """Why a reaction did not start, or ended badly."""

    BOUND = "bound"  # as many as allowed were started within the hour
    LOOP = "loop"  # the event was caused by the same reaction
    MUTED = "muted"  # the event is silenced or inhibited
    EVENT_ENDED = "event-ended"  # nobody had approved before the event ended
    PARAMETERS = "parameters"  # a value of the event that the parameters name is missing
    DEPLOYMENT_MISSING = "deployment-missing"
    REFUSED = "refused"  # by Prefect, which says why
    NO_RUN = "no-run"  # the event names no run that could be retried
    NOT_FAILED = "not-failed"  # the run to be retried has not failed, or no longer
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    RUN_FAILED = "run-failed"
    RUN_DELETED = "run-deleted"


NEVER_BEGUN = (ReactionCode.BOUND, ReactionCode.LOOP, ReactionCode.MUTED)
"""Codes of reactions that were decided against at once; they do not count for the bound."""

EventKind = Literal["alert", "failure", "silent", "error", "no_data"]


class Reaction(BaseModel):
    """One thing to do: run a deployment, retry the failed run, or resume a paused deployment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Annotated[
        DeploymentName | None,
        Field(description="Deployment to run: flow-name/deployment-name."),
    ] = None
    parameters: Annotated[
        dict[str, Any],
        Field(
            max_length=100,
            description="Parameters of that run, over the deployment's own; "
            "{{ event.ticker }} stands for a value of the event.",
        ),
    ] = {}
    retry: Annotated[
        Literal["failed-run"] | None,
        Field(description="Retry the failed flow run that the event is about."),
    ] = None
    resume: Annotated[
        DeploymentName | None,
        Field(description="Deployment whose paused schedule is resumed."),
    ] = None
    approval: Annotated[bool, Field(description="Wait until somebody approves it.")] = False
    times_per_hour: Annotated[
        int, Field(ge=1, le=1000, description="How often this may start within an hour.")
    ] = 6
    kinds: Annotated[
        tuple[EventKind, ...],
        Field(min_length=1, max_length=5, description="Kinds of events to react to."),
    ] = ("alert",)

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        actions = [name for name in ("run", "retry", "resume") if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError("give one of run, retry and resume")
        if self.parameters and self.run is None:
            raise ValueError("parameters belong to run")
        for text in _texts(self.parameters):
            for _ in references(text):  # raises for one that is not understood
                pass
        return self

    @property
    def action(self) -> str:
        """`run`, `retry` or `resume`."""
        return "run" if self.run else "retry" if self.retry else "resume"

    @property
    def target(self) -> str:
        """The deployment; for a retry `failed-run`."""
        return self.run or self.retry or self.resume or ""


Reactions = Annotated[tuple[Reaction, ...], Field(max_length=10)]


class MissingValueError(ValueError):
    """The event has no such value."""


def references(text: str) -> Iterator[str]:
    """The names in a text's `{{ event.… }}`, without `event.`. Raises ValueError for others."""
    for match in _REFERENCE.finditer(text):
        yield _name(match)


def filled(parameters: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with the event's values in place of `{{ event.… }}`.

    A parameter that is one reference and nothing else has the value's own type; inside a longer
    text the value is written out. Values are put in once and never read as templates themselves,
    and only texts, numbers and truth values are: no mapping of an event becomes part of a
    parameter, as Prefect gives some mappings a meaning. Raises MissingValueError.
    """
    return {name: _filled(value, event) for name, value in parameters.items()}


def whole_reference(text: Any) -> str | None:
    """The name of a reference that is the whole value; None for anything else."""
    match = _REFERENCE.fullmatch(text.strip()) if isinstance(text, str) else None
    return _name(match) if match else None


def _filled(value: Any, event: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(part, event) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(part, event) for part in value]
    if not isinstance(value, str):
        return value
    if (name := whole_reference(value)) is not None:
        return _looked_up(name, event)
    text = _REFERENCE.sub(lambda match: _written(_looked_up(_name(match), event)), value)
    return text[:_LONGEST_TEXT]


def _name(match: re.Match[str]) -> str:
    # `{{ (event.ticker) }}` is how a value is kept from Prefect, as in message templates.
    written = match[1].strip().removeprefix("(").removesuffix(")").strip()
    name = written.removeprefix("event.")
    first, _, rest = name.partition(".")
    known = name in (*EVENT_TEXTS, "id") or (first in _MEASURED and rest)
    if not written.startswith("event.") or not known or not _NAME.fullmatch(name):
        names = ", ".join(f"event.{each}" for each in (*EVENT_TEXTS, "id"))
        raise ValueError(
            f"{match[0][:80]} is not understood: write {{{{ event.metrics.NAME }}}}, "
            f"{{{{ event.metadata.NAME }}}} or one of {names}"
        )
    return name


def _looked_up(name: str, event: Mapping[str, Any]) -> Any:
    """The value of this name: text, a number, true, false or null."""
    first, _, rest = name.partition(".")
    if first == "metrics":  # their names may have dots
        value = (event.get("metrics") or {}).get(rest)
    else:
        value = event
        for part in re.findall(r"[\w\-]+", name):
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                value = None
    if value is None:
        raise MissingValueError(f"the event has no value event.{name}")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str | int | float):
        raise MissingValueError(f"event.{name} is no single value")
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _written(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
