"""A rule's settings besides what it measures. Pure data."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from sentinel_core.model.alert import Importance
from sentinel_core.model.attempts import Attempts, Retries, RetryDelaySeconds, TimeoutSeconds
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.condition import YEAR_SECONDS, Conditions, Seconds
from sentinel_core.model.reaction import Occasion, Reaction, Reactions
from sentinel_core.model.routing import Escalates, Escalation, Route, Routes, Suggestions

DEFAULT_DISPLAY_MINUTES = 1440
DisplayMinutes = Annotated[int, Field(ge=1, le=525_600)]
"""Minutes, at most a year."""


class Meaning(StrEnum):
    """What a check counts as that failed, had no data or left out a ticker."""

    EVENT = "event"  # an event of its own
    KEEP = "keep"  # no change: an open event stays open, what is ok stays ok
    OK = "ok"  # the same as a check that did not trigger


class Stale(StrEnum):
    """What happens to a run that starts long after it was due."""

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
    """When breaches open an event, how long it stays open, and when people are notified.

    Times are counted from when runs were due: the same history gives the same decisions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    breaches: Annotated[
        int, Field(ge=1, le=1000, description="Consecutive breaches needed to open an event.")
    ] = 1
    of_last: Annotated[
        int | None,
        Field(
            ge=2,
            le=100,
            description="Count breaches among this many latest evaluations instead of in a row.",
        ),
    ] = None
    recoveries: Annotated[
        int,
        Field(ge=1, le=1000, description="Consecutive OK evaluations needed to resolve the event."),
    ] = 1
    keep_firing_seconds: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=YEAR_SECONDS,
            description="Keep the event open this long after the last breach.",
        ),
    ] = 0
    cooldown_seconds: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=YEAR_SECONDS,
            description="Minimum time between the end of an event and the start of the next one.",
        ),
    ] = 0
    max_notifications_per_hour: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="Notifications per hour for this rule; further ones are sent later.",
        ),
    ] = None
    repeat_seconds: Annotated[
        Seconds | None,
        Field(description="Interval of reminders until somebody acknowledges the event."),
    ] = None
    expire_seconds: Annotated[
        Seconds | None,
        Field(description="Resolve an event that no run has confirmed for this long."),
    ] = None
    notify_resolved: Annotated[
        bool, Field(description="Also notify when the event is resolved.")
    ] = False
    sticky_acknowledgement: Annotated[
        bool, Field(description="Keep an acknowledgement even when the importance rises.")
    ] = False
    on_error: Annotated[
        Meaning,
        Field(description="What a failed check counts as: an event, no change (keep), or ok."),
    ] = Meaning.EVENT
    errors: Annotated[
        int, Field(ge=1, le=1000, description="Consecutive failed checks needed to open an event.")
    ] = 1
    on_no_data: Annotated[
        Meaning,
        Field(
            description="What a check without data counts as: an event, no change (keep), or ok."
        ),
    ] = Meaning.EVENT
    no_data: Annotated[
        int,
        Field(
            ge=1, le=1000, description="Consecutive checks without data needed to open an event."
        ),
    ] = 1
    on_missing: Annotated[
        Meaning,
        Field(
            description="What a ticker without output counts as: an event, no change (keep), or ok."
        ),
    ] = Meaning.KEEP
    flapping: Annotated[
        Flapping | None,
        Field(description="Flapping detection (30 % to start, 25 % to stop); null: off."),
    ] = Flapping()
    grace_seconds: Annotated[
        Seconds | None,
        Field(
            description="Time after a missed due time until the rule is reported as silent; "
            "null: until the next due time, but at most a day."
        ),
    ] = None
    stale_seconds: Annotated[
        Seconds | None,
        Field(description="Delay from which on a run counts as late; null: never."),
    ] = 120
    on_stale: Annotated[
        Stale,
        Field(description="Late runs to evaluate: the newest (once), none (skip), or all (mark)."),
    ] = Stale.ONCE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.of_last is not None and self.of_last < self.breaches:
            raise ValueError(f"{self.breaches} breaches of the last {self.of_last} can't be")
        return self


