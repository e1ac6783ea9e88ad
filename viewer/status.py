"""The status line: what asks for attention, and whether the rules are being checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sentinel_core.coverage import standing
from sentinel_core.run import Schedule
from sentinel_core.store.events import COUNT_CAP
from viewer.filters import IMPORTANCES
from viewer.wording import clock, listed, number, plural

RECONCILE_PATIENCE = timedelta(minutes=10)

_COLOUR = {"critical": "red", "high": "orange", "medium": "yellow", "low": "gray"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rules are active, and the names of those that are not being checked."""

    active: int
    overdue: tuple[str, ...]
    never: tuple[str, ...]
    sentences: tuple[str, ...]
    reconcile_is_old: bool = False


def coverage(
    rules: Sequence[Mapping[str, Any]], now: datetime, reconciled_at: datetime | None
) -> Coverage:
    """Where the active rules stand. A rule never evaluated may be overdue as well.

    `reconciled_at` is up to when reconcile has looked: without it, lost runs stay unseen.
    """
    overdue, never, sentences = [], [], []
    active = [rule for rule in rules if rule["is_active"]]
    for rule in active:
        known = (rule["last_evaluated_at"], rule["changed_at"], rule["first_seen_at"])
        since = max(moment for moment in known if moment is not None)
        stands = standing([Schedule(**item) for item in rule["schedules"]], since, now)
        if stands.overdue:
            overdue.append(rule["name"])
            sentences.append(f"{rule['name']}: {stands.sentence}")
        elif rule["last_evaluated_at"] is None:
            never.append(rule["name"])
    # A store filled this minute has had no time for a first reconcile.
    settled = [rule for rule in active if now - rule["first_seen_at"] > RECONCILE_PATIENCE]
    is_old = bool(settled) and (reconciled_at is None or now - reconciled_at > RECONCILE_PATIENCE)
    return Coverage(len(active), tuple(overdue), tuple(never), tuple(sentences), is_old)


def line(
    unacknowledged: Mapping[str, int], covered: Coverage, updated: datetime, where: tzinfo
) -> str:
    """The whole status line as markdown."""
    attention = [
        f":{_COLOUR[name]}-badge[{number(unacknowledged[name], COUNT_CAP)} {name}]"
        for name in IMPORTANCES
        if unacknowledged.get(name)
    ]
    first = " ".join(attention) + " unacknowledged" if attention else "Nothing unacknowledged"
    return " \u2002·\u2002 ".join([first, *_rules(covered), f"last update {clock(updated, where)}"])


def _rules(covered: Coverage) -> list[str]:
    if not covered.active:
        return [":orange-badge[no rule is active]"]
    parts = [f"{plural(covered.active, 'rule')} active"]
    if covered.overdue:
        names = listed(covered.overdue)
        parts.append(f":orange-badge[{len(covered.overdue)} overdue: {names}]")
    if covered.reconcile_is_old:
        parts.append(":orange-badge[reconcile is not running: lost runs go unseen]")
    if covered.never:
        parts.append(f"{len(covered.never)} never evaluated: {listed(covered.never)}")
    return parts
