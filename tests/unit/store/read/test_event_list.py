"""Lists of events on both databases: filters, order, pages, counts, export."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.alert import Importance
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.read import event_list, overview
from sentinel_core.store.read.filters import NO_STATE, EventFilter, Sort, Status
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import assign, disposition
from sentinel_core.store.record.recording import record
from sentinel_core.wording.labels import status_of
from tests.support.recorded import NOON, a_rule, a_run, calm, event_ids, fire, observe

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_the_newest_event_comes_first(engine: Engine) -> None:
    old = fire(engine, a_rule("old"), NOON - HOUR)
    new = fire(engine, a_rule("new"), NOON)
    assert event_ids(engine) == [new, old]


def test_each_filter_keeps_exactly_what_it_names(engine: Engine) -> None:
    quote = fire(
        engine,
        a_rule("price", "critical", "Market"),
        NOON - 3 * MINUTE,
        ticker="AAPL",
        message="100% up_to\\now",
    )
    disk = fire(engine, a_rule("disk", "low", "System"), NOON - 2 * MINUTE, ticker="host")
    [failed] = observe(
        engine, a_rule("cpu", "medium"), a_run(NOON - MINUTE, "CRASHED", message="killed")
    ).opened
    assert event_ids(engine, importance={"critical", "low"}) == [disk, quote]
    assert event_ids(engine, category={"Market"}) == [quote]
    assert event_ids(engine, kind={"failure"}) == [failed]
    assert event_ids(engine, state={"CRASHED", "FAILED"}) == [failed]
    assert event_ids(engine, rules={"cpu", "price"}) == [failed, quote]
    assert event_ids(engine, ticker="AAPL") == [quote]
    assert event_ids(engine, since=NOON - 2 * MINUTE) == [failed, disk]
    assert event_ids(engine, until=NOON - 2 * MINUTE) == [quote]
    assert event_ids(engine, text="aap") == [quote]
    assert event_ids(engine, text="DISK") == [disk]
    assert event_ids(engine, importance={"critical"}, category={"System"}) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("100%", 1), ("%", 1), ("_", 1), ("\\", 1), ("up_to\\now", 1), ("1_0", 0), ("'--", 0)],
)
def test_search_takes_every_character_literally(engine: Engine, text: str, found: int) -> None:
    fire(engine, a_rule("one"), NOON, message="100% up_to\\now")
    fire(engine, a_rule("two"), NOON, message="plain words")
    assert len(event_ids(engine, text=text)) == found


def test_status_follows_from_what_happened_to_the_event(engine: Engine) -> None:
    still = fire(engine, a_rule("a"), NOON)
    taken = fire(engine, a_rule("b"), NOON)
    gone = a_rule("c")
    over = fire(engine, gone, NOON)
    calm(engine, gone, NOON + MINUTE)
    acknowledge(engine, [taken], by="ana", now=NOON)
    assert event_ids(engine, status={Status.OPEN}) == [still]
    assert event_ids(engine, status={Status.ACKNOWLEDGED}) == [taken]
    assert event_ids(engine, status={Status.RESOLVED}) == [over]
    assert set(event_ids(engine, status={Status.OPEN, Status.RESOLVED})) == {still, over}


@pytest.mark.parametrize("importance", ["critical", "high"])
def test_critical_and_high_stay_live_until_acknowledged(engine: Engine, importance: str) -> None:
    key = fire(engine, a_rule("a", importance, display_minutes=10), NOON)
    much_later = NOON + timedelta(days=90)
    assert event_ids(engine, live=True, now=much_later) == [key]
    acknowledge(engine, [key], by="ana", now=much_later)
    assert event_ids(engine, live=True, now=much_later) == []


def resolved(engine: Engine, importance: str) -> int:
    """An event that nobody acknowledged, which resolved ten minutes after noon."""
    rule = a_rule("a", importance, display_minutes=30)
    key = fire(engine, rule, NOON)
    calm(engine, rule, NOON + 10 * MINUTE)
    return key


@pytest.mark.parametrize("importance", ["critical", "high"])
def test_what_matters_stays_in_the_live_list_until_somebody_has_seen_it(
    engine: Engine, importance: str
) -> None:
    key, morning = resolved(engine, importance), NOON + 600 * MINUTE
    assert event_ids(engine, live=True, now=morning) == [key]
    assert overview.overview(engine, now=morning).unacknowledged[importance] == 1
    acknowledge(engine, [key], by="ana", now=morning)
    assert event_ids(engine, live=True, now=morning) == []


@pytest.mark.parametrize("importance", ["medium", "low"])
def test_what_matters_less_leaves_the_live_list_a_minute_after_it_resolved(
    engine: Engine, importance: str
) -> None:
    key = resolved(engine, importance)
    just_before = NOON + 11 * MINUTE - timedelta(seconds=1)
    assert event_ids(engine, live=True, now=just_before) == [key]
    assert event_ids(engine, live=True, now=NOON + 11 * MINUTE) == []
    assert overview.overview(engine, now=NOON + 11 * MINUTE).unacknowledged[importance] == 0
    assert event_ids(engine, now=NOON + 11 * MINUTE) == [key]


def test_the_end_of_an_event_does_not_bring_it_back_to_the_live_list(engine: Engine) -> None:
    rule = a_rule("a", "medium", display_minutes=5)
    fire(engine, rule, NOON)
    calm(engine, rule, NOON + 10 * MINUTE)
    assert event_ids(engine, live=True, now=NOON + 10 * MINUTE) == []


@pytest.mark.parametrize("importance", ["medium", "low"])
def test_medium_and_low_are_live_for_as_long_as_their_rule_says(
    engine: Engine, importance: str
) -> None:
    key = fire(engine, a_rule("a", importance, display_minutes=10), NOON)
    assert event_ids(engine, live=True, now=NOON + 9 * MINUTE) == [key]
    assert event_ids(engine, live=True, now=NOON + 10 * MINUTE) == []
    acknowledge(engine, [key], by="ana", now=NOON)
    assert event_ids(engine, live=True, now=NOON + MINUTE) == []


def test_a_failed_check_is_live_like_an_alert_of_its_importance(engine: Engine) -> None:
    [key] = observe(engine, a_rule("a", "high", display_minutes=1), a_run(NOON, "FAILED")).opened
    assert event_ids(engine, live=True, now=NOON + HOUR) == [key]


def _in_every_condition(engine: Engine) -> None:
    """23 events. Several share each value, and several have none where there may be none."""
    importances = ["low", "critical", "medium", "high", "medium"]
    keys = []
    for n in range(20):
        at = NOON + MINUTE * (n // 4)
        rule = a_rule(f"rule-{n}", importances[n % 5], ["Market", "System"][n % 2])
        key = fire(engine, rule, at, ticker=f"T{n % 3}", message=["Ä", "a", "B"][n % 3] * 150)
        keys.append(key)
        if n % 4 == 0:
            calm(engine, rule, at + HOUR, ticker=f"T{n % 3}")
    for n in range(3):
        observe(engine, a_rule(f"failing-{n}"), a_run(NOON, "FAILED"))
    acknowledge(engine, keys[::3], by="ana", comment="looking", now=NOON)
    acknowledge(engine, keys[1::6], by="Bo", now=NOON + MINUTE)
    assign(engine, keys[::5], by="ana", to="bo", now=NOON)
    disposition(engine, keys[::7], by="bo", disposition="noise", now=NOON)


def test_paging_shows_every_event_once_in_every_order(engine: Engine) -> None:
    _in_every_condition(engine)
    for sort in Sort:
        for descending in (True, False):
            order: dict[str, Any] = {"now": NOON, "sort": sort, "descending": descending}
            whole = event_list.page(engine, EventFilter(), size=100, **order)
            assert whole.following is None
            seen: list[int] = []
            after = None
            while True:
                part = event_list.page(engine, EventFilter(), size=5, after=after, **order)
                seen += [row["id"] for row in part.rows]
                after = part.following
                if after is None:
                    break
                assert len(part.rows) == 5
            assert seen == [row["id"] for row in whole.rows], order
            assert len(set(seen)) == len(seen) == 23
            # The id also decides between equal ones, so the way back is exactly the way there
            other = event_list.page(
                engine, EventFilter(), now=NOON, size=100, sort=sort, descending=not descending
            )
            assert seen[::-1] == [row["id"] for row in other.rows], order


def _ordered(engine: Engine, sort: Sort, column: str) -> list[Any]:
    return [
        row[column]
        for row in event_list.page(engine, EventFilter(), now=NOON, size=100, sort=sort).rows
    ]


def test_what_has_no_value_comes_last_and_what_needs_somebody_first(engine: Engine) -> None:
    _in_every_condition(engine)
    ended = _ordered(engine, Sort.RESOLVED, "resolved_at")
    known = [at for at in ended if at is not None]
    assert ended == [*sorted(known, reverse=True), *[None] * (23 - len(known))]
    names = _ordered(engine, Sort.ACKNOWLEDGED_BY, "acknowledged_by")
    assert [*dict.fromkeys(names)][2:] == [None]
    rows = event_list.page(engine, EventFilter(), now=NOON, size=100, sort=Sort.STATUS).rows
    statuses = [tuple(status_of(row)) for row in rows]
    assert list(dict.fromkeys(statuses)) == [
        ("open",),
        ("acknowledged",),
        ("resolved",),
        ("resolved", "acknowledged"),
    ]


def test_sorting_by_importance_means_by_how_much_it_matters(engine: Engine) -> None:
    for name in ("low", "critical", "medium", "high"):
        fire(engine, a_rule(name, name), NOON)
    rows = event_list.page(engine, EventFilter(), now=NOON, size=9, sort=Sort.IMPORTANCE).rows
    assert [row["importance"] for row in rows] == ["critical", "high", "medium", "low"]


def test_an_event_that_arrives_does_not_shift_the_next_page(engine: Engine) -> None:
    first = [fire(engine, a_rule(f"r{n}"), NOON + n * MINUTE) for n in range(6)]
    top = event_list.page(engine, EventFilter(), now=NOON, size=3)
    new = fire(engine, a_rule("new"), NOON + HOUR)
    rest = event_list.page(engine, EventFilter(), now=NOON, size=3, after=top.following)
    assert [row["id"] for row in rest.rows] == first[2::-1]
    assert event_list.count(engine, EventFilter(), now=NOON, newer_than_id=top.newest_id) == 1
    assert new > top.newest_id


def test_counting_stops_at_the_cap(engine: Engine) -> None:
    for n in range(5):
        fire(engine, a_rule(f"r{n}"), NOON)
    assert event_list.count(engine, EventFilter(), now=NOON) == 5
    assert event_list.count(engine, EventFilter(), now=NOON, cap=3) == 4


# -- acknowledging -------------------------------------------------------------------------


def test_an_export_reads_one_more_than_it_may_so_that_a_cut_is_known(engine: Engine) -> None:
    for n in range(4):
        fire(engine, a_rule(f"r{n}"), NOON)
    for limit, rows in ((3, 4), (4, 4), (2, 3)):
        parts = event_list.export(engine, EventFilter(), now=NOON, limit=limit)
        assert sum(len(part) for part in parts) == rows


# -- being fast, and being away ------------------------------------------------------------


def test_a_store_that_does_not_answer_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, though long enough to be read as one")
    engine = open_engine(f"sqlite:///{tmp_path}")  # a folder
    with pytest.raises(StoreUnavailableError, match="SENTINEL_DATABASE_URL"):
        event_list.page(engine, EventFilter(), now=NOON, size=20)
    away = open_engine("postgresql+psycopg://me:secret@127.0.0.1:1/db", connect_timeout_seconds=1)
    with pytest.raises(StoreUnavailableError) as caught:
        overview.overview(away, now=NOON)
    assert "secret" not in str(caught.value)


def test_events_without_a_run_have_a_state_to_filter_by(engine: Engine) -> None:
    rule = a_rule("feed")
    failed = list(observe(engine, rule, a_run(NOON, "FAILED")).opened)
    unseen = Observation(Kind.SILENT, "", NOON, True, Importance.HIGH, "silent", evaluated=False)
    [key] = record(engine, a_rule("lost"), None, [unseen], now=NOON).opened
    assert event_ids(engine, state={NO_STATE}) == [key]
    assert event_ids(engine, state={"FAILED"}) == failed
    assert set(event_ids(engine, state={NO_STATE, "FAILED"})) == {key, *failed}


def test_mine_are_events_assigned_to_me_or_acknowledged_by_me(engine: Engine) -> None:
    taken, given, _other = (fire(engine, a_rule(name), NOON) for name in ("a", "b", "c"))
    acknowledge(engine, [taken], by="ana", now=NOON)
    assign(engine, [given], by="bo", to="ana", now=NOON)
    assert set(event_ids(engine, mine="ana")) == {taken, given}
    assert event_ids(engine, mine="nobody") == []


def test_all_that_match_are_listed_up_to_a_cap_which_is_said(engine: Engine) -> None:
    rule = a_rule("price", "high", "Market")
    made = [fire(engine, rule, NOON, ticker=f"T{n}", message="m" * 500) for n in range(3)]
    fire(engine, a_rule("disk"), NOON)
    wanted = EventFilter(category=frozenset({"Market"}))
    found, more = event_list.matching(engine, wanted, now=NOON)
    assert ([row["id"] for row in found], more) == (made[::-1], False)
    assert len(found[0]["message"]) < 500
    found, more = event_list.matching(
        engine, wanted, now=NOON, sort=Sort.TICKER, descending=False, cap=2
    )
    assert ([row["id"] for row in found], more) == (made[:2], True)


def test_the_newest_ids_are_those_that_match_up_to_a_number(engine: Engine) -> None:
    rule = a_rule("price", "high", "Market")
    made = [fire(engine, rule, NOON, ticker=f"T{n}") for n in range(3)]
    fire(engine, a_rule("disk"), NOON)
    wanted = EventFilter(category=frozenset({"Market"}))
    assert event_list.newest(engine, wanted, now=NOON) == made[::-1]
    assert event_list.newest(engine, wanted, now=NOON, most=2) == [made[2], made[1]]
    assert event_list.newest(engine, EventFilter(ticker="none"), now=NOON) == []
