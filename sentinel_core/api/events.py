"""The parameters of a list of events: the filters of the blotter, an order and a cursor."""

import base64
import json
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import EARLIEST, LATEST, Importance
from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.filters import NUMBERS, TIMES, EventFilter, Sort, Status

_LARGEST = 2**63 - 1
_LARGEST_SHOWN = 2**31 - 1  # of what a list is sorted by: PostgreSQL's integer
_LONGEST_CURSOR = 8_000  # characters: the longest names, in letters of four bytes


def storable(text: str) -> str:
    """The text. Raises ValueError for one that no database keeps."""
    if "\x00" in text:
        raise ValueError("a NUL character is in no event")
    return text


def _possible(at: datetime) -> datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError("no event is of this time")
    return at


Text = Annotated[str, Field(max_length=200), AfterValidator(storable)]
Names = Annotated[frozenset[Text], Field(max_length=50)]
Time = Annotated[AwareDatetime, AfterValidator(_possible)]


class EventQuery(BaseModel):
    """The parameters. One that does not exist is refused: without it, all events would match."""

    model_config = ConfigDict(extra="forbid")

    importance: frozenset[Importance] = frozenset()
    category: Names = frozenset()
    environment: Names = frozenset()
    kind: frozenset[Kind] = frozenset()
    status: frozenset[Status] = frozenset()
    state: Names = frozenset()
    rule: Names = frozenset()
    ticker: Text = ""
    since: Time | None = None
    until: Time | None = None
    text: Text = ""
    storm: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    live: bool = False
    sort: Sort = Sort.TIME
    descending: bool = True
    size: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=_LONGEST_CURSOR)] | None = None

    @model_validator(mode="after")
    def _cursor_can_be_read(self) -> Self:
        self.after()
        return self

    def wanted(self) -> EventFilter:
        """The store's filter."""
        return EventFilter(
            importance=frozenset(item.value for item in self.importance),
            category=self.category,
            environment=self.environment,
            kind=frozenset(item.value for item in self.kind),
            status=self.status,
            state=self.state,
            rules=self.rule,
            ticker=self.ticker,
            since=self.since,
            until=self.until,
            storm=self.storm,
            text=self.text,
            live=self.live,
        )

    def after(self) -> Cursor | None:
        """The place after which the page begins. Raises ValueError for a cursor of another list."""
        if self.cursor is None:
            return None
        try:
            value, key = json.loads(base64.urlsafe_b64decode(self.cursor.encode("ascii")))
            return Cursor(self._value(value), _whole(key))
        except (ValueError, TypeError, RecursionError):
            raise ValueError(
                "the cursor is not of a list in this order: take `next` of the page before"
            ) from None

    def _value(self, value: Any) -> Any:
        if self.sort in NUMBERS:
            return _whole(value, _LARGEST_SHOWN)
        if not isinstance(value, str):
            raise TypeError
        if self.sort in TIMES:
            at = datetime.fromisoformat(value)
            if at.tzinfo is None:
                raise ValueError
            return _possible(at)
        value.encode()  # raises for half a character, which JSON can hold
        return storable(value)


def _whole(value: Any, largest: int = _LARGEST) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > largest:
        raise TypeError
    return value


def written(cursor: Cursor) -> str:
    """The cursor as text."""
    value = cursor.value.isoformat() if isinstance(cursor.value, datetime) else cursor.value
    text = json.dumps([value, cursor.id], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")
