"""What a trigger returns, validated and cleaned once for all later stages."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, overload

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from sentinel_core.base.errors import OutputError
from sentinel_core.model.cleaning import clean_json, clean_line, clean_message, clean_text

METRICS_LIMIT = 1_000  # numbers in one output; a table of results belongs in a database
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Importance(StrEnum):
    """How much an alert matters, lowest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low up to 3 for critical."""
        return _RANKS[self]


_RANKS = {importance: rank for rank, importance in enumerate(Importance)}


def _text(clean: Callable[[str], str]) -> BeforeValidator:
    """Cleans text before pydantic validates it: pydantic refuses lone surrogates."""
    return BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)


def _number(value: Any) -> Any:
    """NumPy scalars as plain Python values: comparing with one gives a NumPy bool."""
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def _plain_metrics(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        clean_text(name) if isinstance(name, str) else name: _number(number)
        for name, number in value.items()
    }


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    if len(metrics) > METRICS_LIMIT:
        raise ValueError(f"{len(metrics):,} metrics, more than {METRICS_LIMIT:,}")
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ValueError(
                f"metric {name!r} is {value}: a measurement that is not a number is an error, "
                "never 'not triggered'"
            )
    return metrics


def _clean_metadata(value: Any) -> Any:
    return clean_json(value) if isinstance(value, Mapping) else value


def _plausible(time: datetime) -> datetime:
    if not EARLIEST <= time <= LATEST:
        raise ValueError(f"{time.isoformat()} is not a plausible time of a measurement")
    return time.astimezone(UTC)


class AlertOutput(BaseModel):
    """One measured series at one time, as a trigger returns it.

    `ticker` says what was measured (an instrument, a host, a table); "" where a rule has only one
    subject. `importance` None means the rule's own. `suggestion` is the next step for people,
    unless the rule's own suggestions know one. `metrics` holds finite numbers, which conditions,
    charts and replay use; `metadata` is the evidence, any JSON. `problem` says that this series
    could not be measured while others of the run were.

    Raises pydantic's ValidationError for a naive timestamp, a metric that is not finite, or
    metadata that is too large or too deep. Overlong messages are cut, control characters replaced,
    and what JSON has no word for becomes text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    triggered: Annotated[StrictBool, BeforeValidator(_number)]
    importance: Importance | None = None
    ticker: Annotated[str, Field(max_length=200), _text(clean_line)] = ""
    message: Annotated[str, _text(clean_message)] = ""
    suggestion: Annotated[str, Field(max_length=500), _text(clean_line)] = ""
    problem: Literal["error", "no_data"] | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(_clean_metadata)] = {}
    metrics: Annotated[
        dict[str, float], BeforeValidator(_plain_metrics), AfterValidator(_finite)
    ] = {}
    timestamp: Annotated[AwareDatetime, AfterValidator(_plausible)] = Field(
        default_factory=lambda: datetime.now(UTC)
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.triggered and self.problem is not None:
            raise ValueError(
                "a series with a `problem` can't have triggered: leave out one of them"
            )
        return self


class Outputs(Sequence[AlertOutput]):
    """What a run measured, checked by `as_outputs`: what a rule's task and flow return.

    Not a list: Prefect looks through each output of a list for futures, which takes as long as
    everything else about them together.
    """

    def __init__(self, outputs: Iterable[AlertOutput]) -> None:
        self._outputs = tuple(outputs)

    @overload
    def __getitem__(self, at: int) -> AlertOutput: ...
    @overload
    def __getitem__(self, at: slice) -> "Outputs": ...
    def __getitem__(self, at: int | slice) -> "AlertOutput | Outputs":
        """One of them, or some."""
        return Outputs(self._outputs[at]) if isinstance(at, slice) else self._outputs[at]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._outputs)

    def __eq__(self, other: object) -> bool:
        """True for the same outputs, also in a list."""
        same = isinstance(other, Outputs | list | tuple)
        return self._outputs == tuple(other) if same else NotImplemented  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        """As of a list."""
        return f"Outputs({list(self._outputs)!r})"


def as_outputs(returned: object) -> list[AlertOutput]:
    """The outputs that a trigger returned, one for each ticker.

    Raises OutputError for another type, an invalid output or the same ticker twice.
    """
    outputs: list[AlertOutput] = []
    for output in returned if isinstance(returned, list | tuple | Outputs) else [returned]:
        if not isinstance(output, AlertOutput):
            raise OutputError(
                f"the trigger returned {type(output).__name__}, expected AlertOutput "
                "or a list of AlertOutputs"
            )
        outputs.append(_checked_again(output))
    tickers = [output.ticker for output in outputs]
    twice = sorted(t for t, n in Counter(tickers).items() if n > 1)[:5]
    if twice:
        raise OutputError(f"the trigger returned ticker {twice[0]!r} more than once: {twice}")
    return outputs


def _checked_again(output: AlertOutput) -> AlertOutput:
    """`model_copy` and a changed dictionary inside an output get past its validation."""
    try:
        return AlertOutput(**{name: getattr(output, name) for name in AlertOutput.model_fields})
    except ValidationError as error:
        raise OutputError(f"not an alert output: {describe(error)}") from error


def dump_outputs(outputs: Sequence[AlertOutput]) -> list[dict[str, Any]]:
    """Outputs as JSON-ready dictionaries; `load_outputs` is the way back."""
    return [output.model_dump(mode="json") for output in outputs]


def load_outputs(data: object) -> list[AlertOutput]:
    """The way back from `dump_outputs`. Raises OutputError when `data` is not what it wrote."""
    if not isinstance(data, list):
        raise OutputError(f"expected a list of outputs, got {type(data).__name__}")
    try:
        return as_outputs([AlertOutput.model_validate(item) for item in data])
    except ValidationError as error:
        raise OutputError(f"not an alert output: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """A validation error in one line: `metrics.cpu: …; timestamp: …`."""
    return clean_text(
        "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'output'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
    )