class Inhibition(BaseModel):
    """A rule, or several by pattern, that is muted while the rule with this setting fires."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="Name of the rule to mute; * and ? are wildcards.",
        ),
    ]
    same_ticker: bool = True


Inhibits = Annotated[tuple[str | Inhibition, ...], Field(max_length=100)]
"""Rules by name or pattern; a plain name mutes for the same ticker only."""


Templates = Annotated[
    dict[
        Annotated[str, Field(max_length=40)],
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=20_000)]],
    ],
    Field(description="Message templates of this rule, by medium: {slack: {title: …, body: …}}."),
]


Environment = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        description="Where the rule's subject runs, such as production or staging; "
        "it is in every message.",
    ),
]


class RuleSettings(BaseModel):
    """A rule's own settings: all parameters of its deployment except `check`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    importance: Importance = Importance.MEDIUM
    category: Annotated[str, AfterValidator(clean_text)] = "General"
    display_duration_minutes: DisplayMinutes = DEFAULT_DISPLAY_MINUTES
    notify: Routes = Field(default_factory=Routes)
    runbook: Annotated[str, AfterValidator(clean_text)] | None = None
    conditions: Conditions = ()
    policy: Policy = Field(default_factory=Policy)
    inhibits: Inhibits = ()
    escalation: Escalates = Escalation()
    suggestions: Suggestions = ()
    templates: Templates = Field(default_factory=dict)
    environment: Environment | None = None
    on_open: Reactions = ()
    on_resolve: Reactions = ()
    on_escalate: Reactions = ()

    def reactions(self, occasion: Occasion) -> tuple[Reaction, ...]:
        """What the rule does about this change of an event."""
        chosen: tuple[Reaction, ...] = getattr(self, f"on_{occasion}")
        return chosen

    timeout_seconds: TimeoutSeconds | None = None
    retries: Retries | None = None
    retry_delay_seconds: RetryDelaySeconds | None = None

    @property
    def attempts(self) -> Attempts:
        """How often the check is tried, and how long it may take."""
        return Attempts(
            timeout_seconds=self.timeout_seconds,
            retries=self.retries,
            retry_delay_seconds=self.retry_delay_seconds,
        )

    @property
    def effective_policy(self) -> Policy:
        """The policy extended by the routes: the shortest reminder interval of all, and the end of
        an event if any route wants it. Each route then gets only what its own settings say."""
        routes = list(self.notify.every())
        repeats = [r.repeat_seconds for r in routes if r.reminders and r.repeat_seconds is not None]
        changed: dict[str, object] = {}
        if repeats:
            changed["repeat_seconds"] = min([*repeats, self.policy.repeat_seconds or repeats[0]])
        if any(self.wants_end(route) for route in self._all_routes()):
            changed["notify_resolved"] = True
        return self.policy.model_copy(update=changed) if changed else self.policy

    def _all_routes(self) -> list[Route]:
        """The routes of all importances and of all escalation steps."""
        steps = [step for importance in Importance for step in self.escalation.steps(importance)]
        return [*self.notify.every(), *(route for step in steps for route in step.channels)]

    def wants_end(self, route: Route) -> bool:
        """True if this route is notified of the end of an event."""
        if route.resolved is not None:
            return route.resolved
        return self.policy.notify_resolved or route.follows

    def repeat_of(self, route: Route) -> float | None:
        """Seconds between reminders: the route's own, else the policy's; None for no reminders."""
        return route.repeat_seconds or self.policy.repeat_seconds

    def wants_reminder(self, route: Route) -> bool:
        """True if this route gets reminders of unacknowledged events."""
        return route.reminders and self.repeat_of(route) is not None

    @staticmethod
    def wants_acknowledgement(route: Route) -> bool:
        """True if this route is notified when somebody acknowledges an event."""
        return route.follows if route.acknowledged is None else route.acknowledged

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]:
        """`inhibits` with every entry in its long form."""
        return tuple(
            Inhibition(rule=item) if isinstance(item, str) else item for item in self.inhibits
        )
