"""The hit rate of a cache, over a real history in a real event store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.flow.history import history_of
from sentinel_core.model.alert import AlertOutput, as_outputs
from sentinel_core.model.condition import Aggregate, Condition, Operator
from sentinel_core.model.run import Rule
from sentinel_core.model.trigger import NoHistory, PastEvaluation
from tests.support.json_site import JsonSite, json_site
from tests.support.processes import free_port
from tests.support.recorded import NOON, a_rule, a_run, observe
from tests.support.runs import rows
from triggers.metric.metric_threshold import MetricThreshold
from triggers.sources.errors import SourceError
from triggers.sources.metrics_cache import Counters, counted_before, hit_rate

EARLIER = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("says", "now", "before", "rate"),
    [
        ("counted for the first time: the rate since the cache started", (70, 30), None, 70),
        ("both grew: the rate of the growth alone", (80, 40), (70, 30), 50),
        ("only hits", (170, 30), (70, 30), 100),
        ("only misses", (70, 130), (70, 30), 0),
        ("hits fell: the cache began anew", (9, 31), (70, 30), 22.5),
        ("misses fell: the cache began anew", (75, 25), (70, 30), 75),
        ("both fell", (6, 2), (70, 30), 75),
        ("no requests since", (70, 30), (70, 30), None),
        ("no requests ever", (0, 0), None, None),
        ("began anew, and no requests yet", (0, 0), (70, 30), None),
        ("large counters", (3e15 + 3, 1e15 + 1), (3e15, 1e15), 75),
    ],
)
def test_a_hit_rate_is_that_of_the_growth(
    says: str,
    now: tuple[float, float],
    before: tuple[float, float] | None,
    rate: float | None,
) -> None:
    past = Counters(*before, EARLIER) if before else None
    found = hit_rate(Counters(*now), past)
    assert found.value == (pytest.approx(rate) if rate is not None else None), says
    assert found.problem == (None if rate is not None else "no_data")
    assert found.metrics == {"hits": now[0], "misses": now[1]}


def test_the_note_says_what_was_counted_and_since_when() -> None:
    assert hit_rate(Counters(1_080, 40), Counters(70, 30, EARLIER)).note == (
        "1,010 hits and 10 misses since 2026-11-20 14:05:00 UTC"
    )
    assert "began anew" in hit_rate(Counters(1, 1), Counters(70, 30, EARLIER)).note
    assert hit_rate(Counters(1, 1), None).note == "1 hits and 1 misses since the cache started"


def test_counters_below_zero_are_an_error() -> None:
    assert hit_rate(Counters(-1, 5), None).problem == "error"


def test_the_newest_counters_on_record_count() -> None:
    past = [
        PastEvaluation(EARLIER, "", False, {"value": 3}),
        PastEvaluation(EARLIER - timedelta(minutes=1), "", False, {"hits": 7, "misses": 3}),
        PastEvaluation(EARLIER - timedelta(minutes=2), "", False, {"hits": 1, "misses": 1}),
    ]
    assert counted_before(past) == Counters(7, 3, EARLIER - timedelta(minutes=1))
    assert counted_before(past[:1]) is None


# --- with a real store


@pytest.fixture(scope="module")
def site() -> Iterator[JsonSite]:
    with json_site() as running:
        yield running


def rule(site: JsonSite, **check: Any) -> MetricThreshold:
    return MetricThreshold.model_validate(
        {
            "source": {
                "kind": "cache_hit_rate",
                "hits": {"kind": "http", "url": f"{site.url}/stats", "path": "hits"},
                "misses": {"kind": "http", "url": f"{site.url}/stats", "path": "misses"},
            },
            "op": "lt",
            "threshold": 70,
            **check,
        }
    )


def test_rates_are_those_between_evaluations_through_a_quiet_time_and_a_restart(
    site: JsonSite, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", database_url)
    get_settings.cache_clear()
    known: Rule = a_rule("cache", "medium")
    found: list[AlertOutput] = []
    counted = [(90, 10), (90, 20), (90, 20), (120, 20), (4, 1), (84, 21)]
    for minute, (hits, misses) in enumerate(counted):
        site.at("/stats", {"hits": hits, "misses": misses})
        check = rule(site, ticker="sessions", metric="hit_rate")
        outputs = as_outputs(check.measure(history_of(known.deployment_id)))
        observe(engine, known, a_run(NOON + timedelta(minutes=minute)), outputs)
        found += outputs
    assert [output.metrics.get("hit_rate") for output in found] == [90, 0, None, 100, 80, 80]
    assert [output.problem for output in found] == [None, None, "no_data", None, None, None]
    assert [output.triggered for output in found] == [False, True, False, False, False, False]
    assert found[0].message == (
        "the cache hit rate is 90 %, not < 70 % (90 hits and 10 misses since the cache started)"
    )
    assert found[2].message.startswith("the cache hit rate is unknown: no requests since")
    assert "counters began anew" in found[4].message
    assert {output.ticker for output in found} == {"sessions"}


def test_counters_count_also_when_the_conditions_could_not_be_judged(
    site: JsonSite, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", database_url)
    get_settings.cache_clear()
    sparse = Condition(
        op=Operator.LT, value=70, aggregate=Aggregate.AVG, over_seconds=60, minimum_points=2
    )
    known = a_rule("cache", "medium")
    known = replace(known, settings=known.settings.model_copy(update={"conditions": (sparse,)}))
    rates = []
    for minute, hits in enumerate((10, 20, 20, 30)):
        site.at("/stats", {"hits": hits, "misses": 10 * minute})
        (output,) = as_outputs(rule(site).measure(history_of(known.deployment_id)))
        observe(engine, known, a_run(NOON + timedelta(minutes=10 * minute)), [output])
        rates.append(output.metrics["value"])
    kinds = {row["kind"] for row in rows(engine, "evaluation")}
    assert "no_data" in kinds
    assert rates == [100, 50, 0, 50]


def test_without_its_past_there_is_no_rate(site: JsonSite, monkeypatch: pytest.MonkeyPatch) -> None:
    away = f"postgresql+psycopg://sentinel@127.0.0.1:{free_port()}/sentinel"
    monkeypatch.setenv("SENTINEL_DATABASE_URL", away)
    get_settings.cache_clear()
    site.at("/stats", {"hits": 1, "misses": 1})
    with pytest.raises(HistoryUnavailableError):
        rule(site).measure(history_of(a_rule().deployment_id))


@pytest.mark.parametrize(
    ("stats", "problem", "said"),
    [
        ({"misses": 1}, "no_data", "is unknown: the counter of hits is missing in the answer"),
        ({"hits": 1, "misses": None}, "no_data", "the counter of misses is null"),
        ({"hits": "many", "misses": 1}, "error", "the counter of hits is 'many', not a number"),
        ({"hits": -1, "misses": 1}, "error", "a counter is below zero"),
    ],
)
def test_a_counter_that_is_not_there_is_a_problem(
    site: JsonSite, stats: dict[str, Any], problem: str, said: str
) -> None:
    site.at("/stats", stats)
    (output,) = as_outputs(rule(site).measure(NoHistory()))
    assert output.problem == problem
    assert said in output.message


def test_counters_come_from_any_two_sources(
    site: JsonSite, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE cache_stat (misses bigint)"))
        connection.execute(text("INSERT INTO cache_stat VALUES (25)"))
    engine.dispose()
    monkeypatch.setenv("SENTINEL_RULE_CACHE_DATABASE", database_url)
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "75"]}]}
    site.at("/api/v1/query", {"status": "success", "data": data})
    query = "sum(redis_keyspace_hits_total)"
    check = MetricThreshold.model_validate(
        {
            "source": {
                "kind": "cache_hit_rate",
                "hits": {"kind": "prometheus", "url": site.url, "query": query},
                "misses": {
                    "kind": "sql",
                    "url": "env:SENTINEL_RULE_CACHE_DATABASE",
                    "query": "SELECT misses FROM cache_stat",
                },
            }
        }
    )
    (output,) = as_outputs(check.measure(NoHistory()))
    assert output.metrics == {"hits": 75, "misses": 25, "value": 75}


def test_several_series_are_no_counter(site: JsonSite) -> None:
    site.at("/stats", {"hits": {"a": 1, "b": 2}, "misses": 1})
    several = {"kind": "http", "url": f"{site.url}/stats", "items": "hits"}
    one = {"kind": "http", "url": f"{site.url}/stats", "path": "misses"}
    source = {"kind": "cache_hit_rate", "hits": several, "misses": one}
    check = MetricThreshold.model_validate({"source": source})
    with pytest.raises(SourceError, match="hits: 2 series, one counter is needed"):
        check.measure(NoHistory())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hits": None}, "hits"),
        ({"misses": {"kind": "psutil", "metric": "processes"}}, "does not match any"),
        ({"window": 5}, "window"),
    ],
)
def test_a_source_that_cannot_work_is_refused_when_it_is_written(
    site: JsonSite, change: dict[str, Any], said: str
) -> None:
    source = {**rule(site).source.model_dump(), **change}
    with pytest.raises(ValidationError) as caught:
        MetricThreshold.model_validate({"source": source})
    assert said in str(caught.value)
