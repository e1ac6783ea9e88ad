"""The form of a rule test's expectations. Pure data; compare.py compares them."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.reaction import Occasion, ReactionCode, ReactionStatus
from sentinel_core.ruletest.values import moment


def _one_line(text: str) -> str:
    if clean_text(text) != text or text != " ".join(text.split()):
        raise ValueError("expected one line without control characters and double spaces")
    return text


Moment = Annotated[timedelta | datetime, BeforeValidator(moment)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Ticker = Annotated[str, Field(max_length=200)]
Glob = Annotated[str, Field(max_length=40_000)]
"""Text to compare with; `*` and `?` stand for any text and any letter."""


class Form(BaseModel):
    """A part of a rule test."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedEvent(Form):
    """An event that opens at this time. Only given fields are compared."""

    opened_at: Moment
    resolved_at: Annotated[Moment | None, Field(description="null: still open at the end")] = None
    ticker: Ticker | None = None
    kind: Kind | None = None
    importance: Importance | None = None
    message: Glob | None = None
    occurrences: Annotated[int, Field(ge=1)] | None = None
    resolution: Glob | None = None
    acknowledged_by: Annotated[str | None, Field(description="null: nobody")] = None


class ExpectedNotification(Form):
    """A notification: sent, unless `suppressed` says why not."""

    at: Moment
    reason: Glob | None = None
    ticker: Ticker | None = None
    kind: Kind | None = None
    importance: Importance | None = None
    channel: Glob | None = None
    channels: list[str] | None = None
    suppressed: Glob | None = None


class ExpectedReason(Form):
    """A decision at this time, with its reason."""

    at: Moment
    ticker: Ticker | None = None
    kind: Kind | None = None
    action: Glob | None = None
    code: Glob | None = None
    reason: Glob | None = None


class ExpectedReaction(Form):
    """A reaction that starts, or that `status` and `code` say otherwise of."""

    at: Moment
    occasion: Annotated[Occasion | None, Field(description="open, resolve or escalate")] = None
    action: Annotated[str | None, Field(description="run, retry or resume")] = None
    target: Glob | None = None
    ticker: Ticker | None = None
    kind: Kind | None = None
    status: Annotated[
        ReactionStatus, Field(description="pending: it starts; waiting, skipped or failed")
    ] = ReactionStatus.PENDING
    code: ReactionCode | None = None
    parameters: dict[str, Any] | None = None
