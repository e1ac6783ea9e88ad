"""The form of a file of rule tests. Pure data; reading.py reads it, run.py runs it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.snooze import Limits, limits_of
from sentinel_core.model.alert import EARLIEST, LATEST, AlertOutput, Importance, describe
from sentinel_core.model.condition import YEAR_SECONDS
from sentinel_core.model.silence import Matchers, Recurrence
from sentinel_core.ruletest.expected import (
    ExpectedEvent,
    ExpectedNotification,
    ExpectedReaction,
    ExpectedReason,
    Form,
    Moment,
    Name,
    Ticker,
)
from sentinel_core.ruletest.values import (
    START,
    Mark,
    RunOutcome,
    after,
    flags,
    importances,
    numbers,
    outcomes,
    texts,
)

MOST_VALUES = 500_000  # of one test: runs times rows
_EXPECTED = ("events", "notifications", "reactions", "reasons")
_TIMED = ("actions", "silences", "firing", *_EXPECTED)
KeyPath = tuple[str | int, ...]
Mistake = tuple[KeyPath, str]


def _quoted(recurrence: Any) -> Any:
    for key in ("start", "end"):
        if isinstance(recurrence, dict) and isinstance(recurrence.get(key), int):
            # YAML reads 22:00 as the number 1320, and that would be taken for seconds.
            raise ValueError(f'put `{key}` in quotes, like "22:00"')  # noqa: TRY004 (pydantic's)
    return recurrence


Limit = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Numbers = Annotated[Any, PlainValidator(numbers)]


class SeriesForm(BaseModel):
    """The measurements of one ticker, run by run. Every other key is a metric with its values."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Numbers] = Field(init=False)

    triggered: Annotated[list[bool | Mark] | None, PlainValidator(flags)] = None
    importance: Annotated[list[Importance | None] | None, PlainValidator(importances)] = None
    message: Annotated[list[str] | None, PlainValidator(texts)] = None

    @property
    def metrics(self) -> dict[str, list[float | Mark]]:
        """The rows of numbers by metric."""
        return self.__pydantic_extra__

    def rows(self) -> Iterator[tuple[str, list[Any]]]:
        """Every row that is given, by its key."""
        yield from self.metrics.items()
        for name in ("triggered", "importance", "message"):
            if (row := getattr(self, name)) is not None:
                yield name, row


class ActionForm(Form):
    """Something a person does, after the run that was due at that moment."""

    at: Moment
    action: Literal["acknowledge", "unacknowledge", "resolve"]
    ticker: Ticker = ""
    kind: Kind = Kind.ALERT
    by: Name = "somebody"
    until: Moment | None = None
    above: Limit | None = None
    below: Limit | None = None

    @property
    def limits(self) -> Limits | None:
        """The values beyond which an acknowledgement ends."""
        return limits_of(self.above, self.below)


class SilenceForm(Form):
    """A silence over part of the test."""

    matchers: Matchers
    start: Annotated[Moment, Field(alias="from")] = timedelta(0)
    end: Annotated[Moment, Field(alias="to")]
    author: Name = "somebody"
    comment: Name = "no reason given"
    recurrence: Annotated[Recurrence | None, BeforeValidator(_quoted)] = None


class FiringForm(Form):
    """Another rule of the rule file that fires for a while; its settings say what it inhibits."""

    rule: Name
    ticker: Ticker = ""
    start: Annotated[Moment, Field(alias="from")] = timedelta(0)
    end: Annotated[Moment | None, Field(alias="to")] = None


def _mistakes_in_limits(number: int, action: ActionForm) -> Iterator[Mistake]:
    """What only an acknowledgement has, and limits between which there is no value."""
    for name in ("until", "above", "below"):
        if getattr(action, name) is not None and action.action != "acknowledge":
            yield ("actions", number, name), "belongs to `action: acknowledge`"
    try:
        limits_of(action.above, action.below)
    except ValueError as error:
        yield ("actions", number, "below"), str(error)


