"""The hooks' factories, which people import. They validate their arguments and do nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from sentinel_core.hooks.hook import AlertHook
from sentinel_core.model.alert import describe
from sentinel_core.model.attempts import Attempts
from sentinel_core.model.cleaning import clean_line
from sentinel_core.model.reaction import Occasion
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.store.state.watched import WITHOUT_FLAPPING

_CATEGORY = "Flows"
_OF_RULES_ALONE = {
    "conditions",
    "inhibits",
    *Attempts.model_fields,
    *(f"on_{occasion}" for occasion in Occasion),  # reactions: `rules check` never sees a hook
}

Items = str | Callable[[Any], float]
"""How many items a run handled: a key of its result, or a function of the result."""


def alert_on_failure(importance: str = "high", **settings: Any) -> AlertHook:
    """A hook for `on_failure`: alerts when a run failed after its last retry.

    Timeouts included, unless the flow has `alert_on_timeout` too. Under `on_crashed`, it alerts
    about crashes as well. `settings` are `rule` (the name of a rule whose routes, policy and
    suggestions apply) and any of `notify`, `policy`, `suggestions`, `escalation`, `runbook`,
    `category`, `templates`, `environment`, as in a rule. Raises ValueError if one is invalid.
    """
    return _hook(HookKind.FAILURE, importance, settings)


def alert_on_timeout(importance: str = "critical", **settings: Any) -> AlertHook:
    """A hook for `on_failure`: alerts when a run exceeded its `timeout_seconds`.

    `settings` and errors as those of `alert_on_failure`.
    """
    return _hook(HookKind.TIMEOUT, importance, settings)


def alert_on_crash(importance: str = "high", **settings: Any) -> AlertHook:
    """A hook for `on_crashed`: alerts when a run's process was killed or its machine was lost.

    Tasks have no such hook in Prefect. `settings` and errors as those of `alert_on_failure`.
    """
    return _hook(HookKind.CRASH, importance, settings)


def alert_on_slow(
    seconds: float, items: Items | None = None, importance: str = "medium", **settings: Any
) -> AlertHook:
    """A hook for `on_completion`: alerts when a run took longer than `seconds`.

    `items` says how many items it handled, for the message. Other `settings` and errors as those
    of `alert_on_failure`.
    """
    return _hook(HookKind.SLOW, importance, settings, seconds=seconds, items=items)


def alert_on_result(
    condition: Callable[[Any], bool],
    message: str,
    importance: str = "medium",
    *,
    name: str = "result",
    **settings: Any,
) -> AlertHook:
    """A hook for `on_completion`: alerts when `condition` is true of what the run returned.

    `name` tells several such hooks of a flow apart. Other `settings` and errors as those of
    `alert_on_failure`.
    """
    return _hook(
        HookKind.RESULT, importance, settings, name=name, condition=condition, message=message
    )


def _hook(
    kind: HookKind,
    importance: str,
    settings: Mapping[str, Any],
    *,
    name: str = "",
    seconds: float | None = None,
    **how: Any,
) -> AlertHook:
    function = f"alert_on_{kind}"
    hook = described(function, kind, importance, settings, name=name, seconds=seconds)
    return AlertHook(hook, **how)


def described(
    function: str,
    kind: HookKind,
    importance: str,
    settings: Mapping[str, Any],
    *,
    name: str = "",
    seconds: float | None = None,
) -> Hook:
    """The record of a hook. Raises ValueError, naming `function`, for invalid settings."""
    known = set(RuleSettings.model_fields) - _OF_RULES_ALONE
    given = {key: value for key, value in settings.items() if key != "rule"}
    if unknown := sorted(set(given) - known):
        raise ValueError(
            f"{function}: unknown {', '.join(unknown)}; known are rule, {', '.join(sorted(known))}"
        )
    values = {"importance": importance, "category": _CATEGORY, "policy": {}, **given}
    if isinstance(values["policy"], dict):
        values["policy"] = {**WITHOUT_FLAPPING, **values["policy"]}
    try:
        return Hook(
            kind=kind,
            ticker=clean_line(name)[:100] or kind.value,
            rule=settings.get("rule") or "",
            settings=RuleSettings.model_validate(values),
            given=tuple(sorted(given)),
            seconds=seconds,
        )
    except ValidationError as error:
        raise ValueError(f"{function}: {describe(error)}") from None
