"""What operators do with events: the same as at the command line, signed by the token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sentinel_core.api.access import Signed
from sentinel_core.api.errors import ApiError
from sentinel_core.api.events import Time, storable
from sentinel_core.api.store import Store
from sentinel_core.store.record import acknowledge as acknowledging
from sentinel_core.store.record import annotate
from sentinel_core.store.record import resolve as resolving
from sentinel_core.store.record.change import COMMENT_LIMIT, Changed

_LARGEST = 2**63 - 1


def _digits(given: Any) -> Any:
    if isinstance(given, str) and not (given.isascii() and given.isdigit()):
        raise ValueError("an event's id is a whole number")
    return given


EventId = Annotated[int, Path(ge=1, le=_LARGEST), BeforeValidator(_digits)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=COMMENT_LIMIT), AfterValidator(storable)]


class Why(BaseModel):
    """A comment, which is kept with the event and in the audit."""

    model_config = ConfigDict(extra="forbid")

    comment: Text = ""


class Acknowledgement(Why):
    """Why, and until when or until which value; without either until the event ends."""

    until: Time | None = None
    above: Number | None = None
    below: Number | None = None


class Comment(Why):
    """A comment, which can't be empty."""

    comment: Text


@contextmanager
def wrong_values() -> Iterator[None]:
    """Refuse values that the record refuses."""
    try:
        yield
    except ValueError as error:
        raise ApiError(422, "invalid-parameter", str(error)) from error


def event_changes(store: Store) -> APIRouter:
    """The routes. Each answers whether the event changed; 404 when there is none."""
    router = APIRouter(prefix="/events/{event}")

    @router.post("/acknowledge")
    def acknowledge(event: EventId, by: Signed, given: Acknowledgement | None = None) -> Any:
        """Acknowledge an event. One that somebody acknowledged before stays theirs."""
        said = given or Acknowledgement()
        with wrong_values(), store.writable() as engine:
            result = acknowledging.acknowledge(
                engine,
                [event],
                by=by.name,
                comment=said.comment,
                until=said.until,
                above=said.above,
                below=said.below,
                now=datetime.now(UTC),
            )
        if result.missing:
            raise _missing(event)
        if result.done:
            return {"event": event, "changed": True}
        [before] = result.handled
        return {"event": event, "changed": False, "by": before.by, "at": before.at}

    @router.post("/unacknowledge")
    def unacknowledge(event: EventId, by: Signed, given: Why | None = None) -> Any:
        """Take an acknowledgement back."""
        return _changed(store, acknowledging.unacknowledge, event, by.name, given)

    @router.post("/resolve")
    def resolve(event: EventId, by: Signed, given: Why | None = None) -> Any:
        """End an event. If its rule still fires, its next run opens a new one."""
        return _changed(store, resolving.resolve, event, by.name, given)

    @router.post("/comment")
    def comment(event: EventId, by: Signed, given: Comment) -> Any:
        """Comment on an event."""
        return _changed(store, annotate.comment, event, by.name, given)

    return router


def _changed(
    store: Store, act: Callable[..., Changed], event: int, by: str, given: Why | None
) -> dict[str, Any]:
    said = given.comment if given is not None else ""
    with wrong_values(), store.writable() as engine:
        result = act(engine, [event], by=by, comment=said, now=datetime.now(UTC))
    if result.missing:
        raise _missing(event)
    return {"event": event, "changed": bool(result.done)}


def _missing(event: int) -> ApiError:
    return ApiError(404, "no-such-event", f"there is no event {event}")
