"""Reads the store for the pages: one engine for all sessions, results cached for two seconds."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import streamlit as st

from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.model.alert import Importance
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.schema import require_schema
from sentinel_core.store.read import deliveries as store_deliveries
from sentinel_core.store.read import event_list
from sentinel_core.store.read import hosts as store_hosts
from sentinel_core.store.read import overview as store_overview
from sentinel_core.store.read import periods as store_periods
from sentinel_core.store.read import views as store_views
from sentinel_core.store.read.deliveries import Deliveries
from sentinel_core.store.read.event_changes import newest_position, open_events
from sentinel_core.store.read.event_detail import EventDetail, event_detail
from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.read.hosts import Hosts
from sentinel_core.store.read.overview import Bucket, Facets, Overview
from sentinel_core.store.read.periods import Periods, Trends
from sentinel_core.store.read.views import View
from sentinel_core.store.state import rules
from viewer import filters, status
from viewer.escape import zone
from viewer.export_files import Parts
from viewer.filters import Choice

if TYPE_CHECKING:
    from sqlalchemy import Engine

SHARED_SECONDS = 2
LOOK_SECONDS = 0.25
_OF_A_RULE = (
    "name",
    "deployment_id",
    "is_active",
    "schedules",
    "parameters",
    "last_evaluated_at",
    "changed_at",
    "first_seen_at",
)
_BY_VALUE: dict[str | type[Any], Callable[[Any], Any]] = {Choice: repr, Cursor: repr}


def settings() -> Settings:
    """The settings of this process."""
    return get_settings()


@st.cache_resource(show_spinner=False)
def engine_at(url: str) -> "Engine":
    """The event store at an address, shared by all sessions. Raises as `engine` does."""
    engine = open_engine(url, pooled=True, create=False)
    with answering(engine):
        require_schema(engine)
    return engine


def engine() -> "Engine":
    """The event store. Raises StoreUnavailableError and StoreRefusedError."""
    return engine_at(settings().database_url)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@st.cache_data(ttl=LOOK_SECONDS, show_spinner=False)
def _stamp(url: str) -> str:
    return _newest(url)


def _newest(url: str) -> str:
    engine = engine_at(url)
    newest = newest_position(engine)
    return f"{newest.events}-{newest.entries}-{open_events(engine)}"


def newest() -> str:
    """What `stamp` is now. Raises StoreUnavailableError and StoreRefusedError."""
    return _newest(settings().database_url)


def stamp() -> str:
    """The newest event, the newest thing that people did and the number of open events.

    A quarter of a second old at most.

    What is cached by it is read anew with the first change of it. Each evaluation that
    an open event takes in is none: with many rules, that would be every time.
    """
    return _stamp(settings().database_url)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of events, shared by everybody who looks at it: not to be changed."""

    page: event_list.Page
    content: bytes
    """The same as long as the rows say the same."""


@st.cache_resource(ttl=SHARED_SECONDS, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=500)
def _page(url: str, choice: Choice, after: Cursor | None, stamp: str) -> Listed:  # noqa: ARG001 (of the key)
    sort, descending = filters.sorting(choice)
    at = now()
    found = event_list.page(
        engine_at(url),
        filters.to_filter(choice, at),
        now=at,
        size=int(choice.size),
        sort=sort,
        descending=descending,
        after=after,
    )
    return Listed(found, blake2b(repr(found.rows).encode(), digest_size=16).digest())


def page(choice: Choice, after: Cursor | None) -> Listed:
    """A page of the filtered events, after a cursor."""
    return _page(settings().database_url, choice, after, stamp())


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=500)
def _counts(url: str, choice: Choice, newer_than_id: int | None, stamp: str) -> int:  # noqa: ARG001
    at = now()
    wanted = filters.to_filter(choice, at)
    return event_list.count(engine_at(url), wanted, now=at, newer_than_id=newer_than_id)


def count(choice: Choice, newer_than_id: int | None = None) -> int:
    """The number of filtered events, up to the cap, or of those newer than an id."""
    return _counts(settings().database_url, choice, newer_than_id, stamp())


@st.cache_data(ttl=15, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=100)
def _histogram(url: str, choice: Choice) -> tuple[list[Bucket], timedelta]:
    at = now()
    start, end, step = filters.bars(choice, at)
    wanted = filters.to_filter(choice, at)
    buckets = store_overview.histogram(engine_at(url), wanted, start=start, end=end, step=step)
    return buckets, step


