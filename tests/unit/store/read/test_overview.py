"""Counts, names to filter by and the histogram, on both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.store.read import overview
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.state import watched
from tests.support.recorded import NOON, a_rule, a_run, fire, observe

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_the_overview_counts_what_asks_for_attention(engine: Engine) -> None:
    assert not overview.overview(engine, now=NOON).any_event
    fire(engine, a_rule("a", "critical"), NOON)
    taken = fire(engine, a_rule("b", "critical"), NOON)
    fire(engine, a_rule("c", "low", display_minutes=5), NOON)
    acknowledge(engine, [taken], by="ana", now=NOON)
    seen = overview.overview(engine, now=NOON + MINUTE)
    assert seen.unacknowledged == {"low": 1, "medium": 0, "high": 0, "critical": 1}
    assert (seen.any_event, seen.any_notification) == (True, False)
    assert overview.overview(engine, now=NOON + HOUR).unacknowledged["low"] == 0


def test_the_overview_knows_whether_any_message_was_ever_owed(engine: Engine) -> None:
    fire(engine, a_rule(notify={"high": ["slack-incoming-webhook/ops"]}), NOON)
    assert overview.overview(engine, now=NOON).any_notification


def test_filters_offer_the_names_the_store_knows(engine: Engine) -> None:
    fire(engine, a_rule("b", category="Market"), NOON, ticker="MSFT")
    fire(engine, a_rule("a", category="System"), NOON, ticker="AAPL")
    fire(engine, a_rule("c", category="System"), NOON)
    known = overview.facets(engine)
    assert known.rules == ("a", "b", "c")
    assert known.categories == ("Market", "System")
    assert known.tickers == ("AAPL", "MSFT")


def test_filters_offer_the_environments_of_rules_and_of_hooks(engine: Engine) -> None:
    for name, environment in (("d", "production"), ("e", "staging"), ("f", None)):
        rule = replace(a_rule(name), parameters={"environment": environment})
        observe(engine, rule, a_run(NOON), [])
    settings = RuleSettings(environment="lab")
    hook = Hook(kind=HookKind.FAILURE, ticker="", settings=settings)
    watched.register(engine, watched.rule_of("my-flow", None, "", settings), hook, NOON)
    assert overview.facets(engine).environments == ("lab", "production", "staging")


def test_the_histogram_counts_each_event_in_the_hour_it_opened(engine: Engine) -> None:
    fire(engine, a_rule("a", "critical"), NOON)
    fire(engine, a_rule("b", "low"), NOON + 59 * MINUTE)
    fire(engine, a_rule("c", "low"), NOON + HOUR)
    fire(engine, a_rule("d", "low"), NOON + 2 * HOUR)  # the end is not part of the range
    bars = overview.histogram(engine, EventFilter(), start=NOON, end=NOON + 2 * HOUR, step=HOUR)
    assert [(bar.start, bar.counts["critical"], bar.counts["low"]) for bar in bars] == [
        (NOON, 1, 1),
        (NOON + HOUR, 0, 1),
    ]


def test_the_histogram_follows_the_filter(engine: Engine) -> None:
    fire(engine, a_rule("a", "critical"), NOON, message="needle")
    fire(engine, a_rule("b", "low"), NOON)
    taken = fire(engine, a_rule("c", "critical"), NOON, message="needle")
    acknowledge(engine, [taken], by="ana", now=NOON)

    def counted(wanted: EventFilter) -> dict[str, int]:
        [bar] = overview.histogram(engine, wanted, start=NOON, end=NOON + HOUR, step=HOUR)
        return bar.counts

    assert counted(EventFilter(text="needle"))["critical"] == 2
    assert counted(EventFilter(importance=frozenset({"low"}))) == {"low": 1}
    assert counted(EventFilter(live=True))["critical"] == 1
