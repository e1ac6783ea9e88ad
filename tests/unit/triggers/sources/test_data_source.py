"""Sources of data over HTTP: documents, tables, and faults that say what to do next."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from sentinel_core import NoHistory
from sentinel_core.model.fault import Fault
from tests.support.json_site import Answer, JsonSite, json_site
from triggers.data.data_quality import DataQuality
from triggers.data.data_volume import DataVolume
from triggers.model.model_performance import ModelPerformance
from triggers.sources.data_source import FileData, HttpData, SqlData


@pytest.fixture
def site() -> Iterator[JsonSite]:
    with json_site() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triggers.sources.checked._PAUSE_SECONDS", 0)


def http(url: str, **fields: object) -> HttpData:
    return HttpData.model_validate({"kind": "http", "url": url, **fields})


def test_a_table_and_a_document_in_a_json_answer(site: JsonSite) -> None:
    url = site.at("/x", {"rows": [{"a": 1}, {"a": None}], "scores": {"accuracy": 0.5}})
    table = DataQuality(source=http(url, path="rows")).check(NoHistory())[0]
    assert table.metrics["completeness"] == 0.5
    figures = ModelPerformance(source=http(url, path="scores")).check(NoHistory())[0]
    assert figures.triggered


def test_a_csv_file_behind_a_url(site: JsonSite) -> None:
    url = site.at("/x.csv", "a,b\n1,2\n3,\n")
    output = DataQuality(source=FileData(kind="file", path=url)).check(NoHistory())[0]
    assert output.metrics["null_cells"] == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", ["http", "file"])
def test_a_refusal_is_a_question_of_credentials(site: JsonSite, status: int, kind: str) -> None:
    url = site.at("/x", [], status=status)
    source = http(url) if kind == "http" else FileData(kind="file", path=url)
    output = DataVolume(source=source).check(NoHistory())[0]
    assert (output.problem, output.triggered) == ("error", False)
    assert output.metadata["code"] == "refused"
    assert output.suggestion == Fault.REFUSED.next_step
    assert len(site.asked) == 1  # asking once more would not help


@pytest.mark.parametrize("kind", ["http", "file"])
def test_a_site_that_is_slow_is_asked_twice_and_then_named(site: JsonSite, kind: str) -> None:
    def slow(_: object) -> Answer:
        site.closing.wait(5)
        return Answer([])

    site.answers["/x"] = slow
    url = f"{site.url}/x"
    source = (
        http(url, request_timeout_seconds=0.2)
        if kind == "http"
        else FileData(kind="file", path=url, http_timeout_seconds=0.2)
    )
    output = DataVolume(source=source).check(NoHistory())[0]
    site.closing.set()
    assert output.suggestion == Fault.TIMEOUT.next_step
    assert len(site.asked) == 2


def test_a_site_that_is_away_is_a_question_of_the_network() -> None:
    for source in (
        http("http://127.0.0.1:1/x"),
        FileData(kind="file", path="http://127.0.0.1:1/x.csv"),
    ):
        output = DataVolume(source=source).check(NoHistory())[0]
        assert output.suggestion == Fault.CONNECTION.next_step


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("no json", "is not JSON"),
        ([1, 2], "neither a list of objects"),
        ({"a": [1, 2], "b": [1]}, "is not a table"),
        ({"a": 1}, "neither a list of objects"),
    ],
)
def test_an_answer_that_is_no_table_is_an_error(site: JsonSite, body: object, said: str) -> None:
    output = DataVolume(source=http(site.at("/x", body))).check(NoHistory())[0]
    assert (output.problem, said in output.message) == ("error", True), output.message
    assert output.suggestion == ""


def test_a_path_that_leads_nowhere_is_no_data(site: JsonSite) -> None:
    output = DataVolume(source=http(site.at("/x", {}), path="rows")).check(NoHistory())[0]
    assert output.problem == "no_data"


def test_sources_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="either table or query"):
        SqlData(kind="sql", url="sqlite:///x", table="a", query="SELECT 1")
    with pytest.raises(ValidationError, match="needs engine: duckdb"):
        FileData(kind="file", path="x.csv", query="SELECT 1")
