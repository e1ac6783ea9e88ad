"""What a rule may say besides what it measures. Pure data; knows no Prefect and no database."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from sentinel_core.alert import Importance, clean_text

BlockSlug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$"),
]
"""A Prefect notification block: `block-type-slug/block-name`."""

DEFAULT_DISPLAY_MINUTES = 1440
DisplayMinutes = Annotated[int, Field(ge=1, le=525_600)]
"""At most a year: what a database and a calendar can hold."""


class Routes(BaseModel):
    """Which Prefect notification blocks (type/name) hear of which importance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: list[BlockSlug] = []
    high: list[BlockSlug] = []
    medium: list[BlockSlug] = []
    low: list[BlockSlug] = []

    def channels(self, importance: Importance) -> list[str]:
        """The channels of one importance, each once, in the order written."""
        chosen: list[str] = getattr(self, importance.value)
        return list(dict.fromkeys(chosen))


class RuleSettings(BaseModel):
    """A rule's own settings: its deployment's parameters but for `check`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    importance: Importance = Importance.MEDIUM
    category: Annotated[str, AfterValidator(clean_text)] = "General"
    display_duration_minutes: DisplayMinutes = DEFAULT_DISPLAY_MINUTES
    notify: Routes = Field(default_factory=Routes)
    runbook: Annotated[str, AfterValidator(clean_text)] | None = None
