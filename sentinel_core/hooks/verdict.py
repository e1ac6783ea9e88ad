"""What people's functions say about a run's result. They may raise anything."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from prefect._internal.result_records import ResultRecord, ResultRecordMetadata
from prefect.client.schemas.objects import State

_LONGEST = 500


def result_of(state: State[Any]) -> tuple[Any, str]:
    """What a completed run returned, and why it can't be read ("" if it can)."""
    data = state.data
    if isinstance(data, ResultRecord):
        return data.result, ""
    if not isinstance(data, ResultRecordMetadata):
        return data, ""
    try:
        return state.result(raise_on_failure=False), ""
    except Exception as error:
        return None, f"the result can't be read: {_text(error)}"


def verdict_on(condition: Callable[[Any], bool], result: Any, problem: str) -> bool | str:
    """The condition's verdict on a result; a sentence where it could not be judged."""
    if problem:
        return problem
    try:
        return bool(condition(result))
    except Exception as error:
        return f"the condition of alert_on_result raised {_text(error)}"


def items_of(items: str | Callable[[Any], float] | None, result: Any) -> float | None:
    """The number of items by a key of the result or a function of it; None if there is none."""
    try:
        if callable(items):
            number = float(items(result))
        elif items and isinstance(result, Mapping):
            number = float(result[items])
        else:
            return None
    except Exception:
        return None  # the run was slow, whatever it handled
    return number if math.isfinite(number) else None


def _text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_LONGEST]
    except Exception:
        return type(error).__name__
