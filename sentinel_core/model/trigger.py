"""The base class of all triggers. Knows no Prefect and no database."""

import asyncio
import inspect
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict

from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.attempts import TriggerAttempts

MARK = "x-sentinel-trigger"
TIMEOUT_MARK = "x-sentinel-timeout-seconds"
ATTEMPTS_MARK = "x-sentinel-attempts"


@dataclass(frozen=True, slots=True)
class PastEvaluation:
    """One recorded evaluation of this rule. `metrics` are finite numbers by name.

    `metadata` is the evidence that was returned with them. `acknowledged`: a person has
    acknowledged its event since, for good.
    """

    at: datetime
    ticker: str
    triggered: bool
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    acknowledged: bool = False


class History(Protocol):
    """A rule's recorded evaluations, read from the event store on demand."""

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        """The newest evaluations, newest first, of one ticker or of all.

        Raises HistoryUnavailableError when the store can't be read.
        """
        ...


@runtime_checkable
class PingedHistory(History, Protocol):
    """A history that also knows when jobs outside Prefect last said that they ran."""

    def pings(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """The time of the last ping of each of these keys that had one.

        Raises HistoryUnavailableError when the store can't be read.
        """
        ...


class NoHistory:
    """The history of a rule that was never evaluated."""

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:  # noqa: ARG002
        """An empty list."""
        return []


def _mark(schema: dict[str, Any], trigger: type["Trigger"]) -> None:
    """Marks a deployment's parameter schema as that of a rule."""
    schema[MARK] = trigger.slug()
    schema[TIMEOUT_MARK] = trigger.longest_seconds()
    schema[ATTEMPTS_MARK] = attempts_of(trigger).model_dump()


class Trigger(BaseModel):
    """A check that rules can use. Its fields are parameters, its docstring is the description.

    A subclass defines `check(self)` or, to read its own past, `check(self, history)`, sync or
    async. It returns an AlertOutput, or a list with one for each ticker, and raises when it could
    not measure: an error is never "not triggered".
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra=cast("Any", _mark),
    )

    display_name: ClassVar[str] = ""
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "General"
    timeout_seconds: ClassVar[float] = 60
    retries: ClassVar[int] = 0
    retry_delay_seconds: ClassVar[float] = 1

    @classmethod
    def slug(cls) -> str:
        """`PriceSurge` → `price-surge`: the name of the flow and of the task."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def longest_seconds(cls) -> float:
        """Seconds that a run may take with all its attempts, half a minute for Prefect included."""
        return attempts_of(cls).longest_seconds

    def check_warnings(self) -> Sequence[tuple[str, str]]:
        """What looks wrong in the parameters without checking: a field, and a sentence about it.

        `sentinel rules check` prints them. It may run on another machine than the check itself.
        """
        return []

    def why_closed(self, at: datetime) -> str | None:  # noqa: ARG002
        """Why a run that is due at this time has nothing to check; None if it has.

        Such a run changes nothing: open events stay open, and the rule is not silent.
        """
        return None

    def measure(self, history: History) -> object:
        """Run `check` (sync or async, with or without history) and return its result unchecked."""
        check = cast("Any", self).check
        wants_history = "history" in inspect.signature(check).parameters
        result = check(history) if wants_history else check()
        if inspect.iscoroutine(result):
            return asyncio.run(cast("Coroutine[Any, Any, object]", result))
        return cast("object", result)


def attempts_of(trigger: type[Trigger]) -> TriggerAttempts:
    """How often the check is tried and how long it may take, unless a rule says otherwise.

    Not a method: a trigger may have a parameter of this name.
    """
    return TriggerAttempts(
        timeout_seconds=trigger.timeout_seconds,
        retries=trigger.retries,
        retry_delay_seconds=trigger.retry_delay_seconds,
    )


__all__ = ["AlertOutput", "History", "Importance", "NoHistory", "PastEvaluation", "Trigger"]
