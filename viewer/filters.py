"""The filter of the blotter: from the address bar's parameters to an EventFilter. Pure.

Widgets carry these names and values unchanged (no pretty labels): Streamlit finds a bound
parameter by its label; one that it can't find would be dropped, and everything shown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.run import TERMINAL
from sentinel_core.store.read.filters import NO_STATE, URGENT, EventFilter, Sort, Status
from sentinel_core.store.read.overview import Facets
from sentinel_core.wording.times import stamp
from viewer.escape import plain
from viewer.rows import ALL_COLUMNS

VIEWS = ("live", "all")
QUICK = ("all", "critical", "market", "system", "mine")
RANGES = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "any": None,
}
SIZES = ("20", "50", "100")
SORTS = tuple(f"{sort.value} {arrow}" for sort in Sort for arrow in ("↓", "↑"))
IMPORTANCES = tuple(item.value for item in reversed(Importance))
KINDS = tuple(item.value for item in Kind if item is not Kind.SKIPPED)  # never an event
STATUSES = tuple(item.value for item in Status)
ALERTS = ("sound", "title")
STATES = (*(item.value for item in TERMINAL), NO_STATE)  # those that events can have
CATEGORIES = ("General", "Market", "System", "Security")

DEFAULT_RANGE = "24h"
_MOST_BARS = 200
_NOTHING = frozenset({"(no such value)"})  # an empty set would mean any
_QUICK_IMPORTANCE = {"critical": URGENT}
_QUICK_CATEGORY = {"market": frozenset({"Market"}), "system": frozenset({"System"})}


@dataclass(frozen=True, slots=True)
class Choice:
    """The choices in the filter row. Times are aware, in the viewer's time zone."""

    view: str = "live"
    quick: str | None = None
    importance: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    ticker: str = ""
    storm: str = ""
    range: str = DEFAULT_RANGE
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""
    sort: str = SORTS[0]
    size: str = SIZES[1]
    me: str = ""
    """Who looks, for the quick filter of one's own events."""

    @property
    def live(self) -> bool:
        """True for the view of events that still need attention."""
        return self.view == "live"


def sorting(choice: Choice) -> tuple[Sort, bool]:
    """The column to sort by, and whether it is descending."""
    name, _, arrow = choice.sort.rpartition(" ")
    return Sort(name), arrow == "↓"


def to_filter(choice: Choice, now: datetime) -> EventFilter:
    """The choice as the store's filter."""
    since, until = window(choice, now)
    return EventFilter(
        importance=_both(choice.importance, _QUICK_IMPORTANCE.get(choice.quick or "")),
        category=_both(choice.category, _QUICK_CATEGORY.get(choice.quick or "")),
        environment=frozenset(choice.environment),
        kind=frozenset(choice.kind),
        status=frozenset(Status(status) for status in choice.status),
        state=frozenset(choice.state),
        rules=frozenset(choice.rule),
        ticker=choice.ticker.strip(),
        since=since,
        until=until,
        storm=storm_number(choice.storm),
        text=choice.q.strip()[:200],
        mine=choice.me if choice.quick == "mine" else "",
        live=choice.live,
    )


_MOST_DIGITS = 18  # the longest id that the store accepts


def storm_number(text: str) -> int | None:
    """The chosen storm's id; None for an empty text or anything but a number."""
    digits = text.strip()
    sane = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    return int(digits) if sane else None


def storm_address(storm_id: int) -> str:
    """The address of a storm's events on the blotter."""
    return f"./?view=all&range=any&storm={storm_id}"


def _both(chosen: Sequence[str], quick: frozenset[str] | None) -> frozenset[str]:
    if quick is None:
        return frozenset(chosen)
    return (frozenset(chosen) & quick or _NOTHING) if chosen else quick


