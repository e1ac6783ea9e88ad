"""The recorded quotes as a live feed: the days that have come, and the next one."""

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import groupby

LABEL = "recorded data of 2012–13"
CATEGORY = "2012–13 data"  # a column of the blotter shows as much
FIRST_DAY = date(2012, 11, 6)  # what comes before it is there from the beginning


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day: a line of CSV and a close for each ticker."""

    date: date
    lines: tuple[str, ...]
    closes: dict[str, float]

    def words(self) -> str:
        """The date and the closes, for people."""
        closes = ", ".join(f"{ticker} {close:,.2f}" for ticker, close in self.closes.items())
        return f"{self.date.day} {self.date:%B %Y}: {closes}"


@dataclass(frozen=True, slots=True)
class Recording:
    """All recorded days, oldest first."""

    header: str
    days: tuple[Day, ...]

    def until(self, last: date) -> str:
        """The quotes up to a day as CSV: what the feed has at the end of it."""
        lines = (line for day in self.days if day.date <= last for line in day.lines)
        return "\n".join([self.header, *lines, ""])

    @property
    def live(self) -> list[Day]:
        """The days that come one by one."""
        return [day for day in self.days if day.date >= FIRST_DAY]


def recording() -> Recording:
    """The quotes of this package."""
    text = (files(__package__) / "quotes.csv").read_text("utf-8")
    header, *lines = text.splitlines()
    days = groupby(lines, key=lambda line: line.split(",")[1])
    return Recording(header, tuple(_day(on, tuple(same)) for on, same in days))


def _day(on: str, lines: tuple[str, ...]) -> Day:
    cells = [line.split(",") for line in lines]
    return Day(
        date.fromisoformat(on), lines, {ticker: float(close) for ticker, _, close, _ in cells}
    )
