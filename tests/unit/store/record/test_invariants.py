"""Whatever happens to a rule, in whatever order it is told: what must hold of the rows after."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.routing import Routes
from sentinel_core.model.run import Rule, Run
from sentinel_core.store.db.schema import ensure_schema
from tests.support.runs import ROUTES, a_rule, a_run, fired, quiet, rows, told
from tests.support.search import examples
from tests.support.swarm import own_engine

TICKERS = ("AAPL", "NVDA")
Outcome = tuple[str, dict[str, Importance | None]]  # a state, and each ticker: fired as, or quiet
_names = (f"rule-{n}" for n in itertools.count())

outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.tuples(
        st.just("COMPLETED"),
        st.dictionaries(
            st.sampled_from(TICKERS), st.one_of(st.none(), st.sampled_from(list(Importance)))
        ),
    ),
    st.tuples(st.sampled_from(["FAILED", "CRASHED", "CANCELLED"]), st.just({})),
)
histories = st.lists(outcomes, min_size=1, max_size=9)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all examples: each example is a rule of its own."""
    with own_engine(f"sqlite:///{tmp_path_factory.mktemp('store') / 'a.db'}") as engine:
        ensure_schema(engine)
        yield engine


def the_runs(history: list[Outcome]) -> list[tuple[Run, list[AlertOutput]]]:
    """One run a minute."""
    return [
        (
            a_run(minute, state),
            [
                quiet(ticker) if level is None else fired(ticker, importance=level)
                for ticker, level in tickers.items()
            ],
        )
        for minute, (state, tickers) in enumerate(history)
    ]


def left_behind(engine: Engine, rule: Rule) -> dict[str, list[dict[str, Any]]]:
    """Every row of this rule."""
    [row] = rows(engine, "alert_rule", name=rule.name)
    of_rule = {
        name: rows(engine, name, rule_id=row["id"])
        for name in ("evaluation", "alert_series", "alert_event")
    }
    events = {event["id"] for event in of_rule["alert_event"]}
    owed = [n for n in rows(engine, "notification") if n["event_id"] in events]
    return {"alert_rule": [row], **of_rule, "notification": owed}


def check(state: dict[str, list[dict[str, Any]]], told_of: list[Any]) -> None:
    """Everything that must be true of a rule's rows."""
    at_most_one_unresolved_event(state)
    every_observation_is_recorded(state, told_of)
    no_alert_is_lost(state)
    series_say_what_their_newest_evaluation_said(state)
    exactly_what_the_routes_say_is_owed(state)


def at_most_one_unresolved_event(state: dict[str, list[dict[str, Any]]]) -> None:
    unresolved = Counter(
        (e["kind"], e["ticker"]) for e in state["alert_event"] if e["resolved_at"] is None
    )
    assert all(count == 1 for count in unresolved.values()), unresolved


def every_observation_is_recorded(
    state: dict[str, list[dict[str, Any]]], told_of: list[Any]
) -> None:
    expected = {
        (run.id, "alert" if run.state_type == "COMPLETED" else "failure", ticker)
        for run, outputs in told_of
        for ticker in ([output.ticker for output in outputs] or [""])
    }
    found = [(e["prefect_flow_run_id"], e["kind"], e["ticker"]) for e in state["evaluation"]]
    assert sorted(found, key=str) == sorted(expected, key=str)


def no_alert_is_lost(state: dict[str, list[dict[str, Any]]]) -> None:
    events = {event["id"]: event for event in state["alert_event"]}
    counted: Counter[int] = Counter()
    for evaluation in state["evaluation"]:
        if evaluation["triggered"]:
            event = events[evaluation["event_id"]]
            assert (event["kind"], event["ticker"]) == (evaluation["kind"], evaluation["ticker"])
            assert event["first_seen"] <= evaluation["at"] <= event["last_seen"]
            counted[event["id"]] += 1
    assert counted == {key: event["occurrences"] for key, event in events.items()}


def series_say_what_their_newest_evaluation_said(state: dict[str, list[dict[str, Any]]]) -> None:
    newest = max(state["evaluation"], key=lambda e: e["at"])
    of_ticker = {
        e["ticker"]: e
        for e in sorted(state["evaluation"], key=lambda e: e["at"])
        if e["kind"] == "alert"
    }
    firing = {("alert", t) for t, e in of_ticker.items() if e["triggered"]}
    if newest["kind"] == "failure":
        firing.add(("failure", ""))
    unresolved = {
        (e["kind"], e["ticker"]): e["id"] for e in state["alert_event"] if e["resolved_at"] is None
    }
    assert unresolved.keys() == firing
    for series in state["alert_series"]:
        key = (series["kind"], series["ticker"])
        assert series["status"] == ("firing" if key in firing else "ok")
        assert series["event_id"] == unresolved.get(key)


def exactly_what_the_routes_say_is_owed(state: dict[str, list[dict[str, Any]]]) -> None:
    """Told when it opened, and once more each time it came to matter more than ever before."""
    routes = Routes.model_validate(ROUTES)
    counted_into = defaultdict(list)
    for evaluation in state["evaluation"]:  # in the order in which they were told
        if evaluation["triggered"]:
            counted_into[evaluation["event_id"]].append(Importance(evaluation["importance"]))
    expected = set()
    for event in state["alert_event"]:
        most, reason = None, "opened"
        for importance in counted_into[event["id"]]:
            if most is None or importance.rank > most.rank:
                most = importance
                for channel in routes.channels(importance):
                    expected.add(
                        (
                            event["id"],
                            channel,
                            reason if reason == "opened" else f"escalated-{importance}",
                        )
                    )
                reason = "escalated"
        assert event["importance"] == most
    found = [(n["event_id"], n["channel"], n["reason"]) for n in state["notification"]]
    assert sorted(found) == sorted(expected)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), history=histories)
def test_runs_told_in_any_order_leave_a_record_that_agrees_with_itself(
    store: Engine, data: st.DataObject, history: list[Outcome]
) -> None:
    rule = a_rule(next(_names))
    order = data.draw(st.permutations(the_runs(history)), label="order of arrival")
    for index, (run, outputs) in enumerate(order):
        told(store, rule, run, outputs)
        check(left_behind(store, rule), order[: index + 1])


@pytest.mark.slow
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), history=histories)
def test_telling_of_runs_more_than_once_leaves_what_telling_once_leaves(
    store: Engine, data: st.DataObject, history: list[Outcome]
) -> None:
    order = data.draw(st.permutations(the_runs(history)), label="order of arrival")
    again = data.draw(st.lists(st.integers(0, len(order) - 1), max_size=6), label="told again")
    rule = a_rule(next(_names))
    for index, (run, outputs) in enumerate(order):
        told(store, rule, run, outputs)
        for earlier in (n for n in again if n <= index):
            before = left_behind(store, rule)
            told(store, rule, *order[earlier])
            assert left_behind(store, rule) == before
    everything = left_behind(store, rule)
    for run, outputs in order:
        told(store, rule, run, outputs)
    assert left_behind(store, rule) == everything
