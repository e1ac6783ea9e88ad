"""What the triggers over quotes share: where quotes come from and which tickers are checked."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sentinel_core import AlertOutput, History, NoHistory, Trigger
from triggers.market.session_window import Sessions
from triggers.sources.columns import Columns
from triggers.sources.database import database_warnings
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.fetch import is_url, source_warning
from triggers.sources.quotes import ALL, QuoteSeries, SqlSource, read_quotes
from triggers.sources.sessions import open_seconds
from triggers.sources.unusable import Warnings, missing_path, writing_query

Ticker = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

_CLOCK_SKEW = timedelta(minutes=5)
_ABANDONED = timedelta(days=14)  # longer than any exchange is closed for holidays
_NO_HISTORY = NoHistory()
_NAMED = 10  # how many tickers an error message names


class QuoteTrigger(Trigger):
    """A trigger over the newest quotes of one, several or all tickers of a source."""

    default_category: ClassVar[str] = "Market"
    retries: ClassVar[int] = 1
    retry_delay_seconds: ClassVar[float] = 2
    column: ClassVar[Literal["close", "volume"]]

    source: Annotated[str, Field(min_length=1)] | SqlSource = Field(
        description="CSV, Parquet or JSON: a path relative to the working directory or an http(s) "
        "URL; or a SQL query: {database: URL, block:TYPE/NAME or env:NAME, query: SELECT …}",
    )
    columns: Columns = Field(
        default_factory=Columns,
        description="what the columns of the source are called and how they are written",
    )
    unit: str = Field("", max_length=20, description="shown behind values, for example USD")
    max_age_seconds: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="a last row older than this many seconds is no data; null: any age is fine",
    )
    sessions: Sessions | None = Field(
        None,
        description="exchange in whose sessions the rule checks: {calendar: XNYS, window: "
        "[open+5m, close-15m]} (extra `[market]`); null: at all times",
    )
    http_timeout_seconds: float = Field(
        20, gt=0, le=50, description="how long the source may take to answer, in seconds"
    )

    @property
    @abstractmethod
    def tickers(self) -> list[str]:
        """The tickers to check; `["*"]` for every ticker of the source."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many of a ticker's newest rows an evaluation needs."""

    @abstractmethod
    def evaluate(self, quotes: QuoteSeries) -> AlertOutput:
        """Judge one ticker. Pure. Raises SourceError when its rows cannot be judged."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if ALL in self.tickers and len(self.tickers) > 1:
            raise ValueError("ticker: give either names or '*' for all, not both")
        if self.columns.ticker is None and (self.tickers == [ALL] or len(self.tickers) > 1):
            raise ValueError("ticker: a source without a ticker column holds one: give its name")
        if self.columns.time is None and self.max_age_seconds is not None:
            raise ValueError("max_age_seconds: needs a time column (columns.time is null)")
        return self

    def why_closed(self, at: datetime) -> str | None:
        """Outside of the window of the exchange's sessions there is nothing to check."""
        return self.sessions.closed_reason(at) if self.sessions else None

    def check_warnings(self) -> Warnings:
        """What rules may not read, a file that is missing here, or a query that changes data."""
        return [*self._calendar_warnings(), *self._source_warnings()]

    def _calendar_warnings(self) -> Warnings:
        try:
            self.why_closed(datetime.now(UTC))
        except SourceError as error:
            return [("sessions", str(error))]
        return []

    def _source_warnings(self) -> Warnings:
        if isinstance(self.source, SqlSource):
            database = database_warnings("source", self.source.database)
            return [*database, *writing_query("source", self.source.query)]
        if said := source_warning(self.source):
            return [("source", said)]
        return [] if is_url(self.source) else missing_path("source", "file", Path(self.source))

    def check(self, history: History = _NO_HISTORY) -> list[AlertOutput]:
        """Read the source and judge every ticker. Raises SourceError when none can be judged."""
        now = datetime.now(UTC)
        outputs = self.evaluate_all(self.read(), now)
        if self.sessions is None:
            return outputs
        return [self.sessions.judged(output, history, now) for output in outputs]

    def read(self) -> list[QuoteSeries]:
        """The newest rows of each ticker."""
        return read_quotes(
            self.source,
            self.columns,
            getattr(self.columns, self.column),
            self.tickers,
            rows=self.rows,
            timeout_seconds=self.http_timeout_seconds,
        )

    def evaluate_all(self, series: Sequence[QuoteSeries], now: datetime) -> list[AlertOutput]:
        """One output for each ticker. Pure.

        A ticker that can't be judged is a problem of its own and stops no other. When none can be
        judged the fault is not one ticker's: the check fails.
        """
        newest = max((q.last_at for q in series if not _ahead(q, now) and q.last_at), default=None)
        outputs: list[AlertOutput] = []
        problems: list[str] = []
        for quotes in series:
            try:
                self._require_fresh(quotes, now)
                if newest is not None and self.tickers == [ALL]:
                    _require_current(quotes, newest)
                outputs.append(self.evaluate(quotes))
            except SourceError as error:
                name = f"{quotes.ticker}: " if quotes.ticker else ""
                problems.append(f"{name}{error}")
                outputs.append(_unjudged(quotes, problems[-1], error))
        if len(problems) == len(series):
            raise SourceError(_summary(problems))
        return outputs

    def _require_fresh(self, quotes: QuoteSeries, now: datetime) -> None:
        if quotes.last_at is None:
            return
        if _ahead(quotes, now):
            raise SourceError(
                f"the last row, {quotes.last_at.isoformat()}, lies in the future: "
                f"times without a zone are read as {self.columns.timezone} (columns.timezone)"
            )
        if self.max_age_seconds is None:
            return
        age, words = (now - quotes.last_at).total_seconds(), "old"
        if self.sessions is not None and self.sessions.age_in_sessions:
            age = open_seconds(self.sessions.calendar, min(quotes.last_at, now), now)
            words = f"of open {self.sessions.calendar} old"
        if age > self.max_age_seconds:
            raise NoDataError(
                f"stale quotes: the last row, {quotes.last_at.isoformat()}, is {age:,.0f} s "
                f"{words}, more than {self.max_age_seconds:,.0f} s"
            )


