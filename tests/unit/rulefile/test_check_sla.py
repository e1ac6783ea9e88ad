"""`sla` lists are checked entry by entry, and become one more rule of the file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_core.rulefile.check import Report, check, check_slas
from sentinel_core.rulefile.sla_rule import deployment_names
from sentinel_core.rulefile.source import read

ETL = """
from prefect import flow

@flow(name="etl")
def etl(): ...
"""
TIME = {"name": "time", "duration": 3600, "severity": "high"}
LATE = {"name": "late", "within": "PT10M", "severity": "critical"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "etl.py").write_text(ETL)
    return tmp_path / "prefect.yaml"


def written(file: Path, slas: Any, **top: Any) -> Path:
    entry = {"name": "nightly", "entrypoint": "etl.py:etl", "work_pool": {"name": "team"}}
    file.write_text(yaml.safe_dump({**top, "deployments": [{**entry, "sla": slas}]}))
    return file


def checked(file: Path, slas: Any, **top: Any) -> Report:
    return check(written(file, slas, **top), ask_prefect=False)


def said(report: Report) -> list[str]:
    return [f"{problem.field}: {problem.message}" for problem in report.errors]


def test_the_slas_of_a_file_become_one_rule(file: Path) -> None:
    report = checked(file, [TIME, LATE, {"name": "often", "stale_after": 60}], name="Shop ETL")
    assert said(report) == []
    _, rule = report.declared
    assert rule.is_rule
    assert rule.entry.name == "sla-shop-etl"
    assert rule.entry.config["parameters"]["check"]["slas"] == [
        {**TIME, "deployment": "etl/nightly", "duration": 3600, "enabled": True},
        {**LATE, "deployment": "etl/nightly", "within": 600, "enabled": True},
        {
            "deployment": "etl/nightly",
            "name": "often",
            "severity": "moderate",
            "stale_after": 60,
            "enabled": True,
        },
    ]


@pytest.mark.parametrize(
    ("sla", "expected"),
    [
        (
            {**TIME, "severity": "urgent"},
            "severity: expected minor, low, moderate, high or critical",
        ),
        ({**TIME, "duration": -5}, "duration: expected seconds, more than 0 and at most a year"),
        (
            {**TIME, "duration": "soon"},
            "duration: expected seconds, more than 0 and at most a year",
        ),
        ({**TIME, "durations": 5}, "durations: unknown SLA key; did you mean duration?"),
        ({**TIME, "within": 5}, "expected one of duration, within, stale_after, got duration and"),
        ({"name": "x"}, "expected one of duration, within, stale_after, got none of them"),
        ({"duration": 5}, "name: missing: every SLA needs a name"),
        ({**TIME, "enabled": "perhaps"}, "enabled: expected a valid boolean"),
        ("slow", "expected a mapping with name and severity, got text"),
    ],
)
def test_what_prefect_would_ignore_or_misread_is_an_error(
    file: Path, sla: Any, expected: str
) -> None:
    [problem] = said(checked(file, [sla]))
    assert problem.startswith("sla[0]")
    assert expected in problem


def test_names_are_unique_and_the_list_is_a_list(file: Path) -> None:
    assert said(checked(file, [TIME, TIME])) == [
        "sla[1].name: expected a unique name: this deployment has another SLA 'time'"
    ]
    assert said(checked(file, TIME)) == ["sla: expected a list of SLAs, got a mapping"]


def test_the_rule_takes_its_settings_from_the_definitions(file: Path) -> None:
    settings = {
        "name": "our-slas",
        "work_pool": {"name": "alerts"},
        "parameters": {"notify": {"high": ["slack-webhook/ops"]}},
    }
    rule = checked(file, [TIME], definitions={"sla": settings}).declared[-1].entry.config
    assert (rule["name"], rule["work_pool"]) == ("our-slas", {"name": "alerts"})
    assert rule["parameters"]["notify"] == {"high": ["slack-webhook/ops"]}
    assert rule["parameters"]["policy"] == {"on_missing": "ok"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["slack-webhook/ops"], "definitions.sla: expected a mapping, got a list"),
        ({"notify": []}, "definitions.sla.notify: unknown key of the SLA rule"),
        ({"parameters": {"check": {}}}, "definitions.sla.parameters.check: not here"),
        ({"parameters": {"importance": "huge"}}, "parameters.importance: expected"),
        ({"name": "nightly"}, "definitions.sla.name: a deployment is called nightly"),
    ],
)
def test_settings_of_the_rule_that_are_wrong(file: Path, settings: Any, expected: str) -> None:
    problems = said(checked(file, [TIME], definitions={"sla": settings}))
    assert any(problem.startswith(expected) for problem in problems), problems


def test_another_file_of_the_folder_has_a_rule_of_its_own(file: Path) -> None:
    other = file.with_name("weekly.yaml")
    report = checked(other, [TIME], name="shop")
    assert report.declared[-1].entry.name == "sla-shop-weekly"


def test_a_file_without_slas_has_no_such_rule(file: Path) -> None:
    for slas in (None, []):
        assert [item.entry.name for item in checked(file, slas).declared] == ["nightly"]


def test_slas_alone_are_checked_where_the_rest_is_not_for_sentinel(file: Path) -> None:
    """A deployment without a work pool is fine to Prefect, which asks for one."""
    entry = {"name": "nightly", "entrypoint": "etl.py:etl", "sla": [TIME]}
    file.write_text(yaml.safe_dump({"deployments": [entry, {"name": "nightly"}]}))
    report = check_slas(file)
    assert said(report) == []
    assert [
        item.entry.config["parameters"]["check"]["slas"][0]["name"] for item in report.declared
    ] == ["time"]


def test_a_flow_that_cannot_be_loaded_is_an_error(file: Path) -> None:
    written(file, [TIME])
    file.with_name("etl.py").write_text("import nothing_of_this_name")
    [problem] = said(check_slas(file))
    assert problem.startswith(
        "entrypoint: its flow is needed for the SLAs: etl.py can't be imported"
    )


def test_slas_of_a_file_that_cannot_be_read_are_one_error_with_the_reason(file: Path) -> None:
    file.write_text("deployments: [")
    [problem] = check_slas(file).problems
    assert problem.line is not None
    assert "not YAML" in problem.message
    assert problem.file == str(file)


def test_the_rule_has_the_name_that_the_definitions_give(file: Path) -> None:
    report = checked(file, [TIME], definitions={"sla": {"name": "promises"}})
    assert [item.entry.name for item in report.declared if item.is_rule] == ["promises"]
    assert deployment_names(read(file)) == ["nightly", "promises"]
    assert deployment_names(read(written(file, []))) == ["nightly"]
