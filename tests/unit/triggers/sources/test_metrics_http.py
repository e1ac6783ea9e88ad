"""Numbers in JSON from a real server that answers well, badly or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.base.errors import SentinelError
from sentinel_core.model.alert import AlertOutput, as_outputs
from sentinel_core.model.trigger import NoHistory
from tests.support.json_site import JsonSite, json_site
from tests.support.processes import free_port
from triggers.metric.metric_threshold import MetricThreshold
from triggers.sources.endpoint import MOST_BYTES
from triggers.sources.errors import SourceError


@pytest.fixture(scope="module")
def site() -> Iterator[JsonSite]:
    with json_site() as running:
        yield running


def measured(url: str, check: dict[str, Any] | None = None, **source: Any) -> list[AlertOutput]:
    source = {"kind": "http", "url": url, **source}
    rule = MetricThreshold.model_validate({"source": source, "threshold": 10, **(check or {})})
    return as_outputs(rule.measure(NoHistory()))


QUEUES = [
    {"name": "mail", "stats": {"depth": 12}},
    {"name": "bills", "stats": {"depth": 3}},
    {"name": "print", "stats": {"depth": None}},
    {"name": "fax", "stats": {}},
    {"name": "telex", "stats": {"depth": "many"}},
]


@pytest.mark.parametrize(
    ("document", "path", "value"),
    [
        ({"queue": {"depth": 12}}, "queue.depth", 12),
        ({"queues": [{"depth": 1}, {"depth": 12.5}]}, "queues.1.depth", 12.5),
        (12, "", 12),
        ({"price": "12.50"}, "price", 12.5),
        ({"": {"": 12}}, ".", 12),
    ],
)
def test_a_number_is_found_by_its_path(
    site: JsonSite, document: Any, path: str, value: float
) -> None:
    (output,) = measured(site.at("/one", document), path=path)
    assert (output.triggered, output.metrics["value"], output.ticker) == (True, value, "")
    assert output.message.startswith(f"{path or 'the value'} is {value:g}, > 10")


def test_one_number_takes_the_ticker_and_unit_of_the_rule(site: JsonSite) -> None:
    check = {"ticker": "mail", "unit": "letters"}
    (output,) = measured(site.at("/one", {"n": 12}), check, path="n")
    assert output.ticker == "mail"
    assert output.message == "n is 12 letters, > 10 letters"


@pytest.mark.parametrize(
    ("body", "path", "problem", "said"),
    [
        ({"a": 1}, "b", "no_data", "b is missing in the answer"),
        ({"a": [1]}, "a.1", "no_data", "a.1 is missing"),
        ({"a": [1]}, "a.-1", "no_data", "is missing"),
        ({"a": 1}, "a.b", "no_data", "is missing"),
        ({"a": 1}, "a.", "no_data", "is missing"),
        ({"a": None}, "a", "no_data", "a is null"),
        ('{"a": NaN}', "a", "no_data", "a is NaN"),
        ('{"a": Infinity}', "a", "error", "a is infinite"),
        ('{"a": -1e999}', "a", "error", "a is infinite"),
        ({"a": "up\x00\x1b[31m"}, "a", "error", "not a number"),
        ({"a": True}, "a", "error", "a is true, not a number"),
        ({"a": {"b": 1}}, "a", "error", "a is an object, not a number"),
        ('{"a": ' + "9" * 4_000 + "}", "a", "error", "no number that could be compared"),
    ],
)
def test_a_number_that_is_not_there_is_a_problem_of_its_series(
    site: JsonSite, body: Any, path: str, problem: str, said: str
) -> None:
    (output,) = measured(site.at("/bad", body), path=path)
    assert (output.problem, output.triggered) == (problem, False)
    assert said in output.message


def test_every_entry_of_a_list_is_a_series_and_a_bad_one_stops_no_other(site: JsonSite) -> None:
    url = site.at("/queues", {"data": {"queues": QUEUES}})
    outputs = measured(url, items="data.queues", ticker_path="name", path="stats.depth")
    assert {one.ticker: one.problem or one.triggered for one in outputs} == {
        "mail": True,
        "bills": False,
        "print": "no_data",
        "fax": "no_data",
        "telex": "error",
    }
    assert outputs[0].message == "mail: stats.depth is 12, > 10"
    assert outputs[4].message == "telex: stats.depth is 'many', not a number"


def test_the_names_in_an_object_of_entries_are_tickers(site: JsonSite) -> None:
    outputs = measured(site.at("/map", {"mail": 12, "bills": 3}), items="")
    assert {one.ticker: one.metrics["value"] for one in outputs} == {"mail": 12, "bills": 3}
    nested = site.at("/map", {"1": {"host": "a", "n": 1}, "2": {"host": "b", "n": 2}})
    outputs = measured(nested, items="", ticker_path="host", path="n")
    assert {one.ticker: one.metrics["value"] for one in outputs} == {"a": 1, "b": 2}


@pytest.mark.parametrize("entries", [[], {}, None])
def test_no_entries_are_no_data(site: JsonSite, entries: Any) -> None:
    (output,) = measured(site.at("/none", {"q": entries}), items="q", ticker_path="n")
    assert (output.problem, output.ticker) == ("no_data", "")
    assert "no entries at q" in output.message
    (output,) = measured(site.at("/none", {"q": entries}), items="elsewhere", ticker_path="n")
    assert output.problem == "no_data"


@pytest.mark.parametrize(
    ("entries", "source", "said"),
    [
        ([1, 2], {}, "set `ticker_path`"),
        ("text", {}, "q is neither a list nor an object"),
        ([{"n": 1}, {}], {"ticker_path": "n"}, "entry 2 has no ticker at n"),
        ([{"n": None}], {"ticker_path": "n"}, "entry 1 has no ticker"),
        ([{"n": " \x00"}, 5], {"ticker_path": "n"}, "entry 2 has no ticker"),
        ([{"n": True}], {"ticker_path": "n"}, "entry 1 has no ticker"),
    ],
)
def test_entries_that_nobody_can_tell_apart_fail_the_check(
    site: JsonSite, entries: Any, source: dict[str, Any], said: str
) -> None:
    with pytest.raises(SourceError) as caught:
        measured(site.at("/odd", {"q": entries}), items="q", **source)
    assert said in str(caught.value)


def test_ten_thousand_entries_are_ten_thousand_series(site: JsonSite) -> None:
    entries = [{"n": f"host-{number}", "v": number} for number in range(10_000)]
    url = site.at("/many", entries)
    outputs = measured(url, items="", ticker_path="n", path="v")
    assert len(outputs) == 10_000
    assert sum(output.triggered for output in outputs) == 10_000 - 11
    site.at("/many", [*entries, {"n": "one more", "v": 1}])
    with pytest.raises(SourceError, match="10,001 series"):
        measured(url, items="", ticker_path="n", path="v")


def test_hostile_names_become_harmless_tickers(site: JsonSite) -> None:
    names = ["a\nb", "\u202eevil", "x" * 500, "'; DROP TABLE alert_event; --", "<script>"]
    url = site.at("/names", {name: number for number, name in enumerate(names)})
    outputs = measured(url, items="")
    assert [one.metrics["value"] for one in outputs] == [0, 1, 2, 3, 4]
    assert all(len(one.ticker) <= 200 and "\n" not in one.ticker for one in outputs)


def test_what_is_sent_comes_from_the_environment(
    site: JsonSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.at("/v1/depth", {"n": 12})
    monkeypatch.setenv("SENTINEL_RULE_QUEUE_URL", f"{site.url}/v1/")
    monkeypatch.setenv("SENTINEL_RULE_QUEUE_TOKEN", "s3cret")
    (output,) = measured(
        "env:SENTINEL_RULE_QUEUE_URL/depth",
        path="n",
        headers={"X-Token": "env:SENTINEL_RULE_QUEUE_TOKEN"},
    )
    assert output.triggered
    assert site.asked[-1].headers["X-Token"] == "s3cret"
    assert "s3cret" not in str(output)


def test_a_variable_that_is_not_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTINEL_RULE_NOWHERE", raising=False)
    with pytest.raises(
        SentinelError, match="environment variable SENTINEL_RULE_NOWHERE, which is not set"
    ):
        measured("env:SENTINEL_RULE_NOWHERE/depth")
    monkeypatch.setenv("SENTINEL_RULE_NOWHERE", "ftp://host")
    with pytest.raises(SentinelError, match="expected http"):
        measured("env:SENTINEL_RULE_NOWHERE/depth")


def test_a_redirect_is_followed(site: JsonSite) -> None:
    site.at("/here", {"n": 12})
    (output,) = measured(site.at("/moved", "", 302, Location="/here"), path="n")
    assert output.metrics["value"] == 12


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (500, "sorry", {}, "answered 500"),
        (404, "{}", {}, "answered 404"),
        (304, "", {}, "answered 304"),
        (200, "<html>hello", {}, "the answer is not JSON, but 11 characters of "),
        (200, "", {}, "the answer is not JSON"),
        (200, "[" * 200_000, {}, "the answer is not JSON"),
        (200, '{"a": ' + "9" * 10_000 + "}", {}, "the answer is not JSON"),
        (200, b"\xff\xfe\x00", {}, "the answer is not JSON"),
        (200, '{"ä": 1}'.encode("latin-1"), {}, "the answer is not JSON: line 1 is not UTF-8"),
        (200, b"x" * (MOST_BYTES + 1), {}, "more than 16 MiB"),
        (302, "", {"Location": "/loop"}, "redirects"),
        (302, "", {"Location": "ftp://127.0.0.1/"}, "ftp"),
    ],
)
def test_an_answer_that_is_none_fails_the_check(
    site: JsonSite, status: int, body: Any, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(SourceError) as caught:
        measured(f"{site.at('/loop', body, status, **headers)}?key=s3cret", path="a")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [("utf-8-sig", ""), ("utf-16", ""), ("utf-8", ""), ("latin-1", "; charset=ISO-8859-1")],
)
def test_an_answer_is_read_in_its_encoding(site: JsonSite, encoding: str, charset: str) -> None:
    body = '{"größe": 7}'.encode(encoding)
    url = site.at("/encoded", body, 200, **{"Content-Type": f"application/json{charset}"})
    assert measured(url, path="größe")[0].metrics["value"] == 7


def test_who_is_not_there_fails_the_check() -> None:
    with pytest.raises(SourceError, match="Connection refused"):
        measured(f"http://127.0.0.1:{free_port()}/")


def test_who_never_answers_fails_the_check_in_time(site: JsonSite) -> None:
    with pytest.raises(SourceError, match=r"no answer within 0\.5 s"):
        measured(f"{site.url}/hang", request_timeout_seconds=0.5)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"url": "ftp://host/"}, "expected http"),
        ({"url": "http://me:secret@host/"}, "credentials"),
        ({"url": ""}, "expected http"),
        ({"ticker_path": "n"}, "give `items`"),
        ({"items": "q", "ticker_path": ""}, "ticker_path"),
        ({"path": "x" * 1_001}, "path"),
        ({"request_timeout_seconds": 0}, "request_timeout_seconds"),
        ({"request_timeout_seconds": 31}, "request_timeout_seconds"),
        ({"headers": {"a": 1}}, "headers"),
        ({"verify": "perhaps"}, "verify"),
        ({"method": "POST"}, "method"),
    ],
)
def test_a_source_that_cannot_work_is_refused_when_it_is_written(
    source: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        measured(**{"url": "http://host/", **source})
    assert said in str(caught.value)


def test_a_header_that_http_does_not_allow_fails_the_check(site: JsonSite) -> None:
    with pytest.raises(SourceError, match="not valid HTTP"):
        measured(f"{site.url}/one", headers={"X-A": "a\nb"})
