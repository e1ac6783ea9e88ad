"""What a trigger hands back. Knows the standard library and pydantic, nothing else.

Everything from outside is made harmless here, once: later stages (database, Slack, HTML)
may rely on text without control characters, finite numbers, aware UTC times and JSON.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
)
from pydantic_core import to_jsonable_python

from sentinel_core.errors import OutputError

MESSAGE_LIMIT = 32_768  # characters; the longest message kept, longer ones end in an ellipsis
METADATA_LIMIT = 262_144  # characters of JSON
METADATA_DEPTH = 32  # PostgreSQL and browsers cope with far more; people do not

# C0 and C1 controls but tab and newline, lone surrogates, and the marks that reorder text
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class Importance(StrEnum):
    """How much an alert matters. Ordered: `Importance.LOW.rank == 0`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low up to 3 for critical."""
        return list(Importance).index(self)


def clean_text(text: str) -> str:
    """`text` with every character that could break a database, a terminal or a page as U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _clean_message(text: str) -> str:
    text = clean_text(text).strip()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _clean_ticker(text: str) -> str:
    return " ".join(clean_text(text).split())


def _number(value: Any) -> Any:
    """NumPy scalars and the like as plain Python numbers."""
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ValueError(
                f"metric {name!r} is {value}: a measurement that is not a number is an error, "
                "never 'not triggered'"
            )
    return {clean_text(name): value for name, value in metrics.items()}


def _clean_json(value: Any, depth: int = 0) -> Any:
    if depth > METADATA_DEPTH:
        raise ValueError(f"metadata is nested deeper than {METADATA_DEPTH} levels")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): _clean_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean_json(item, depth + 1) for item in value]
    return value


def _clean_metadata(value: Any) -> Any:
    try:
        plain = to_jsonable_python(value, inf_nan_mode="strings", fallback=_number)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"metadata is not JSON: {error}") from error
    cleaned = _clean_json(plain)
    size = len(json.dumps(cleaned))
    if size > METADATA_LIMIT:
        raise ValueError(
            f"metadata is {size:,} characters of JSON, more than {METADATA_LIMIT:,}: "
            "keep the evidence, link to the rest"
        )
    return cleaned


class AlertOutput(BaseModel):
    """One measured series at one moment: the answer of a trigger.

    `ticker` says what was measured (an instrument, a host, a table); "" where a rule has only one
    subject. `importance` None means: the rule's own. `metrics` holds finite numbers, the ones that
    conditions, charts and replay work on; `metadata` is the evidence, any JSON.

    Raises pydantic's ValidationError for a naive timestamp, a metric that is not finite, or
    metadata that is not JSON or too large. Overlong messages are cut, control characters replaced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    triggered: StrictBool
    importance: Importance | None = None
    ticker: Annotated[str, AfterValidator(_clean_ticker), Field(max_length=200)] = ""
    message: Annotated[str, AfterValidator(_clean_message)] = ""
    metadata: Annotated[dict[str, Any], BeforeValidator(_clean_metadata)] = {}
    metrics: Annotated[dict[str, float], AfterValidator(_finite)] = {}
    timestamp: Annotated[AwareDatetime, AfterValidator(lambda t: t.astimezone(UTC))] = Field(
        default_factory=lambda: datetime.now(UTC)
    )


def as_outputs(returned: object) -> list[AlertOutput]:
    """What a trigger returned, as a list with one output per ticker.

    Raises OutputError for anything else: another type, or the same ticker twice.
    """
    outputs: list[AlertOutput] = []
    for output in returned if isinstance(returned, list | tuple) else [returned]:
        if not isinstance(output, AlertOutput):
            raise OutputError(
                f"the trigger returned {type(output).__name__}, expected AlertOutput "
                "or a list of AlertOutputs"
            )
        outputs.append(output)
    tickers = [output.ticker for output in outputs]
    twice = sorted(t for t, n in Counter(tickers).items() if n > 1)[:5]
    if twice:
        raise OutputError(f"the trigger returned ticker {twice[0]!r} more than once: {twice}")
    return outputs


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
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'output'}: {item['msg']}"
        for item in error.errors()
    )