def _ahead(quotes: QuoteSeries, now: datetime) -> bool:
    """True if the last row is later than clocks that disagree a little explain."""
    return quotes.last_at is not None and quotes.last_at - now > _CLOCK_SKEW


def _require_current(quotes: QuoteSeries, newest: datetime) -> None:
    """Raises NoDataError for a ticker that `*` finds though its quotes ended long ago."""
    if quotes.last_at is not None and newest - quotes.last_at > _ABANDONED:
        raise NoDataError(
            f"the last row, {quotes.last_at.isoformat()}, is {(newest - quotes.last_at).days:,} "
            f"days behind the newest row of the source, more than {_ABANDONED.days}: no longer "
            "quoted; name the ticker in the rule to check it nevertheless"
        )


def names(ticker: str | list[str]) -> list[str]:
    """One name or several as a list, each once, in the order given."""
    return [ticker] if isinstance(ticker, str) else list(dict.fromkeys(ticker))


def as_of(quotes: QuoteSeries) -> str:
    """` (as of …)`, for the end of a message; nothing when the source has no times."""
    if quotes.last_at is None:
        return ""
    midnight = quotes.last_at.time() == datetime.min.time()
    return f" (as of {quotes.last_at:%Y-%m-%d})" if midnight else f" (as of {quotes.last_at:%F %T})"


def when(quotes: QuoteSeries) -> str | None:
    """The time of the last row for the evidence, ISO 8601."""
    return quotes.last_at.isoformat() if quotes.last_at else None


def _unjudged(quotes: QuoteSeries, message: str, error: SourceError) -> AlertOutput:
    """What is missing is no data; what is there and makes no sense is an error."""
    return AlertOutput(
        triggered=False,
        problem="no_data" if isinstance(error, NoDataError) else "error",
        ticker=quotes.ticker,
        message=message,
        metadata={"last_row_at": when(quotes)},
    )


def _summary(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    listed = "; ".join(problems[:_NAMED])
    return f"none of the {len(problems):,} tickers could be checked: {listed}{more}"
