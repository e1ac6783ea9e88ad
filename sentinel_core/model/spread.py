"""How runs that are due at the same time are spread. Pure data."""

from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

VARIABLE = "spread"
"""The job variable that says it: of a deployment, or with its default of a work pool."""

Word = Literal["interval", "none"]
WORDS: tuple[str, ...] = get_args(Word)
MOST_SECONDS = 86_400
SpreadSeconds = Annotated[float, Field(strict=True, ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Spread = Word | SpreadSeconds
"""Over the time until the rule is due again (`interval`), over so many seconds, or not (`none`)."""

_SPREAD: TypeAdapter[Spread] = TypeAdapter(Spread)


def spread_of(value: object) -> Spread | None:
    """The spread that a value says; None for nothing, and for what is no spread."""
    try:
        return _SPREAD.validate_python(value)
    except ValidationError:
        return None