def window(choice: Choice, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Start and end of the chosen period. The live view has no age limit: critical events stay."""
    if choice.since or choice.until:
        return choice.since, choice.until
    if choice.live:
        return None, None
    length = RANGES.get(choice.range, RANGES[DEFAULT_RANGE])
    return (now - length if length else None), None


def bars(choice: Choice, now: datetime) -> tuple[datetime, datetime, timedelta]:
    """Start, end and width of the histogram's bars: hours, fewer and wider beyond a week."""
    since, until = window(choice, now)
    end = until or now
    start = since or end - (timedelta(days=30) if choice.range == "any" else timedelta(days=1))
    start = min(start, end - timedelta(minutes=1))
    length = end - start
    step = timedelta(minutes=5) if length <= timedelta(hours=4) else timedelta(hours=1)
    while length / step > _MOST_BARS:
        step *= 4 if step >= timedelta(hours=1) else 12
    return start, end, step


def shown_window(choice: Choice, now: datetime, where: tzinfo) -> str:
    """The time window in words, so that an empty list is not mistaken for "never"."""
    return _window_words(choice, now, where) + _storm_words(choice)


def _storm_words(choice: Choice) -> str:
    number = storm_number(choice.storm)
    return f", of storm {number}" if number is not None else ""


def _window_words(choice: Choice, now: datetime, where: tzinfo) -> str:
    since, until = window(choice, now)
    if choice.since or choice.until:
        first = stamp(since, where, seconds=False) if since else "the beginning"
        last = stamp(until, where, seconds=False) if until else "now"
        return f"{first} to {last}"
    if choice.live:
        return "unacknowledged"
    length = RANGES.get(choice.range)
    return f"of the last {_length_words(length)}" if length else "of any age"


def _length_words(length: timedelta) -> str:
    if length > timedelta(days=1):
        return f"{length.days} days"
    hours = length // timedelta(hours=1)
    return f"{hours} hours" if hours > 1 else "hour"


SINGLE: Mapping[str, str] = {
    "view": VIEWS[0],
    "quick": QUICK[0],
    "range": DEFAULT_RANGE,
    "sort": SORTS[0],
    "size": SIZES[1],
}
"""The controls with exactly one value, and the one they have when the page opens."""


def offered(known: Facets) -> dict[str, Sequence[str]]:
    """The values that each control with a fixed choice offers."""
    return {
        "view": VIEWS,
        "quick": QUICK,
        "importance": IMPORTANCES,
        "category": categories(known),
        "status": STATUSES,
        "kind": KINDS,
        "state": STATES,
        "rule": known.rules,
        "environment": known.environments,
        "range": tuple(RANGES),
        "sort": SORTS,
        "size": SIZES,
        "columns": ALL_COLUMNS,
    }


def problems(params: Mapping[str, Sequence[str]], known: Facets) -> list[str]:
    """The blotter's parameters that are invalid, as `not_among` says."""
    values = {**offered(known), "alert": ALERTS}
    return not_among(params, values, ("ticker", "q", "event", "since", "until", "storm"))


def not_among(
    params: Mapping[str, Sequence[str]],
    known_values: Mapping[str, Sequence[str]],
    free: Collection[str],
) -> list[str]:
    """Parameters in the address bar that are invalid, a sentence each (markdown, escaped).

    Those named in `free` hold texts, times (`since`, `until`) and a number (`storm`).
    """
    sentences: list[str] = []
    for name, given in params.items():
        if name in ("since", "until") and name in free:
            sentences += [
                _not_understood(name, value, "a date and time as `2026-11-20T10:00`")
                for value in given
                if not is_time(value)
            ]
        elif name == "storm" and name in free:
            wrong = [value for value in given if value.strip() and storm_number(value) is None]
            sentences += [_not_understood(name, value, "a number") for value in wrong[:3]]
        elif name in known_values:
            unknown = [value for value in given if value not in known_values[name]]
            possible = known_values[name][:12]
            expected = "one of " + ", ".join(possible) if possible else "nothing yet"
            sentences += [_not_understood(name, value, plain(expected)) for value in unknown[:3]]
        elif name not in free and not name.startswith("embed"):
            sentences.append(f"There is no filter called “{plain(name, 60)}”; it is ignored.")
    return sentences[:10]


def _not_understood(name: str, value: str, expected: str) -> str:
    """`expected` is markdown."""
    return (
        f"Filter {name}: “{plain(value, 60)}” is not understood and left out; expected {expected}."
    )


def is_time(text: str) -> bool:
    """True for a time as its control reads it from the address."""
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M")  # noqa: DTZ007 (in the zone of whoever looks)
    except ValueError:
        return False
    return True


def categories(known: Facets) -> tuple[str, ...]:
    """The usual categories, and others in use."""
    return (*CATEGORIES, *(name for name in known.categories if name not in CATEGORIES))
