"""A finding: the state of one thing, a sentence about it, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class State(StrEnum):
    """The state of one thing. UNKNOWN: it could not be checked, which is never the same as OK."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Finding(BaseModel):
    """One thing that was looked at. `advice` is what to do, where the sentence does not say it."""

    model_config = ConfigDict(frozen=True)

    component: str
    name: str
    state: State
    sentence: str
    advice: str = ""
    data: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the findings about one component."""

    component: str

    def __call__(
        self, name: str, state: State, sentence: str, advice: str = "", /, **data: Any
    ) -> Finding:
        """A finding about the part `name`."""
        return Finding(
            component=self.component,
            name=name,
            state=state,
            sentence=sentence,
            advice=advice,
            data=data,
        )


def is_good(findings: Iterable[Finding]) -> bool:
    """False when something is down or could not be checked."""
    return not any(finding.state in (State.DOWN, State.UNKNOWN) for finding in findings)
