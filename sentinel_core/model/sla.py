"""Prefect's service level agreements: the entries of a deployment's `sla` list, validated."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from sentinel_core.model.alert import Importance
from sentinel_core.model.condition import Seconds

_SPAN: TypeAdapter[timedelta] = TypeAdapter(timedelta)


class Severity(StrEnum):
    """Prefect's severities."""

    MINOR = "minor"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def importance(self) -> Importance:
        """The importance of an event about it."""
        return _IMPORTANCE[self]


_IMPORTANCE = {
    Severity.MINOR: Importance.LOW,
    Severity.LOW: Importance.LOW,
    Severity.MODERATE: Importance.MEDIUM,
    Severity.HIGH: Importance.HIGH,
    Severity.CRITICAL: Importance.CRITICAL,
}


class SlaKind(StrEnum):
    """The three kinds of SLA, each by the key that makes an entry one."""

    TIME_TO_COMPLETION = "duration"
    LATENESS = "within"
    FREQUENCY = "stale_after"


def _seconds(value: Any) -> Any:
    """Text such as PT1H or 01:00:00 as seconds, which Prefect takes as well; the rest as it is."""
    return _SPAN.validate_python(value).total_seconds() if isinstance(value, str) else value


_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Span = Annotated[Seconds, BeforeValidator(_seconds)]


class Sla(BaseModel):
    """One entry of a deployment's `sla` list, with Prefect's keys. Durations are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name = Field(description="unique among the SLAs of its deployment")
    severity: Severity = Field(Severity.MODERATE, description="becomes the event's importance")
    duration: _Span | None = Field(None, description="a run takes at most so many seconds")
    within: _Span | None = Field(
        None, description="a run starts at most so many seconds after it was due"
    )
    stale_after: _Span | None = Field(
        None, description="a run completes at most so many seconds after the one before"
    )
    enabled: bool = Field(True, description="false: not watched")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        given = [kind.value for kind in SlaKind if getattr(self, kind.value) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected one of {', '.join(SlaKind)}, got {' and '.join(given) or 'none of them'}"
            )
        return self

    @property
    def kind(self) -> SlaKind:
        """What is promised."""
        return next(kind for kind in SlaKind if getattr(self, kind.value) is not None)

    @property
    def limit(self) -> float:
        """The seconds that are promised."""
        return float(getattr(self, self.kind.value))


class WatchedSla(Sla):
    """An SLA with the deployment it is about."""

    deployment: Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$")] = Field(
        description="the deployment, as flow/name"
    )

    @property
    def title(self) -> str:
        """The name of its series."""
        return f"{self.deployment}: {self.name}"