def histogram(choice: Choice) -> tuple[list[Bucket], timedelta]:
    """The filtered events over time, and the width of a bar. At most 15 seconds old."""
    return _histogram(settings().database_url, choice)


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False)
def _overview(url: str, stamp: str) -> Overview:  # noqa: ARG001
    return store_overview.overview(engine_at(url), now=now())


def overview() -> Overview:
    """The unacknowledged events, and whether the store has any events."""
    return _overview(settings().database_url, stamp())


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False)
def _critical_ids(url: str, stamp: str) -> list[int]:  # noqa: ARG001
    wanted = EventFilter(importance=frozenset({Importance.CRITICAL.value}), live=True)
    return event_list.newest(engine_at(url), wanted, now=now())


def critical_ids() -> list[int]:
    """The ids of the newest critical events that are live, the newest first."""
    return _critical_ids(settings().database_url, stamp())


@st.cache_data(ttl=15, show_spinner=False)
def _periods(url: str) -> Periods:
    return store_periods.periods(engine_at(url), now=now())


def periods() -> Periods:
    """The events of the last day and of the day before. At most 15 seconds old."""
    return _periods(settings().database_url)


@st.cache_data(ttl=60, show_spinner=False)
def _trends(url: str) -> Trends:
    return store_periods.trends(engine_at(url), now=now())


def trends() -> Trends:
    """The events of each hour of the last day. At most a minute old."""
    return _trends(settings().database_url)


@st.cache_data(ttl=5, show_spinner=False)
def _deliveries(url: str) -> Deliveries:
    return store_deliveries.deliveries(engine_at(url), now=now())


def deliveries() -> Deliveries:
    """Undelivered and late notifications, and open storms. At most 5 seconds old."""
    return _deliveries(settings().database_url)


@st.cache_data(ttl=5, show_spinner=False)
def _coverage(url: str) -> status.Coverage:
    known = [{name: rule[name] for name in _OF_A_RULE} for rule in rules.all_rules(engine_at(url))]
    return status.coverage(known, now(), rules.checkpoint(engine_at(url), rules.RECONCILE))


def coverage() -> status.Coverage:
    """Which rules are checked on time. At most 5 seconds old. Raises StoreUnavailableError."""
    with answering(engine()):
        return _coverage(settings().database_url)


@st.cache_data(ttl=15, show_spinner=False)
def _hosts(url: str) -> Hosts:
    return store_hosts.hosts(engine_at(url), now())


def hosts() -> Hosts:
    """The hosts on which runs execute. At most 15 seconds old. Raises StoreUnavailableError."""
    return _hosts(settings().database_url)


@st.cache_data(ttl=30, show_spinner=False)
def _facets(url: str) -> Facets:
    return store_overview.facets(engine_at(url))


def facets() -> Facets:
    """The values offered by filters. At most 30 seconds old."""
    return _facets(settings().database_url)


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False)
def _views(url: str) -> list[View]:
    return store_views.views(engine_at(url))


def views() -> list[View]:
    """The saved views by name."""
    return _views(settings().database_url)


def event(event_id: int) -> EventDetail | None:
    """One event with all details, not cached; None if it does not exist."""
    return event_detail(engine(), event_id)


def exported(choice: Choice, write: Callable[[IO[bytes], Parts, Settings], None]) -> bytes:
    """The filtered events as a file, up to the export's limit. Only a part of them is in memory as
    rows at any time."""
    sort, descending = filters.sorting(choice)
    at = now()
    parts = event_list.export(
        engine(), filters.to_filter(choice, at), now=at, sort=sort, descending=descending
    )
    with closing(parts), TemporaryFile() as file:
        write(file, parts, settings())
        file.seek(0)
        return file.read()


def matching(choice: Choice) -> tuple[list[dict[str, Any]], bool]:
    """All filtered events as they are now, up to the cap of counts, and True if there are more."""
    at = now()
    sort, descending = filters.sorting(choice)
    wanted = filters.to_filter(choice, at)
    found, more = event_list.matching(engine(), wanted, now=at, sort=sort, descending=descending)
    return [dict(row) for row in found], more


def forget() -> None:
    """Forget what was read before something was written."""
    for cached in (_stamp, _page, _counts, _overview, _critical_ids, _periods, _views):
        cached.clear()


def local_zone() -> tzinfo:
    """The viewer's time zone."""
    return zone(st.context.timezone)
