"""Warns of settings of a rule that are valid and can't do what they are there for."""

import math
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from typing import Any

from prefect import Flow
from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.schedule import GRACE
from sentinel_core.decide.stagger import SHARE, window_seconds
from sentinel_core.model.condition import Condition, each
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.spread import Spread, spread_of
from sentinel_core.model.times import duration
from sentinel_core.model.trigger import Trigger
from sentinel_core.prefect_io.due import due_times
from sentinel_core.prefect_io.facts import rule_settings, schedule_facts
from sentinel_core.rulefile.check_form import SPREAD
from sentinel_core.rulefile.check_parameters import given_parameters, parameter_types
from sentinel_core.rulefile.phrases import did_you_mean, dotted
from sentinel_core.rulefile.prefect_schedule import prefect_schedule
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig

_DAY_SECONDS = 86_400
_DUE_TIMES = 50  # enough to see how far apart they are


def check_effects(
    file: RuleFile, entry: Entry, flow: Flow[..., Any], schema: dict[str, Any]
) -> None:
    """Warn of such settings in a rule's parameters, and in those of its schedules."""
    for where, given in given_parameters(entry):
        if _is_wrong(file, entry, where):
            continue
        own = dig(entry.config, where) or {}
        settings = rule_settings(given, schema)
        if {"notify", "importance"} & own.keys():
            _check_notified(file, entry, where, settings)
        if "inhibits" in own:
            _check_inhibits(file, entry, (*where, "inhibits"), settings)
        if "conditions" in own:
            _check_windows(file, entry, (*where, "conditions"), settings)
        if "policy" in own:
            _check_grace(file, entry, (*where, "policy", "grace_seconds"), settings)
        if "check" in own:
            _check_trigger(file, entry, (*where, "check"), flow)


def _is_wrong(file: RuleFile, entry: Entry, where: Where) -> bool:
    """True if these parameters have an error already: what they would do is not known."""
    place = dotted(where)
    return any(
        problem.level == "error" and problem.field.startswith(place)
        for problem in file.problems
        if problem.deployment == entry.name
    )


def _check_notified(file: RuleFile, entry: Entry, where: Where, settings: RuleSettings) -> None:
    routes, importance = settings.notify, settings.importance
    if not any(routes.every()) or routes.routes(importance) or entry.has_open((*where, "notify")):
        return
    message = (
        f"nothing for {importance}, which is this rule's importance: nobody is notified of its "
        f"events, unless its check gives them another. Add `{importance}:`, or change `importance`"
    )
    file.complain(entry, (*where, "notify"), message, warning=True)


def _check_inhibits(file: RuleFile, entry: Entry, where: Where, settings: RuleSettings) -> None:
    names = [other.name for other in file.entries]
    for number, inhibition in enumerate(settings.inhibitions):
        pattern = inhibition.rule
        if entry.is_open((*where, number)):
            continue
        muted = [name for name in names if fnmatchcase(name, pattern.replace("[", "[[]"))]
        if muted == [entry.name]:
            message = "names this rule alone, and a rule never mutes itself"
        elif not muted:
            message = (
                f"mutes nothing: this file has no rule {pattern}{did_you_mean(pattern, names)} "
                "(rules of other files are not known here)"
            )
        else:
            continue
        file.complain(entry, (*where, number), message, warning=True)


def _check_windows(file: RuleFile, entry: Entry, where: Where, settings: RuleSettings) -> None:
    apart = _apart(entry)
    for number, item in enumerate(settings.conditions):
        for condition in each([item]):
            if message := _never_full(condition, apart):
                file.complain(entry, (*where, number), message, warning=True)


