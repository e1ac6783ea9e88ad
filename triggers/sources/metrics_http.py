"""Numbers in the JSON that an HTTP address answers with. Reads; judges nothing."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from triggers.sources.described import Described
from triggers.sources.document import MISSING, value_at
from triggers.sources.endpoint import Endpoint, json_of
from triggers.sources.errors import SourceError
from triggers.sources.fetch import shown
from triggers.sources.readings import Reading, distinct, no_data, reading

_PATH = "names and list positions joined by dots"


class HttpMetrics(Described, Endpoint):
    """A number in a JSON answer, or one for each entry of a list in it."""

    kind: Literal["http"] = Field(description="http: a number in a JSON answer")
    path: str = Field(
        "",
        max_length=1_000,
        description=f"where the number is: {_PATH}; empty: the whole answer, or entry",
    )
    items: str | None = Field(
        None,
        max_length=1_000,
        description=f"several series: where their list or object is ({_PATH}; empty: on top)",
    )
    ticker_path: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="where an entry's ticker is; null: its name in an object of entries",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.ticker_path is not None and self.items is None:
            raise ValueError("ticker_path is for several series: give `items`, where they are")
        return self

    @property
    def subject(self) -> str:
        """The measurement in words."""
        return self.path or "the value"

    @property
    def several(self) -> bool:
        """True if the series have tickers of their own."""
        return self.items is not None

    def read(self) -> list[Reading]:
        """The current numbers. Raises SourceError if there is no readable answer."""
        probe = self.get()
        document = json_of(probe)
        if self.items is None:
            return [self._reading(document, "")]
        entries = value_at(document, self.items)
        if entries is MISSING or entries is None or entries in ([], {}):
            return [no_data(f"has no value: no entries at {self.items or 'the top'} of the answer")]
        try:
            return distinct([self._reading(entry, name) for name, entry in self._named(entries)])
        except SourceError as error:
            raise SourceError(f"{shown(probe.url)}: {error}") from error

    def _reading(self, document: Any, ticker: str) -> Reading:
        found = value_at(document, self.path)
        if found is MISSING:
            return no_data("is missing in the answer", ticker)
        return reading(found, ticker)

    def _named(self, entries: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(entries, dict) and self.ticker_path is None:
            yield from entries.items()
        elif not isinstance(entries, dict | list):
            raise SourceError(f"{self.items or 'the answer'} is neither a list nor an object")
        elif self.ticker_path is None:
            raise SourceError("the entries are a list: set `ticker_path` to distinguish them")
        else:
            listed = entries.values() if isinstance(entries, dict) else entries
            for number, entry in enumerate(listed, start=1):
                yield self._ticker(number, entry), entry

    def _ticker(self, number: int, entry: Any) -> str:
        found = value_at(entry, self.ticker_path or "")
        named = isinstance(found, str | int) and not isinstance(found, bool)
        if not named or not str(found).strip():
            raise SourceError(f"entry {number} has no ticker at {self.ticker_path}")
        return str(found)
