"""The life of one series, written as text: what was seen minute by minute, and what became of it.

`1` is a breach and `0` an ok; `L` `M` `H` `C` are breaches of that importance (`1` is medium), `.`
a minute in which nothing was seen. Between two minutes somebody may acknowledge (`a`), take that
back (`u`) or resolve by hand (`x`).

What became of it is written the same way, a sign for each minute seen: `-` quiet, `O` an event
opens, `+` it continues, `E` it escalates, `R` it is resolved.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Action, Decision, DecisionContext, Series
from sentinel_core.decide.transition import decide, resolved_by_hand
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.rule import Policy
from tests.support.runs import at

LOW, MEDIUM, HIGH, CRITICAL = Importance
BREACHES = {"1": MEDIUM, "L": LOW, "M": MEDIUM, "H": HIGH, "C": CRITICAL}
SIGNS = {
    Action.QUIET: "-",
    Action.OPEN: "O",
    Action.CONTINUE: "+",
    Action.ESCALATE: "E",
    Action.RESOLVE: "R",
}
STEADY = Policy(flapping=None)
"""The defaults, without flapping: for histories that change a lot and are about something else."""


def policy(**fields: object) -> Policy:
    """A policy that never takes anything for flapping unless it is told to."""
    return Policy.model_validate({"flapping": None, **fields})


def seen(sign: str, minute: float) -> Observation:
    """What a sign says was seen at that minute."""
    breached = sign in BREACHES
    return Observation(
        Kind.ALERT, "AAPL", at(minute), breached, BREACHES.get(sign, MEDIUM), "151.2"
    )


def never(_minute: float) -> Suppression | None:
    """Nobody mutes."""
    return None


SILENCED = Suppression(SuppressionCode.SILENCED, "silenced by ann")


def during(first: float, last: float) -> Callable[..., Suppression | None]:
    """Muted from one minute up to another, both included."""
    return lambda minute: SILENCED if first <= minute <= last else None


def lived(
    rules: Policy,
    history: str,
    *,
    muted: Callable[[float], Suppression | None] = never,
    until: float | None = None,
    told: list[datetime] | None = None,
) -> list[Decision]:
    """Every decision of this life. `until`: the minute up to which acknowledging holds."""
    series: Series | None = None
    decisions: list[Decision] = []
    told = [] if told is None else told
    minute = 0
    for sign in history:
        if sign in "aux":
            assert series is not None
            series = by_hand(series, sign, minute, until)
            continue
        if sign != ".":
            world = DecisionContext(muted(minute), told)
            decisions.append(decide(rules, series, seen(sign, minute), world))
            series = decisions[-1].series
            if decisions[-1].notify is not None and decisions[-1].suppression is None:
                told.append(at(minute))
        minute += 1
    return decisions


def by_hand(series: Series, sign: str, minute: float, until: float | None) -> Series:
    """What a person does to the open event."""
    if sign == "x":
        return resolved_by_hand(series, at(minute), "ann").series
    ends = at(until) if until is not None and sign == "a" else None
    return replace(series, acknowledged=sign == "a", acknowledged_until=ends)


def outcome(rules: Policy, history: str, **more: object) -> str:
    """What became of it, a sign for each minute seen."""
    return "".join(SIGNS[decision.action] for decision in lived(rules, history, **more))  # type: ignore[arg-type]


def messages(rules: Policy, history: str, **more: object) -> list[tuple[int, NotifyReason]]:
    """What people were told, with the minute."""
    return [
        (_minute(decision), decision.notify)
        for decision in lived(rules, history, **more)  # type: ignore[arg-type]
        if decision.notify is not None and decision.suppression is None
    ]


def held_back(rules: Policy, history: str, **more: object) -> list[tuple[int, NotifyReason]]:
    """What people were not told though they should have been, where that is first noted."""
    return [
        (_minute(decision), decision.notify)
        for decision in lived(rules, history, **more)  # type: ignore[arg-type]
        if decision.notify is not None
        and decision.suppression is not None
        and not decision.repeated
    ]


def _minute(decision: Decision) -> int:
    return int((decision.series.last_at - at(0)).total_seconds() // 60)