def _never_full(condition: Condition, apart: float | None) -> str | None:
    """Why a condition's window never has the values it needs; None if it may have them."""
    over = condition.over_seconds
    if over is None:
        if condition.points == 1:
            return None
        return (
            f"`minimum_points: {condition.points}` is never reached: `last` looks at one value. "
            "Choose another `aggregate`, with `over_seconds`"
        )
    if apart is None:
        return None
    most = math.ceil(over / apart)
    if condition.points > most:
        return (
            f"never true: it needs {condition.points} values, and in {duration(over)} there are at "
            f"most {most}, as the rule is checked every {duration(apart)}"
        )
    if over < apart:
        return (
            f"the window of {duration(over)} is shorter than the {duration(apart)} between two "
            "checks: it never has more than one value"
        )
    return None


def _check_grace(file: RuleFile, entry: Entry, where: Where, settings: RuleSettings) -> None:
    grace = settings.policy.grace_seconds
    if grace is None or entry.has_open(where):
        return
    if where[0] == "schedules":
        message = (
            "has no effect: a rule has one grace for all its schedules. Write it in the rule's own "
            "`parameters`"
        )
    elif not entry.schedules:
        message = "has no effect: without a schedule the rule is never due"
    elif grace < GRACE.total_seconds():
        message = (
            f"the rule is reported as silent {duration(grace)} after it was due, and a run may "
            f"need up to {duration(GRACE.total_seconds())} to start, measure and be recorded"
        )
    else:
        return
    file.complain(entry, where, message, warning=True)


def check_spread(file: RuleFile, entry: Entry, schema: dict[str, Any] | None) -> None:
    """Warn of a spread that does not do what it says; `schema` is a rule's."""
    spread = spread_of(dig(entry.config, SPREAD))
    if spread is None:
        return
    if not entry.schedules and spread != "none":
        message: str | None = "has no effect: without a schedule nothing is due by itself"
    else:
        given = entry.config.get("parameters")
        settings = rule_settings(given, schema) if schema and isinstance(given, dict) else None
        grace = settings.policy.grace_seconds if settings else None
        message = _spread_cut(spread, _apart(entry), grace)
    if message:
        file.complain(entry, SPREAD, message, warning=True)


def _spread_cut(spread: Spread, apart: float | None, grace: float | None) -> str | None:
    """What is left of a spread, and why; None if all of it is, or all that `interval` means."""
    whole, window = window_seconds(spread, apart), window_seconds(spread, apart, grace)
    effect = f"only {duration(window)} of it count" if window else "has no effect"
    if grace is not None and window < whole and (window == 0 or spread != "interval"):
        return (
            f"{effect}: the rule is reported as silent {duration(grace)} after it was due "
            f"(`grace_seconds`), and a run may need up to {duration(GRACE.total_seconds())}"
        )
    if isinstance(spread, float) and window < spread:
        longest = duration(apart) if apart is not None and apart < _DAY_SECONDS else "at most a day"
        return (
            f"{effect}: a run starts within {SHARE * 100:g} % of the time until the next one is "
            f"due ({longest})"
        )
    return None


def _apart(entry: Entry) -> float | None:
    """The shortest time between two checks by the schedules, in seconds; None if it is unknown."""
    try:
        schedules = [schedule_facts(prefect_schedule(raw)) for raw in entry.schedules]
        now = datetime.now(UTC)
        due = sorted(set(islice(due_times(schedules, now), _DUE_TIMES)))
    except (ScheduleError, ValidationError, TypeError, ValueError, KeyError):
        return None  # reported by itself
    return min(((later - one).total_seconds() for one, later in pairwise(due)), default=None)


def _check_trigger(file: RuleFile, entry: Entry, where: Where, flow: Flow[..., Any]) -> None:
    """Pass on what the trigger itself warns of."""
    try:
        given = dig(entry.config, where)
        trigger = TypeAdapter(parameter_types(flow)["check"]).validate_python(given)
    except ValidationError:
        return  # a placeholder, or reported by itself
    if not isinstance(trigger, Trigger):
        return
    for field, message in trigger.check_warnings():
        if not entry.has_open((*where, field)):
            path = (*where, field) if isinstance(given, dict) and field in given else where
            file.complain(entry, path, message, warning=True)
