"""What a rule may say besides what it measures. Pure data; knows no Prefect and no database."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from sentinel_core.alert import Importance, clean_text
from sentinel_core.condition import YEAR_SECONDS, Conditions, Seconds

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


class Meaning(StrEnum):
    """What it means for a rule that something could not be judged."""

    EVENT = "event"  # people should know: an event of its own
    KEEP = "keep"  # no news: what fires goes on firing, what is ok stays ok
    OK = "ok"  # as good as measured and not triggered


class Stale(StrEnum):
    """What becomes of a run that starts long after it was due."""

    ONCE = "once"  # it is skipped when a later one is due as well
    SKIP = "skip"  # it is skipped
    MARK = "mark"  # it is evaluated; its reason says how late it was


class Flapping(BaseModel):
    """When a series counts as flapping: the share of its last 21 states that changed, in percent.

    Newer changes weigh more, from 0.8 for the oldest of the 20 possible to 1.2 (as Icinga does).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_percent: Annotated[float, Field(gt=0, le=100)] = 30
    stop_percent: Annotated[float, Field(ge=0, le=100)] = 25

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.stop_percent > self.start_percent:
            raise ValueError("flapping would stop before it starts: stop_percent ≤ start_percent")
        return self


class Policy(BaseModel):
    """When what a rule measures becomes an event, how long it stays one, and what is told of it.

    Times are counted from when runs were due: the same history gives the same decisions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    breaches: Annotated[int, Field(ge=1, le=1000, description="in a row, until an event opens")] = 1
    of_last: Annotated[
        int | None, Field(ge=2, le=100, description="`breaches` of so many, not in a row")
    ] = None
    recoveries: Annotated[int, Field(ge=1, le=1000, description="oks in a row, until it ends")] = 1
    keep_firing_seconds: Annotated[
        FiniteFloat,
        Field(ge=0, le=YEAR_SECONDS, description="an event lasts on after its last breach"),
    ] = 0
    cooldown_seconds: Annotated[
        FiniteFloat, Field(ge=0, le=YEAR_SECONDS, description="from an event's end to the next one")
    ] = 0
    max_notifications_per_hour: Annotated[
        int | None, Field(ge=1, le=1000, description="of this rule; the rest waits for its turn")
    ] = None
    repeat_seconds: Annotated[
        Seconds | None, Field(description="remind, while nobody has acknowledged")
    ] = None
    expire_seconds: Annotated[
        Seconds | None, Field(description="an event that no run confirms ends after so long")
    ] = None
    notify_resolved: Annotated[bool, Field(description="tell of the end as well")] = False
    sticky_acknowledgement: Annotated[
        bool, Field(description="a higher importance does not reopen what was acknowledged")
    ] = False
    on_error: Annotated[
        Meaning, Field(description="a check that fails: an event, no news (keep), or ok")
    ] = Meaning.EVENT
    errors: Annotated[int, Field(ge=1, le=1000, description="in a row, until that is an event")] = 1
    on_no_data: Annotated[
        Meaning, Field(description="a check that finds no value: an event, no news (keep), or ok")
    ] = Meaning.EVENT
    no_data: Annotated[
        int, Field(ge=1, le=1000, description="in a row, until that is an event")
    ] = 1
    on_missing: Annotated[
        Meaning, Field(description="a ticker that is no longer among the outputs: as above")
    ] = Meaning.KEEP
    flapping: Annotated[
        Flapping | None, Field(description="null: never; by default 30 % to start, 25 % to stop")
    ] = Flapping()
    stale_seconds: Annotated[
        Seconds | None, Field(description="a run that starts later than this is out of date")
    ] = 120
    on_stale: Annotated[
        Stale,
        Field(description="such a run: only the newest counts (once), none (skip), or all (mark)"),
    ] = Stale.ONCE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.of_last is not None and self.of_last < self.breaches:
            raise ValueError(f"{self.breaches} breaches of the last {self.of_last} can't be")
        return self


class Inhibition(BaseModel):
    """While the rule that says this fires, nobody is told of those it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Annotated[str, Field(min_length=1, max_length=200, description="a name, * and ? allowed")]
    same_ticker: bool = True


Inhibits = Annotated[tuple[str | Inhibition, ...], Field(max_length=100)]
"""Rules by name or pattern; a plain name mutes for the same ticker only."""


class RuleSettings(BaseModel):
    """A rule's own settings: its deployment's parameters but for `check`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    importance: Importance = Importance.MEDIUM
    category: Annotated[str, AfterValidator(clean_text)] = "General"
    display_duration_minutes: DisplayMinutes = DEFAULT_DISPLAY_MINUTES
    notify: Routes = Field(default_factory=Routes)
    runbook: Annotated[str, AfterValidator(clean_text)] | None = None
    conditions: Conditions = ()
    policy: Policy = Field(default_factory=Policy)
    inhibits: Inhibits = ()

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]:
        """What `inhibits` says, each as the longer form."""
        return tuple(
            Inhibition(rule=item) if isinstance(item, str) else item for item in self.inhibits
        )
