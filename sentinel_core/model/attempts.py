"""How often a check is tried, and how long it may take. Pure data."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_ALLOWANCE = 30  # seconds of a run for Prefect itself

TimeoutSeconds = Annotated[
    float, Field(ge=1, le=86_400, description="Seconds that one attempt of the check may take.")
]
Retries = Annotated[
    int, Field(ge=0, le=20, description="How often a check that failed is tried again.")
]
RetryDelaySeconds = Annotated[
    float, Field(ge=0, le=3_600, description="Seconds before a check that failed is tried again.")
]


class Attempts(BaseModel):
    """How often a check is tried and how long each attempt may take; None: as the trigger says."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    timeout_seconds: TimeoutSeconds | None = None
    retries: Retries | None = None
    retry_delay_seconds: RetryDelaySeconds | None = None


class TriggerAttempts(BaseModel):
    """The attempts of a trigger's check, where its rule says nothing else."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    timeout_seconds: float
    retries: int
    retry_delay_seconds: float

    def changed_by(self, rule: Attempts) -> "TriggerAttempts":
        """The attempts of a rule that uses the trigger."""
        return self.model_copy(update=rule.model_dump(exclude_none=True))

    @property
    def longest_seconds(self) -> float:
        """Seconds that a run may take with all its attempts, half a minute for Prefect included."""
        waiting = self.retry_delay_seconds * self.retries
        return self.timeout_seconds * (self.retries + 1) + waiting + _ALLOWANCE
