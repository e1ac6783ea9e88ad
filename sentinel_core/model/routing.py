"""Who hears of what, how it is gathered into messages, and who is asked next. Pure data."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.condition import YEAR_SECONDS, Seconds

BlockSlug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$"),
]
"""A Prefect notification block: `block-type-slug/block-name`."""

_FOLLOWING = ("pager-duty-webhook/", "slack-credentials/")
"""Channels in which a message is about something that goes on: an incident, a thread."""

_ADDRESSED = {
    "email-server-credentials/": "the email addresses",
    "slack-credentials/": "the Slack channel",
}


STEP = "step-"
"""How the reason of an escalation's step begins; its number follows."""


ACKNOWLEDGED, TAKEN_BACK = "acknowledged", "unacknowledged"
"""The reasons of what is told about a person's acknowledgement."""


def is_step(reason: str) -> bool:
    """Is this a step of an escalation?"""
    return reason.startswith(STEP)


class GroupBy(StrEnum):
    """What events have in common that are told of in one message."""

    RULE = "rule"
    TICKER = "ticker"
    CATEGORY = "category"
    IMPORTANCE = "importance"
    CHANNEL = "channel"  # whatever else: all that goes there


class StormLimit(BaseModel):
    """From when on one message replaces many: more than `events` within `window_seconds`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Annotated[
        int, Field(ge=2, le=100_000, description="A storm starts above this number of events.")
    ] = 50
    window_seconds: Annotated[FiniteFloat, Field(ge=1, le=86_400)] = 60


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Recipient = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\s,]+$"),
]


Recipients = Annotated[tuple[Recipient, ...], Field(max_length=50)]


class Route(BaseModel):
    """One channel and how it is told. Where only its slug is written, the defaults count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: BlockSlug
    to: Annotated[
        Recipients,
        # Prefect's server judges by the schema alone: one address is mostly written as text.
        BeforeValidator(_listed, json_schema_input_type=str | Recipients),
        Field(description="Email addresses, or a Slack channel."),
    ] = ()
    resolved: Annotated[
        bool | None,
        Field(
            description="Notify of the end; null: as the policy says, and in incidents and threads."
        ),
    ] = None
    acknowledged: Annotated[
        bool | None,
        Field(description="Notify of acknowledgements; null: only in incidents and threads."),
    ] = None
    reminders: Annotated[bool, Field(description="Send reminders until somebody acknowledges.")] = (
        True
    )
    repeat_seconds: Annotated[
        Seconds | None, Field(description="Interval of reminders; null: follow the policy.")
    ] = None
    group_by: Annotated[
        tuple[GroupBy, ...],
        Field(
            max_length=5,
            description="Events alike in these share a message; []: one message per event.",
        ),
    ] = (GroupBy.RULE,)
    group_wait_seconds: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=3600,
            description="Wait this long for further events before the first message of a group.",
        ),
    ] = 0
    group_interval_seconds: Annotated[
        FiniteFloat,
        Field(ge=0, le=86_400, description="Minimum time between two messages of a group."),
    ] = 0
    storm: Annotated[
        StormLimit | None, Field(description="Summarise many events in one message; null: never.")
    ] = StormLimit()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for kind, what in _ADDRESSED.items():
            if self.channel.startswith(kind) and not self.to:
                raise ValueError(f"{self.channel} needs {what}: write {{channel: …, to: …}}")
        if self.channel.startswith("slack-credentials/") and len(self.to) > 1:
            raise ValueError("one Slack channel for each route")
        return self

    @property
    def recipient(self) -> str:
        """`to` as the record keeps it."""
        return ",".join(self.to)

    def each(self) -> "list[Route]":
        """One route for each email address: a server that refuses one of them for now must not
        make the others get the same again."""
        return [self.model_copy(update={"to": (one,)}) for one in self.to] or [self]

    @property
    def follows(self) -> bool:
        """Is a message here about something that goes on, an incident or a thread?"""
        return self.channel.startswith(_FOLLOWING)

    def group_key(self, event: Mapping[str, Any]) -> str:
        """What other events of the same group have as well; "" when each is told of alone."""
        if not self.group_by or self.channel.startswith("pager-duty-webhook/"):
            return ""
        columns = {"rule": "rule_id"}
        return json.dumps(
            {by: event.get(columns.get(by, by), "") for by in self.group_by}, sort_keys=True
        )


