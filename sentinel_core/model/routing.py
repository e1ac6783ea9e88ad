"""Where notifications go: channels, groups, storms, escalation, suggestions. Pure data."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
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
"""Channels that keep an event's messages together, in an incident or a thread."""

_ADDRESSED = {
    "email-server-credentials/": "the email addresses",
    "slack-credentials/": "the Slack channel",
}


class GroupBy(StrEnum):
    """What the events of one message have in common."""

    RULE = "rule"
    TICKER = "ticker"
    CATEGORY = "category"
    IMPORTANCE = "importance"
    CHANNEL = "channel"  # nothing else: all events of the channel


class StormLimit(BaseModel):
    """One message replaces many when more than `events` occur within `window_seconds`."""

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
    """One channel and its settings. A slug alone means the defaults."""

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
        """`to` as stored: addresses joined by commas."""
        return ",".join(self.to)

    def each(self) -> "list[Route]":
        """One route for each email address: a retry for an address that the server refused must
        not send the message to the others again."""
        return [self.model_copy(update={"to": (address,)}) for address in self.to] or [self]

    @property
    def follows(self) -> bool:
        """True if this channel keeps an event's messages together, in an incident or a thread."""
        return self.channel.startswith(_FOLLOWING)

    def group_key(self, event: Mapping[str, Any]) -> str:
        """The values that events of one group share, as JSON; "" for a message of its own."""
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
    """The routes of each importance: Prefect notification blocks, with or without settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: Annotated[list[Routed], Field(max_length=_MOST)] = []
    high: Annotated[list[Routed], Field(max_length=_MOST)] = []
    medium: Annotated[list[Routed], Field(max_length=_MOST)] = []
    low: Annotated[list[Routed], Field(max_length=_MOST)] = []

    def routes(self, importance: Importance) -> list[Route]:
        """The routes of one importance, each channel and recipient once, in the order written."""
        chosen: list[Route] = getattr(self, importance.value)
        first: dict[tuple[str, str], Route] = {}
        for route in chain.from_iterable(chosen_route.each() for chosen_route in chosen):
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
    """Channels to notify of an event that has not been acknowledged for this long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_seconds: Annotated[
        FiniteFloat,
        Field(gt=0, le=YEAR_SECONDS, description="Time since the first notification of the event."),
    ]
    channels: Annotated[list[Routed], Field(min_length=1, max_length=_MOST)]


Steps = Annotated[tuple[EscalationStep, ...], Field(max_length=20)]


class Escalation(BaseModel):
    """The steps of each importance; a plain list stands for all of them."""

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
                    "the steps are not in order: `after_seconds` must grow from step to step"
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
    """What to do next about an event whose message matches a pattern."""

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
                "a repetition inside a repetition, as in (a+)+, may take forever on a long "
                "message: write the pattern without it"
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

_SEARCHED = 1_000  # characters of a message: a pattern must not take forever


def suggested_action(suggestions: tuple[Suggestion, ...], message: str) -> str | None:
    """The action of the first pattern found in the message (ignoring case), else None."""
    for suggestion in suggestions:
        if re.search(suggestion.pattern, message[:_SEARCHED], re.IGNORECASE):
            return clean_text(suggestion.action)
    return None
