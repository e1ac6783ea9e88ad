"""Instant queries against a server that answers as Prometheus' HTTP API is documented to."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import AlertOutput, as_outputs
from sentinel_core.model.trigger import NoHistory
from tests.support.json_site import JsonSite, json_site
from triggers.metric.metric_threshold import MetricThreshold
from triggers.sources.errors import SourceError

AT = 1435781451.781
UP = [
    {"metric": {"__name__": "up", "job": "prometheus", "instance": "a:9090"}, "value": [AT, "1"]},
    {"metric": {"__name__": "up", "job": "node", "instance": "b:9100"}, "value": [AT, "0"]},
]


@pytest.fixture(scope="module")
def site() -> Iterator[JsonSite]:
    with json_site() as running:
        yield running


def answers(site: JsonSite, kind: str, result: Any, **more: Any) -> None:
    data = {"resultType": kind, "result": result}
    site.at("/api/v1/query", {"status": "success", "data": data, **more})


def measured(site: JsonSite, check: dict[str, Any] | None = None, **more: Any) -> list[AlertOutput]:
    source = {"kind": "prometheus", "url": site.url, "query": "up", **more}
    rule = MetricThreshold.model_validate(
        {"source": source, "op": "lt", "threshold": 1, **(check or {})}
    )
    return as_outputs(rule.measure(NoHistory()))


def test_every_element_of_a_vector_is_a_series_named_by_its_labels(site: JsonSite) -> None:
    answers(site, "vector", UP)
    first, second = measured(site)
    assert (first.ticker, first.triggered) == ("instance=a:9090, job=prometheus", False)
    assert (second.ticker, second.triggered) == ("instance=b:9100, job=node", True)
    assert second.message == "instance=b:9100, job=node: up is 0, < 1"
    assert second.metadata["labels"] == UP[1]["metric"]
    assert second.metadata["sampled_at"] == "2015-07-01T20:10:51.781000+00:00"


def test_the_query_is_asked_as_it_is_written(site: JsonSite) -> None:
    answers(site, "vector", UP)
    query = 'sum by (job) (rate(http_requests_total{code=~"5..|é&+"}[5m])) / 2 > 0'
    measured(site, query=query, request_timeout_seconds=2.5, url=f"{site.url}/")
    assert site.asked[-1].path == "/api/v1/query"
    assert site.asked[-1].query == {"query": [query], "timeout": ["2500ms"]}


def test_a_server_below_a_path_is_asked_below_it(site: JsonSite) -> None:
    data = {"resultType": "scalar", "result": [AT, "1"]}
    site.at("/prom/api/v1/query", {"status": "success", "data": data})
    (output,) = measured(site, url=f"{site.url}/prom")
    assert output.metrics["value"] == 1


def test_labels_that_are_named_make_the_ticker(site: JsonSite) -> None:
    answers(site, "vector", UP)
    assert [o.ticker for o in measured(site, ticker_labels=["job"])] == ["prometheus", "node"]
    both = measured(site, ticker_labels=["job", "instance"])
    assert [o.ticker for o in both] == ["prometheus a:9090", "node b:9100"]
    unknown = measured(site, ticker_labels=["pod"])
    assert unknown[0].ticker == "instance=a:9090, job=prometheus"


def test_series_that_the_named_labels_do_not_tell_apart_are_in_error(site: JsonSite) -> None:
    third = {"metric": {"job": "node", "instance": "c"}, "value": [AT, "1"]}
    answers(site, "vector", [*UP, third])
    outputs = measured(site, ticker_labels=["job"])
    assert [(o.ticker, o.problem) for o in outputs] == [("prometheus", None), ("node", "error")]


@pytest.mark.parametrize(
    ("kind", "result"),
    [("scalar", [AT, "0.5"]), ("vector", [{"metric": {}, "value": [AT, "0.5"]}])],
)
def test_a_number_without_labels_takes_the_ticker_of_the_rule(
    site: JsonSite, kind: str, result: Any
) -> None:
    answers(site, kind, result)
    (output,) = measured(site, {"ticker": "shop"})
    assert (output.ticker, output.metrics["value"], output.triggered) == ("shop", 0.5, True)


def test_a_ticker_for_series_that_have_names_is_an_error(site: JsonSite) -> None:
    answers(site, "vector", UP)
    with pytest.raises(SourceError, match="`ticker` is for a single number"):
        measured(site, {"ticker": "shop"})


def test_an_empty_vector_is_no_data(site: JsonSite) -> None:
    answers(site, "vector", [])
    (output,) = measured(site, query="absent_metric")
    assert (output.problem, output.triggered) == ("no_data", False)
    assert output.message == "absent_metric matched no series"


@pytest.mark.parametrize(
    ("sample", "problem", "said"),
    [
        ({"value": [AT, "NaN"]}, "no_data", "is NaN"),
        ({"value": [AT, "+Inf"]}, "error", "is infinite"),
        ({"value": [AT, "-Inf"]}, "error", "is infinite"),
        ({"value": [AT, "many"]}, "error", "'many', not a number"),
        ({"value": [AT, None]}, "no_data", "is null"),
        ({"value": [AT]}, "error", "not a pair"),
        ({"value": "1"}, "error", "not a pair"),
        ({"histogram": [AT, {"count": "60", "sum": "2"}]}, "error", "is a histogram"),
        ({}, "error", "has no value"),
    ],
)
def test_one_bad_series_stops_no_other(
    site: JsonSite, sample: dict[str, Any], problem: str, said: str
) -> None:
    answers(site, "vector", [{"metric": {"job": "odd"}, **sample}, *UP])
    outputs = measured(site)
    assert [o.problem for o in outputs] == [problem, None, None]
    assert said in outputs[0].message
    assert [o.triggered for o in outputs] == [False, False, True]


@pytest.mark.parametrize("value", ["0", "-1.5", "4e-05", "1.7976931348623157e+308"])
def test_numbers_as_prometheus_writes_them_are_read(site: JsonSite, value: str) -> None:
    answers(site, "scalar", [AT, value])
    (output,) = measured(site)
    assert output.metrics["value"] == float(value)


@pytest.mark.parametrize("at", ["soon", None, True, 1e300, -1])
def test_a_time_that_is_none_costs_no_number(site: JsonSite, at: Any) -> None:
    answers(site, "scalar", [at, "1"])
    assert measured(site)[0].metrics["value"] == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            400,
            {"status": "error", "errorType": "bad_data", "error": "parse error at char 3"},
            "answered 400, bad_data: parse error at char 3",
        ),
        (422, {"status": "error", "errorType": "execution", "error": "many-to-many"}, "many-to"),
        (503, {"status": "error", "errorType": "timeout", "error": "timed out"}, "timeout: timed"),
        (200, {"status": "error", "errorType": "internal", "error": "x" * 9_999}, "internal: xxx"),
        (502, "<html>Bad Gateway", "answered 502"),
        (401, "", "answered 401"),
        (200, "<html>Log in", "not JSON"),
        (200, {}, "not one of Prometheus' API"),
        (200, [], "not one of Prometheus' API"),
        (200, {"status": "success"}, "has no data"),
        (200, {"status": "success", "data": []}, "has no data"),
        (200, {"status": "success", "data": {}}, "gives a None"),
        (
            200,
            {"status": "success", "data": {"resultType": "matrix", "result": []}},
            "gives a matrix; a scalar or an instant vector is needed",
        ),
        (
            200,
            {"status": "success", "data": {"resultType": "string", "result": [AT, "a"]}},
            "gives a string",
        ),
        (
            200,
            {"status": "success", "data": {"resultType": "vector", "result": {}}},
            "is no list",
        ),
        (
            200,
            {"status": "success", "data": {"resultType": "vector", "result": [5]}},
            "has no labels",
        ),
    ],
)
def test_an_answer_that_is_no_result_fails_the_check(
    site: JsonSite, status: int, body: Any, said: str
) -> None:
    site.at("/api/v1/query", body, status)
    with pytest.raises(SourceError) as caught:
        measured(site)
    assert said in str(caught.value)
    assert str(caught.value).count("/api/v1/query") == 1
    assert len(str(caught.value)) < 600


def test_warnings_beside_a_result_cost_nothing(site: JsonSite) -> None:
    answers(site, "vector", UP, warnings=["a remote read failed"], infos=["maybe no counter"])
    assert len(measured(site)) == 2


def test_ten_thousand_series_are_told_apart(site: JsonSite) -> None:
    series = [
        {
            "metric": {"__name__": "up", "instance": f"host-{n}:9100", "pod": "p" * 200},
            "value": [AT, str(n % 2)],
        }
        for n in range(10_000)
    ]
    answers(site, "vector", series)
    outputs = measured(site)
    assert len({o.ticker for o in outputs}) == 10_000
    assert sum(o.triggered for o in outputs) == 5_000
    answers(site, "vector", [*series, UP[0]])
    with pytest.raises(SourceError, match="10,001 series"):
        measured(site)


def test_hostile_labels_are_harmless(site: JsonSite) -> None:
    labels = {"a": "x\x00\x1b[31m\nNEXT", "b": "\u202eevil", "c": "y" * 100_000}
    many = {f"label_{n}": "z" * 1_000 for n in range(1_000)}
    answers(
        site,
        "vector",
        [{"metric": labels, "value": [AT, "0"]}, {"metric": many, "value": [AT, "0"]}],
    )
    first, second = measured(site)
    assert first.triggered and second.triggered
    assert len(first.ticker) == len(second.ticker) == 200
    assert "\x1b" not in first.ticker and "\n" not in first.ticker
    assert len(second.metadata["labels"]) == 64


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"query": ""}, "query"),
        ({"ticker_labels": []}, "ticker_labels"),
        ({"ticker_labels": "job"}, "ticker_labels"),
        ({"url": "prometheus:9090"}, "expected http"),
        ({"time": "now"}, "time"),
    ],
)
def test_a_source_that_cannot_work_is_refused_when_it_is_written(
    site: JsonSite, source: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        measured(site, **source)
    assert said in str(caught.value)