def _route(value: Any) -> Any:
    return {"channel": value} if isinstance(value, str) else value


Routed = Annotated[Route, BeforeValidator(_route, json_schema_input_type=BlockSlug | Route)]
_MOST = 50


class Routes(BaseModel):
    """Which Prefect notification blocks hear of which importance: a slug, or a slug and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: Annotated[list[Routed], Field(max_length=_MOST)] = []
    high: Annotated[list[Routed], Field(max_length=_MOST)] = []
    medium: Annotated[list[Routed], Field(max_length=_MOST)] = []
    low: Annotated[list[Routed], Field(max_length=_MOST)] = []

    def routes(self, importance: Importance) -> list[Route]:
        """The routes of one importance, each channel and recipient once, in the order written."""
        chosen: list[Route] = getattr(self, importance.value)
        first: dict[tuple[str, str], Route] = {}
        for route in (one for several in chosen for one in several.each()):
            first.setdefault((route.channel, route.recipient), route)
        return list(first.values())

    def channels(self, importance: Importance) -> list[str]:
        """The channels of one importance, each once, in the order written."""
        return list(dict.fromkeys(route.channel for route in self.routes(importance)))

    def every(self) -> Iterator[Route]:
        """All routes of all importances."""
        for importance in Importance:
            yield from self.routes(importance)


class EscalationStep(BaseModel):
    """Whom to tell when an event has not been acknowledged for so long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_seconds: Annotated[
        FiniteFloat,
        Field(gt=0, le=YEAR_SECONDS, description="Time since the first notification of the event."),
    ]
    channels: Annotated[list[Routed], Field(min_length=1, max_length=_MOST)]


Steps = Annotated[tuple[EscalationStep, ...], Field(max_length=20)]


class Escalation(BaseModel):
    """The steps of each importance; what is written as a plain list counts for all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: Steps = ()
    high: Steps = ()
    medium: Steps = ()
    low: Steps = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for importance in Importance:
            after = [step.after_seconds for step in self.steps(importance)]
            if after != sorted(set(after)):
                raise ValueError(
                    "the steps are not in order: each comes later (after_seconds) than the one "
                    "before"
                )
        return self

    def steps(self, importance: Importance) -> tuple[EscalationStep, ...]:
        """The steps of one importance, in order."""
        chosen: tuple[EscalationStep, ...] = getattr(self, importance.value)
        return chosen


def _escalation(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return {importance.value: value for importance in Importance}
    return value


Escalates = Annotated[
    Escalation,
    BeforeValidator(_escalation, json_schema_input_type=Escalation | Steps),
]


_REPEATED_TWICE = re.compile(r"[+*}]\)(?:[+*]|\{\d*,)")


class Suggestion(BaseModel):
    """What to do next when a message looks like this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="Regular expression to search for in the message.",
        ),
    ]
    action: Annotated[str, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if _REPEATED_TWICE.search(self.pattern):
            raise ValueError(
                "a repetition inside of a repetition, as in (a+)+, may take for ever on a long "
                "message: write it without"
            )
        return self


def _suggestions(value: Any) -> Any:
    """`{"timeout": "raise the timeout"}` is the short form."""
    if isinstance(value, Mapping):
        return [{"pattern": pattern, "action": action} for pattern, action in value.items()]
    return value


Suggestions = Annotated[
    tuple[Suggestion, ...],
    BeforeValidator(_suggestions, json_schema_input_type=dict[str, str] | list[Suggestion]),
    Field(max_length=100),
]

_LOOKED_AT = 1_000  # characters of a message: a pattern must not take forever


def suggested_action(suggestions: tuple[Suggestion, ...], message: str) -> str | None:
    """The action of the first pattern that is found in the message, whatever its case."""
    for one in suggestions:
        if re.search(one.pattern, message[:_LOOKED_AT], re.IGNORECASE):
            return clean_text(one.action)
    return None