class RuleTest(BaseModel):
    """One test: the measurements over time, people's actions, and the expected outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    rule: Name
    start: AwareDatetime = START
    every_seconds: Annotated[float, Field(gt=0, le=YEAR_SECONDS, allow_inf_nan=False)]
    series: dict[Ticker, SeriesForm] = {}
    runs: Annotated[list[RunOutcome], PlainValidator(outcomes)] = [RunOutcome.OK]
    actions: Annotated[list[ActionForm], Field(max_length=1000)] = []
    silences: Annotated[list[SilenceForm], Field(max_length=100)] = []
    firing: Annotated[list[FiringForm], Field(max_length=100)] = []
    events: Annotated[list[ExpectedEvent] | None, Field(max_length=300)] = None
    notifications: Annotated[list[ExpectedNotification] | None, Field(max_length=300)] = None
    reactions: Annotated[list[ExpectedReaction] | None, Field(max_length=300)] = None
    reasons: Annotated[list[ExpectedReason] | None, Field(max_length=300)] = None

    @property
    def size(self) -> int:
        """The number of runs."""
        return max((len(row) for _, row in self.rows()), default=0)

    def rows(self) -> Iterator[tuple[KeyPath, list[Any]]]:
        """Every row of values with its place in the YAML."""
        yield ("runs",), self.runs
        for ticker, series in self.series.items():
            for key, row in series.rows():
                yield ("series", ticker, key), row

    def mistakes(self) -> Iterator[Mistake]:
        """Mistakes that no single part shows, each with its place."""
        yield from self._mistakes_in_rows()
        yield from self._mistakes_in_tickers()
        yield from self._mistakes_in_times()
        yield from self._mistakes_in_expectations()

    def _mistakes_in_rows(self) -> Iterator[Mistake]:
        if not self.series and "runs" not in self.model_fields_set:
            yield (), "no measurements: give `series`, or `runs` for runs that fail"
        size, rows = self.size, list(self.rows())
        for path, row in rows:
            if len(row) not in (1, size):
                yield path, f"has {len(row):,} values, another row {size:,}: give as many, or one"
        if size * len(rows) > MOST_VALUES:
            yield ("series",), f"has more than {MOST_VALUES:,} values: split the test"

    def _mistakes_in_tickers(self) -> Iterator[Mistake]:
        for ticker, series in self.series.items():
            if not series.metrics and series.triggered is None:
                yield ("series", ticker), "has no values: give a metric or `triggered`"
            zeros = dict.fromkeys(series.metrics, 0.0)
            try:
                output = AlertOutput(triggered=False, ticker=ticker, metrics=zeros)
            except ValidationError as error:
                yield ("series", ticker), f"is not a valid output: {describe(error)}"
                continue
            if output.ticker != ticker:
                yield ("series", ticker), f"expected a ticker as it is stored: {output.ticker!r}"
            for name in series.metrics.keys() - output.metrics.keys():
                yield ("series", ticker, name), "expected a name without control characters"

    def _mistakes_in_times(self) -> Iterator[Mistake]:
        if not EARLIEST <= self.start <= datetime(2900, 1, 1, tzinfo=UTC):
            yield ("start",), "expected a time between 1970 and 2900"
            return
        if self.size * self.every_seconds > (LATEST - self.start).total_seconds():
            yield ("every_seconds",), "the last run would be after the year 9000"
        for path, time in self._moments():
            if after(self.start, time) < self.start:
                yield path, f"is before the start of the test ({self.start.isoformat()})"
        yield from self._mistakes_in_spans()

    def _moments(self) -> Iterator[tuple[KeyPath, timedelta | datetime]]:
        """Every given time with its place."""
        for part in _TIMED:
            for number, one in enumerate(getattr(self, part) or []):
                for name, info in type(one).model_fields.items():
                    value = getattr(one, name)
                    if isinstance(value, timedelta | datetime):
                        yield (part, number, info.alias or name), value

    def _mistakes_in_spans(self) -> Iterator[Mistake]:
        for part in ("silences", "firing"):
            for number, one in enumerate(getattr(self, part)):
                if one.end is not None and self.at(one.end) <= self.at(one.start):
                    yield (part, number, "to"), "is not after `from`"
        for number, action in enumerate(self.actions):
            yield from _mistakes_in_limits(number, action)
            if action.until is not None and self.at(action.until) <= self.at(action.at):
                yield ("actions", number, "until"), "is not after `at`"

    def _mistakes_in_expectations(self) -> Iterator[Mistake]:
        if all(getattr(self, part) is None for part in _EXPECTED):
            names = "`notifications`, `reactions` or `reasons`"
            yield (), f"expects nothing: give `events` (`[]` for none), {names}"
        if self.reasons == []:
            yield ("reasons",), "an empty list checks nothing: leave it out"
        for number, one in enumerate(self.reasons or []):
            if one.code is None and one.reason is None and one.action is None:
                yield ("reasons", number), "compares nothing: give a code, a reason or an action"
        for number, message in enumerate(self.notifications or []):
            if message.channel is not None and message.channels is not None:
                yield ("notifications", number), "expected `channel` or `channels`, not both"

    def at(self, time: timedelta | datetime) -> datetime:
        """The absolute time."""
        return after(self.start, time)


class RuleTestFile(Form):
    """The keys of a file; reading.py reads its tests one by one."""

    rule_file: Annotated[str, Field(min_length=1, max_length=4096)] = "../../prefect.yaml"
    definitions: Annotated[Any, Field(description="for YAML anchors; not read")] = None
    tests: Annotated[list[Any], Field(min_length=1, max_length=1000)]


def known_keys(path: KeyPath) -> list[str]:
    """The keys allowed in the mapping at this place of a test; none if it takes any key."""
    model = _MODELS.get(tuple(part for part in path if isinstance(part, str)))
    fields = model.model_fields if model is not None else {}
    return [info.alias or name for name, info in fields.items()]


_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): RuleTest,
    ("actions",): ActionForm,
    ("silences",): SilenceForm,
    ("silences", "matchers"): Matchers,
    ("silences", "recurrence"): Recurrence,
    ("firing",): FiringForm,
    ("events",): ExpectedEvent,
    ("notifications",): ExpectedNotification,
    ("reactions",): ExpectedReaction,
    ("reasons",): ExpectedReason,
}
