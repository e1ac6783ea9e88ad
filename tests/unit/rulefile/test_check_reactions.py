"""What is wrong with the reactions of a rule, with the place and the words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_core.rulefile.check import check
from sentinel_core.rulefile.placeholders import keep_templates

RETRAIN = """
from prefect import flow

@flow(name="retrain")
def retrain(model: str, drift: float, rows: int = 0, tags: list[str] = [], dry: bool = False):
    pass
"""
POOL = {"work_pool": {"name": "sentinel"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "retraining.py").write_text(RETRAIN)
    return tmp_path / "prefect.yaml"


def told(file: Path, on_open: Any, **more: Any) -> list[str]:
    """The problems of a rule with these reactions, beside a deployment that they may run."""
    parameters = {"check": {"path": "/", "threshold": 90}, "on_open": on_open, **more}
    rule = {
        "name": "disk",
        "entrypoint": "flows/system.py:disk_usage",
        "schedules": [{"cron": "*/5 * * * *", "timezone": "UTC"}],
        "parameters": parameters,
        **POOL,
    }
    nightly = {"name": "nightly", "entrypoint": "retraining.py:retrain", **POOL}
    half = {**nightly, "name": "half", "parameters": {"model": "churn"}}
    file.write_text(yaml.safe_dump({"deployments": [rule, nightly, half]}))
    found = check(file, ask_prefect=False).problems
    return [f"{p.level}: {p.field}: {p.message}" for p in found if p.level == "error"]


def run(**parameters: Any) -> list[dict[str, Any]]:
    return [{"run": "retrain/nightly", "parameters": parameters}]


@pytest.fixture(autouse=True)
def _flows_of_this_project(file: Path) -> None:
    (file.parent / "flows").symlink_to(Path(__file__).parents[3] / "flows")


@pytest.mark.parametrize(
    "parameters",
    [
        {"model": "churn", "drift": 0.2},
        {"model": "{{ event.ticker }}", "drift": "{{ event.metrics.drift }}"},
        {"model": "m-{{ event.metrics.a }}", "drift": 1, "rows": "{{ event.metrics.rows }}"},
        {"model": "{{ event.metadata.model }}", "drift": "{{ event.metadata.drift }}"},
        {"model": "x", "drift": 1, "tags": ["{{ event.rule }}", "y"], "dry": True},
    ],
)
def test_parameters_that_fit_are_no_problem(file: Path, parameters: dict[str, Any]) -> None:
    assert told(file, run(**parameters)) == []


@pytest.mark.parametrize(
    ("parameters", "field", "said"),
    [
        ({"model": "x", "drif": 1, "drift": 1}, "drif", "retrain/nightly takes no such parameter"),
        ({"model": "x"}, "", "missing: retrain/nightly requires drift"),
        ({"model": 5, "drift": 1}, "model", "retrain/nightly expects string, got 5"),
        (
            {"model": "x", "drift": "{{ event.message }}"},
            "drift",
            "expects number, got {{ (event.message) }}, which is text",
        ),
        (
            {"model": "{{ event.metrics.a }}", "drift": 1},
            "model",
            "expects string, got {{ (event.metrics.a) }}, which is a number",
        ),
        ({"model": "x", "drift": "{{ event.metrics.a }} %"}, "drift", "expects number"),
        ({"model": "x", "drift": 1, "tags": "{{ event.rule }}"}, "tags", "expects array"),
        ({"model": "x", "drift": "{{ event.nonsense }}"}, None, "is not understood: write"),
    ],
)
def test_parameters_that_do_not_fit_are_errors(
    file: Path, parameters: dict[str, Any], field: str | None, said: str
) -> None:
    [problem] = told(file, run(**parameters))
    assert said in problem
    if field is not None:
        place = ".".join(part for part in ("parameters.on_open[0].parameters", field) if part)
        assert problem.startswith(f"error: {place}: ")


def test_what_evidence_will_be_is_not_known_before_wherever_it_stands(file: Path) -> None:
    for tags in (["{{ event.metadata.a }}"], {"any": ["{{ event.metadata.a }}"]}):
        assert told(file, run(model="x", drift=1, tags=tags)) == []


def test_a_problem_of_a_reaction_is_one_of_its_rule_and_has_a_line(file: Path) -> None:
    told(file, run(model="x"))
    [problem] = check(file, ask_prefect=False).errors
    assert problem.deployment == "disk"
    assert problem.line is not None
    assert file.read_text().splitlines()[problem.line - 1].split() == ["-", "parameters:"]


def test_a_retry_needs_no_deployment(file: Path) -> None:
    assert told(file, [{"retry": "failed-run"}]) == []


def test_what_the_deployment_has_itself_is_not_missing(file: Path) -> None:
    assert told(file, [{"run": "retrain/half", "parameters": {"drift": 1}}]) == []


@pytest.mark.parametrize(
    ("reaction", "said"),
    [
        ({"run": "retrain"}, "on_open[0].run"),
        ({}, "give one of run, retry and resume"),
        ({"retry": "failed-run", "parameters": {"a": 1}}, "parameters belong to run"),
        ({"run": "retrain/nightly", "aproval": True}, "unknown parameter; did you mean approval?"),
        ({"run": "retrain/nightly", "times_per_hour": 0}, "on_open[0].times_per_hour"),
    ],
)
def test_the_form_of_a_reaction_is_checked(file: Path, reaction: Any, said: str) -> None:
    assert any(said in problem for problem in told(file, [reaction]))


def test_a_rule_that_runs_itself_is_warned_of(file: Path) -> None:
    told(file, [{"run": "disk-usage/disk"}])
    found = check(file, ask_prefect=False).problems
    assert any("runs this rule itself, which is a loop" in problem.message for problem in found)


def test_plain_prefect_would_empty_a_reference_and_the_check_says_so(file: Path) -> None:
    told(file, run(model="{{ event.ticker }}", drift=1))
    found = check(file, ask_prefect=False).problems
    assert any("plain `prefect deploy` would replace" in problem.message for problem in found)
    told(file, run(model="{{ (event.ticker) }}", drift=1))
    assert not any("plain" in p.message for p in check(file, ask_prefect=False).problems)


def test_deploying_keeps_references_from_prefect() -> None:
    parameters = {"model": "{{ event.ticker }}", "deep": [{"x": "{{ event.metrics.a }}"}]}
    own = {"key": "{{ $KEY }}", "block": "{{ prefect.blocks.secret.x }}"}
    deployment: dict[str, Any] = {
        "parameters": {"on_resolve": [{"run": "a/b", "parameters": {**parameters, **own}}]}
    }
    [kept] = keep_templates(deployment)["parameters"]["on_resolve"]
    assert kept["parameters"] == {
        "model": "{{ (event.ticker) }}",
        "deep": [{"x": "{{ (event.metrics.a) }}"}],
        **own,
    }
