"""The status by findings and figures, without a server."""

from datetime import timedelta

import pytest

from sentinel_core.base.errors import SentinelError
from sentinel_core.health.finding import Finding, State
from sentinel_core.health.score import WEIGHTS
from sentinel_core.health.status import assembled
from sentinel_core.store.read.throughput import Backlog, Figures, Throughput
from tests.support.recorded import NOON

MINUTE = timedelta(minutes=1)


def finding(component: str, name: str, state: State = State.OK, **data: object) -> Finding:
    return Finding(
        component=component, name=name, state=state, sentence=f"{name} is {state}", data=data
    )


FINE = [
    finding("prefect", "API", seconds=0.01),
    finding("work pools", "sentinel"),
    finding("store", "size", bytes=1_000_000),
    finding("rules", "deployed"),
    finding("housekeeping", "reconcile"),
    finding("housekeeping", "deliver"),
    finding("housekeeping", "record"),
    finding("channels", "none"),
]


def figures(
    *, due: int = 0, age: timedelta = timedelta(0), unmeasured: tuple[str, ...] = ()
) -> Figures:
    rates = Throughput(60, 120, 120, 3, 0.5, 4.0)
    return Figures(rates, Backlog(due, NOON - age if due else None), 10_000, 2, unmeasured)


def test_of_a_whole_installation_everything_is_ok() -> None:
    found = assembled(FINE, figures(), NOON)
    assert (found.state, found.score) == (State.OK, 100)
    assert [one.name for one in found.components] == [*WEIGHTS]
    assert found.component("prefect").data == {"API": {"seconds": 0.01}}
    assert found.rates is not None
    assert found.rates.evaluations_per_minute == 2
    assert found.rates.error_rate == 3 / 120
    # 2 a minute are 2,880 a day; 1 MB for 10,000 evaluations are 100 bytes each
    growth = found.component("store").data["growth"]
    assert growth == {"evaluations_per_day": 2880, "bytes_per_day": 288_000}


def test_the_worst_finding_speaks_for_its_component() -> None:
    bad = [*FINE, finding("channels", "a", State.DEGRADED), finding("channels", "b", State.DOWN)]
    found = assembled([*bad, finding("channels", "c", State.DOWN)], figures(), NOON)
    assert found.component("channels").state is State.DOWN
    assert found.component("channels").sentence == "b: b is down (and 1 more)"
    assert (found.state, found.score) == (State.DEGRADED, 95)


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        ("workers", "all", "all is down"),
        ("workers", "none", "none is down"),
        ("workers", "pool-1", "pool-1: pool-1 is down"),
        ("deliver", "deliver", "deliver is down"),
        ("reconcile", "record", "record: record is down"),
    ],
)
def test_a_sentence_names_what_it_is_about_unless_that_is_the_component(
    component: str, name: str, said: str
) -> None:
    of = "work pools" if component == "workers" else "housekeeping"
    found = assembled([finding(of, name, State.DOWN)], figures(), NOON)
    assert found.component(component).sentence == said


def test_reconcile_and_deliver_are_looked_at_apart() -> None:
    found = assembled([*FINE, finding("housekeeping", "record", State.DOWN)], figures(), NOON)
    assert found.component("reconcile").state is State.DOWN
    assert found.component("deliver").state is State.OK
    whole = assembled([*FINE, finding("housekeeping", "all", State.UNKNOWN)], figures(), NOON)
    assert whole.component("reconcile").state is State.UNKNOWN
    assert whole.component("deliver").state is State.UNKNOWN


def test_without_the_store_its_figures_are_unknown_and_not_zero() -> None:
    found = assembled(FINE, SentinelError("the store is away"), NOON)
    assert found.rates is None
    for name in ("backlog", "sources"):
        assert found.component(name).state is State.UNKNOWN
        assert "the store is away" in found.component(name).sentence
    assert found.score == 90


def test_an_invalid_setting_says_why_nothing_is_known() -> None:
    found = assembled(
        [finding("settings", "SENTINEL_X", State.DOWN)], SentinelError("invalid"), NOON
    )
    assert (found.state, found.score) == (State.UNKNOWN, 0)
    assert "SENTINEL_X is SENTINEL_X is down" in found.component("rules").sentence


@pytest.mark.parametrize(
    ("due", "minutes", "state"),
    [(0, 0, State.OK), (5, 5, State.OK), (5, 6, State.DEGRADED), (1, 31, State.DOWN)],
)
def test_a_backlog_is_judged_by_its_oldest(due: int, minutes: int, state: State) -> None:
    found = assembled(FINE, figures(due=due, age=minutes * MINUTE), NOON)
    assert found.component("backlog").state is state


def test_rules_without_a_result_are_named() -> None:
    some = assembled(FINE, figures(unmeasured=("feed",)), NOON).component("sources")
    assert (some.state, some.advice) == (State.DEGRADED, "sentinel rules test feed")
    assert "feed" in some.sentence
    every = assembled(FINE, figures(unmeasured=("a", "b")), NOON).component("sources")
    assert every.state is State.DOWN
