"""A rule's recorded past as replay takes it: evaluations and what surrounded them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.snooze import Limits
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Skip, StateType
from sentinel_core.model.silence import Inhibitor, Silence

_KINDS = {kind.value: kind for kind in Kind}
_IMPORTANCES = {importance.value: importance for importance in Importance}
_SKIPS = {skip.value: skip for skip in Skip}
_NO_METADATA: dict[str, object] = {}


class Stored(NamedTuple):
    """One evaluation as the store has it. `run` is equal for what one run left behind."""

    run: object
    kind: str
    ticker: str
    at: datetime
    recorded_at: datetime
    triggered: bool | int
    reported: bool | int | None
    said: str | None
    importance: str
    message: str
    metrics: Mapping[str, float] | None
    measured: bool | int
    prefect_state: str
    decision: str
    decision_code: str
    decision_reason: str
    event_id: int | None

    @property
    def cancelled(self) -> bool:
        """True for a cancelled run's failure, which is of low importance whatever the rule's."""
        return self.kind == Kind.FAILURE and self.prefect_state == StateType.CANCELLED

    def observation(self) -> Observation | None:
        """The run's observation before conditions; None for what the policy concluded from it."""
        # Unpacked at once, as a million are made: twelve attributes would take twice as long.
        _, word, ticker, at, _, breached, reported, said, rank, message, metrics, *_ = self
        kind = _KINDS[word]
        if said is not None:  # conditions applied: back to the trigger's own result
            breached, message, kind = bool(reported), said, Kind.ALERT
        elif kind is Kind.ALERT:
            breached = breached if reported is None else reported
        elif kind is Kind.NO_DATA and not self.measured:
            return None  # a ticker that was missing among the outputs
        return Observation(
            kind,
            ticker,
            at,
            bool(breached),
            _IMPORTANCES[rank],
            message,
            True,
            None,
            metrics,  # type: ignore[arg-type]
            _NO_METADATA,
            None if reported is None else bool(reported),
            skip=_SKIPS.get(self.decision_code) if kind is Kind.SKIPPED else None,
        )


@dataclass(frozen=True, slots=True)
class ManualAction:
    """A person's action on an event. `ended_at` is when that event was over, if it is."""

    at: datetime
    actor: str
    action: str
    event_id: int
    kind: Kind
    ticker: str
    until: datetime | None = None
    limits: Limits | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """A time during which a series of another rule fired and muted others.

    `start` and `end` are when the runs were recorded that opened and ended its event.
    """

    inhibitor: Inhibitor
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """The surroundings of a rule's evaluations: what muted it when, and who did what.

    `latest_by` is how long after it was due a run was recorded at the most.
    """

    rule: str
    silences: Sequence[Silence] = ()
    actions: Sequence[ManualAction] = ()
    firings: Sequence[Firing] = ()
    latest_by: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings to replay with. `recorded_as` is the importance the rule had when it was recorded:
    what has it is taken for the rule's own, what has another for the trigger's."""

    settings: RuleSettings
    tags: tuple[str, ...] = ()
    recorded_as: Importance | None = None
