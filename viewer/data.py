"""Reads the store for the pages: one engine for all sessions, results cached for two seconds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import streamlit as st

from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.schema import require_schema
from sentinel_core.store.read import deliveries as store_deliveries
from sentinel_core.store.read import event_list
from sentinel_core.store.read import overview as store_overview
from sentinel_core.store.read import periods as store_periods
from sentinel_core.store.read.deliveries import Deliveries
from sentinel_core.store.read.event_detail import EventDetail, event_detail
from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.overview import Bucket, Facets, Overview
from sentinel_core.store.read.periods import Periods
from sentinel_core.store.record import acknowledge as acknowledging
from sentinel_core.store.record import react
from sentinel_core.store.record.acknowledge import Acknowledged
from sentinel_core.store.record.react import Approved
from sentinel_core.store.state import rules
from viewer import filters, rows, status
from viewer.escape import zone
from viewer.filters import Choice

if TYPE_CHECKING:
    from sqlalchemy import Engine

SHARED_SECONDS = 2
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


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=500)
def _page(url: str, choice: Choice, after: Cursor | None) -> event_list.Page:
    sort, descending = filters.sorting(choice)
    at = now()
    return event_list.page(
        engine_at(url),
        filters.to_filter(choice, at),
        now=at,
        size=int(choice.size),
        sort=sort,
        descending=descending,
        after=after,
    )


def page(choice: Choice, after: Cursor | None) -> event_list.Page:
    """A page of the filtered events, after a cursor."""
    return _page(settings().database_url, choice, after)


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=500)
def _counts(url: str, choice: Choice, newer_than_id: int | None) -> int:
    at = now()
    wanted = filters.to_filter(choice, at)
    return event_list.count(engine_at(url), wanted, now=at, newer_than_id=newer_than_id)


def count(choice: Choice, newer_than_id: int | None = None) -> int:
    """The number of filtered events, up to the cap, or of those newer than an id."""
    return _counts(settings().database_url, choice, newer_than_id)


@st.cache_data(ttl=15, show_spinner=False, hash_funcs=_BY_VALUE, max_entries=100)
def _histogram(url: str, choice: Choice) -> tuple[list[Bucket], timedelta]:
    at = now()
    start, end, step = filters.bars(choice, at)
    wanted = filters.to_filter(choice, at)
    buckets = store_overview.histogram(
        engine_at(url), wanted, start=start, end=end, step=step, now=at
    )
    return buckets, step


def histogram(choice: Choice) -> tuple[list[Bucket], timedelta]:
    """The filtered events over time, and the width of a bar. At most 15 seconds old."""
    return _histogram(settings().database_url, choice)


@st.cache_data(ttl=SHARED_SECONDS, show_spinner=False)
def _overview(url: str) -> Overview:
    return store_overview.overview(engine_at(url), now=now())


def overview() -> Overview:
    """The unacknowledged events, and whether the store has any events."""
    return _overview(settings().database_url)


@st.cache_data(ttl=15, show_spinner=False)
def _periods(url: str) -> Periods:
    return store_periods.periods(engine_at(url), now=now())


def periods() -> Periods:
    """The events of the last day and of the day before. At most 15 seconds old."""
    return _periods(settings().database_url)


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


@st.cache_data(ttl=30, show_spinner=False)
def _facets(url: str) -> Facets:
    return store_overview.facets(engine_at(url))


def facets() -> Facets:
    """The values offered by filters. At most 30 seconds old."""
    return _facets(settings().database_url)


def event(event_id: int) -> EventDetail | None:
    """One event with all details, not cached; None if it does not exist."""
    return event_detail(engine(), event_id)


def csv(choice: Choice) -> bytes:
    """The filtered events as CSV, up to the export's limit."""
    at = now()
    sort, descending = filters.sorting(choice)
    events, cut = event_list.export(
        engine(), filters.to_filter(choice, at), now=at, sort=sort, descending=descending
    )
    return rows.csv_text(events, cut=cut, settings=settings())


def acknowledge(ids: list[int], by: str, comment: str) -> Acknowledged:
    """Acknowledge exactly these events, and clear the caches of what it changes."""
    result = acknowledging.acknowledge(engine(), ids, by=by, comment=comment, now=now())
    _forget()
    return result


def approve(event_id: int, by: str, comment: str) -> Approved:
    """Approve what waits for it, and clear the caches of what it changes."""
    result = react.approve(engine(), [event_id], by=by, comment=comment, now=now())
    _forget()
    return result


def _forget() -> None:
    for cached in (_page, _counts, _overview, _periods):
        cached.clear()


def local_zone() -> tzinfo:
    """The viewer's time zone."""
    return zone(st.context.timezone)
