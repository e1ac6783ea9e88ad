"""The decision to start a reaction to an event's change, to wait for approval, or not to. Pure.

A reaction is planned in the transaction that changes the event. Every one of the rule's reactions
leaves a plan: one that does not start says why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sentinel_core.decide.observe import Observation
from sentinel_core.decide.state import Action
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import (
    MissingValueError,
    Occasion,
    Reaction,
    ReactionCode,
    ReactionStatus,
    filled,
)
from sentinel_core.model.reasons import Suppression
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.times import utc_near

HOUR = timedelta(hours=1)
OCCASIONS = {
    Action.OPEN: Occasion.OPEN,
    Action.ESCALATE: Occasion.ESCALATE,
    Action.RESOLVE: Occasion.RESOLVE,
}

Lately = Callable[[str], Sequence[datetime]]
"""When reactions of an identity began within the last hour, oldest first."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The reaction whose run an event is about, with the identities of all that led to it."""

    reaction_id: int
    event_id: int
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an event: the observation that made it, and what surrounds it.

    `run_id` is the run of the observation, `importance` that of the event.
    """

    occasion: Occasion
    observation: Observation
    importance: Importance
    run_id: str | None = None
    suppression: Suppression | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A reaction as decided: `status` says whether it starts, `code` and `sentence` why not.

    `chain` are the identities of the reactions that led to it, its own last.
    """

    reaction: Reaction
    identity: str
    number: int
    change: Change
    status: ReactionStatus
    code: ReactionCode | None = None
    sentence: str = ""
    chain: tuple[str, ...] = field(default=())

    def parameters(self, rule: str, category: str, event_id: int) -> dict[str, Any]:
        """The parameters of its run, with the values of the event."""
        return filled(self.reaction.parameters, values_of(self.change, rule, category, event_id))


def identity_of(rule: str, occasion: Occasion, reaction: Reaction) -> str:
    """`churn-drift on_open: run retrain/nightly`: the reaction's name on record."""
    return f"{rule} on_{occasion}: {reaction.action} {reaction.target}"


def runs_in(metadata: Mapping[str, Any]) -> list[str]:
    """The ids of the flow runs that an event's evidence names, in its order."""
    found = [metadata.get("run_id"), metadata.get("flow_run_id")]
    for name in ("runs", "tasks"):
        items = metadata.get(name)
        key = "flow_run" if name == "tasks" else "id"
        listed = items if isinstance(items, list) else []
        found += [item.get(key) for item in listed if isinstance(item, Mapping)]
    return list(dict.fromkeys(key for key in found if isinstance(key, str)))


def values_of(change: Change, rule: str, category: str, event_id: int) -> dict[str, Any]:
    """The event's values by the names that parameters use."""
    seen = change.observation
    runs = [*runs_in(seen.metadata), *([change.run_id] if change.run_id else [])]
    return {
        "id": event_id,
        "rule": rule,
        "ticker": seen.ticker,
        "kind": seen.kind.value,
        "category": category,
        "importance": change.importance.value,
        "message": seen.message,
        "at": seen.at.isoformat(),
        "run_id": runs[0] if runs else None,
        "metrics": seen.metrics,
        "metadata": seen.metadata,
    }


class Reactor:
    """The reactions of one rule, in one transaction."""

    def __init__(self, rule: str, settings: RuleSettings, now: datetime, lately: Lately) -> None:
        self.rule = rule
        self.settings = settings
        self.now = now
        self._read = lately
        self._began: dict[str, list[datetime]] = {}

    def plan(self, change: Change) -> Iterator[Planned]:
        """Each reaction that the rule has for this change, as decided."""
        for number, reaction in enumerate(self.settings.reactions(change.occasion)):
            if change.observation.kind.value in reaction.kinds:
                yield self._planned(number, reaction, change)

    def _planned(self, number: int, reaction: Reaction, change: Change) -> Planned:
        identity = identity_of(self.rule, change.occasion, reaction)
        before = change.cause.chain if change.cause else ()
        status, code, sentence = self._decided(identity, reaction, change)
        return Planned(
            reaction, identity, number, change, status, code, sentence, (*before, identity)
        )

    def _decided(
        self, identity: str, reaction: Reaction, change: Change
    ) -> tuple[ReactionStatus, ReactionCode | None, str]:
        skipped = ReactionStatus.SKIPPED
        cause = change.cause
        if cause is not None and identity in cause.chain:
            return skipped, ReactionCode.LOOP, _loop(identity, cause)
        if change.suppression is not None:
            return skipped, ReactionCode.MUTED, f"the event is muted: {change.suppression.sentence}"
        began = self._lately(identity)
        if len(began) >= reaction.times_per_hour:
            free = utc_near(began[-reaction.times_per_hour] + HOUR, self.now)
            limit = f"times_per_hour: {reaction.times_per_hour}"
            sentence = f"the bound is reached ({limit}), free again from {free}"
            return skipped, ReactionCode.BOUND, sentence
        began.append(self.now)
        category = self.settings.category
        try:
            filled(reaction.parameters, values_of(change, self.rule, category, 0))
        except MissingValueError as error:
            return ReactionStatus.FAILED, ReactionCode.PARAMETERS, f"not started: {error}"
        if reaction.approval:
            return ReactionStatus.WAITING, None, ""
        return ReactionStatus.PENDING, None, ""

    def _lately(self, identity: str) -> list[datetime]:
        if identity not in self._began:
            self._began[identity] = list(self._read(identity))
        began = [moment for moment in self._began[identity] if moment > self.now - HOUR]
        self._began[identity] = began
        return began


def _loop(identity: str, cause: Cause) -> str:
    """The loop by name, from the first time this reaction took part in it."""
    steps = cause.chain[cause.chain.index(identity) :]
    return (
        f"a loop: {' → '.join([*steps, identity])} (this event is about the run that reaction "
        f"{cause.reaction_id} of event {cause.event_id} started)"
    )
