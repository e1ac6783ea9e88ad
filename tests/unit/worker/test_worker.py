"""What the sentinel worker makes of a run, its deployment and the settings; no server."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import ValidationError

from sentinel_core.base.settings import get_settings
from sentinel_core.worker.job import SentinelJobConfiguration, SentinelVariables, checkout
from sentinel_core.worker.pool.protocol import Frames, Job, pack
from sentinel_core.worker.worker import DEFAULT_LIMIT, SentinelWorker

SET_FOLDER = "prefect.deployments.steps.set_working_directory"
CLONE = {"prefect.deployments.steps.git_clone": {"repository": "https://example.com/r.git"}}


def deployment(pull_steps: Any = None, **more: Any) -> DeploymentResponse:
    values = {"id": uuid4(), "name": "root-disk", "flow_id": uuid4(), "pull_steps": pull_steps}
    return DeploymentResponse(**{**values, "entrypoint": "flows/system.py:disk_usage", **more})


def in_folder(folder: object) -> dict[str, Any]:
    return {SET_FOLDER: {"directory": folder}}


def flow_run() -> FlowRun:
    return FlowRun(
        flow_id=uuid4(),
        deployment_id=uuid4(),
        name="nimble-crow",
        parameters={"check": {"path": "/"}},
    )


def prepared(
    found: DeploymentResponse | None = None, run: FlowRun | None = None, **values: Any
) -> SentinelJobConfiguration:
    """As the worker has it before a run starts."""
    configuration = SentinelJobConfiguration(**values)
    configuration.prepare_for_flow_run(run or flow_run(), found, None, None, "worker-1", uuid4())
    return configuration


# -- where the code is ---------------------------------------------------------------------


def test_a_deployment_from_a_local_checkout_runs_there() -> None:
    found = deployment([in_folder("/srv/rules")])
    assert checkout(found) == Path("/srv/rules")
    configuration = prepared(found)
    assert configuration.process_spec().folder == "/srv/rules"
    assert configuration.job(flow_run()).entrypoint == "flows/system.py:disk_usage"


@pytest.mark.parametrize(
    "pull_steps",
    [
        None,
        [],
        [{}],
        [CLONE],
        [CLONE, in_folder("/srv/rules")],
        [in_folder("/srv/rules"), in_folder("/srv/other")],
        [in_folder("rules")],
        [in_folder("~/rules")],
        [in_folder("")],
        [in_folder(None)],
        [in_folder(7)],
        [in_folder(["/srv/rules"])],
        [in_folder("/srv/{{ prefect.variables.release }}")],
        [{SET_FOLDER: None}],
        [{SET_FOLDER: "/srv/rules"}],
        [{SET_FOLDER: {}}],
        [{SET_FOLDER: {"folder": "/srv/rules"}}],
        [{"set_working_directory": {"directory": "/srv/rules"}}],
        [{**in_folder("/srv/rules"), **CLONE}],  # Prefect runs the last one of such a step
    ],
    ids=json.dumps,
)
def test_any_other_pull_steps_are_left_to_prefect_in_a_folder_of_their_own(pull_steps: Any) -> None:
    found = deployment(pull_steps)
    assert checkout(found) is None
    configuration = prepared(found, working_dir="/srv/scratch")
    assert configuration.job(flow_run()).entrypoint is None
    assert configuration.process_spec().folder == "/srv/scratch"


def test_an_installed_flow_needs_no_folder_of_its_own() -> None:
    for nothing in (None, []):
        found = deployment(nothing, entrypoint="sentinel_core.flow.scheduled.reconcile")
        configuration = prepared(found, working_dir="/srv/scratch")
        assert configuration.job(flow_run()).entrypoint == found.entrypoint
        assert configuration.process_spec().folder == "/srv/scratch"
    fetched = deployment([CLONE], entrypoint="team.flows.tidy")
    assert prepared(fetched).job(flow_run()).entrypoint is None


def test_without_a_folder_of_any_kind_processes_start_where_the_worker_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepared(None).process_spec().folder == str(tmp_path)


# -- what a run has to itself, and what it shares ------------------------------------------


def test_what_differs_from_run_to_run_travels_with_the_run_and_needs_no_other_process() -> None:
    found, first, second = deployment([in_folder("/srv/rules")]), flow_run(), flow_run()
    specs, jobs = [], []
    for run in (first, second):
        configuration = prepared(found, run, env={"COLOUR": "blue"})
        specs.append(configuration.process_spec())
        jobs.append(configuration.job(run))
    assert specs[0] == specs[1]
    assert hash(specs[0]) == hash(specs[1])
    assert [job.env["PREFECT__FLOW_RUN_ID"] for job in jobs] == [str(first.id), str(second.id)]
    assert all(name.startswith("PREFECT__") for job in jobs for name in job.env)
    assert dict(specs[0].env)["COLOUR"] == "blue"
    assert not {"PREFECT__FLOW_RUN_ID", "PREFECT__DEPLOYMENT_ID"} & set(dict(specs[0].env))


@pytest.mark.parametrize(
    "other",
    [
        {"env": {"COLOUR": "red"}},
        {"max_runs_per_process": 1},
        {"max_memory_mb": 100},
        {"heartbeat_seconds": 30},
        {"preload": ["json"]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_runs_that_need_a_different_process_have_a_different_spec(other: dict[str, Any]) -> None:
    found = deployment([in_folder("/srv/rules")])
    assert prepared(found).process_spec() != prepared(found, **other).process_spec()


def test_a_variable_of_the_deployment_goes_before_the_workers_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLOUR", "the worker's")
    monkeypatch.setenv("SHAPE", "the worker's")
    env = dict(prepared(env={"COLOUR": "the rule's"}).process_spec().env)
    assert (env["COLOUR"], env["SHAPE"]) == ("the rule's", "the worker's")


def test_an_empty_variable_is_passed_on_as_the_process_worker_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    env = dict(prepared(env={"HTTPS_PROXY": ""}).process_spec().env)
    assert env["HTTPS_PROXY"] == ""


def test_prefects_settings_of_another_moment_are_not_passed_on() -> None:
    for url in ("http://127.0.0.1:4201/api", "http://127.0.0.1:4202/api"):
        with temporary_settings({PREFECT_API_URL: url}):
            assert dict(prepared().process_spec().env)["PREFECT_API_URL"] == url


def test_a_job_survives_its_way_to_the_child() -> None:
    run = flow_run()
    job = prepared(deployment([in_folder("/srv/rules")]), run).job(run)
    [message] = Frames().feed(pack(job.message()))
    assert Job.of(message) == job
    assert FlowRun.model_validate(Job.of(message).flow_run).parameters == run.parameters


def test_reuse_is_that_of_the_job_variables() -> None:
    reuse = (
        prepared(max_runs_per_process=7, max_memory_mb=99.5, heartbeat_seconds=45)
        .process_spec()
        .reuse
    )
    assert (reuse.max_runs, reuse.max_memory_mb, reuse.heartbeat_seconds) == (7, 99.5, 45)


# -- what is refused -----------------------------------------------------------------------


def test_a_command_of_ones_own_is_refused_in_a_sentence_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="'command' starts a program of its own") as caught:
        prepared(command="python my_program.py")
    assert "remove it, or use a process work pool" in str(caught.value)


def test_an_empty_command_is_none() -> None:
    assert prepared(command="").env["PREFECT__FLOW_RUN_ID"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_runs_per_process": 0},
        {"max_runs_per_process": 2.5},
        {"max_memory_mb": 0},
        {"max_memory_mb": "plenty"},
        {"heartbeat_seconds": 29},
        {"preload": "pandas"},
        {"env": ["COLOUR=blue"]},
    ],
    ids=str,
)
def test_a_wrong_job_variable_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, AttributeError), match=f"{next(iter(wrong))}|items"):
        SentinelJobConfiguration(**wrong)


# -- the pool's form -----------------------------------------------------------------------


def test_the_pools_form_has_the_defaults_that_the_worker_has() -> None:
    form, plain = SentinelVariables(), SentinelJobConfiguration()
    own = set(SentinelVariables.model_fields) - {"name", "env", "labels", "command"}
    assert own >= {"working_dir", "max_runs_per_process", "max_memory_mb", "preload"}
    assert {n: getattr(form, n) for n in own} == {n: getattr(plain, n) for n in own}


def test_every_field_of_the_pools_form_reaches_the_run() -> None:
    template = SentinelWorker.get_default_base_job_template()
    for name, field in template["variables"]["properties"].items():
        assert template["job_configuration"][name] == "{{ " + name + " }}"
        assert field["description"], name


# -- limits and settings -------------------------------------------------------------------


@pytest.mark.parametrize(("given", "limit"), [(None, DEFAULT_LIMIT), (1, 1), (300, 300)])
def test_a_worker_is_never_without_a_limit(given: int | None, limit: int) -> None:
    assert SentinelWorker("a-pool", limit=given)._limit == limit


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SENTINEL_WORKER_SPREAD_SECONDS", wrong)
        for wrong in ("-0.1", "60.1", "nan", "inf", "soon", "5s")
    ]
    + [("SENTINEL_WORKER_STOP_SECONDS", wrong) for wrong in ("-1", "nan", "later", "15 s")]
    + [("SENTINEL_WORKER_OVERRUN_SECONDS", wrong) for wrong in ("0", "nan", "never")],
)
def test_a_wrong_setting_is_refused_by_name_when_the_worker_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.setenv(name, wrong)
    get_settings.cache_clear()
    field = name.removeprefix("SENTINEL_").lower()
    with pytest.raises(ValidationError, match=field):
        SentinelWorker("a-pool")


@pytest.mark.parametrize(
    ("spread", "stop", "overrun", "understood"),
    [
        (None, None, None, (5, 15, 15)),
        ("", "", "", (5, 15, 15)),
        ("0", "0", "1", (0, 0, 1)),
        ("60", "600", "600", (60, 600, 600)),
        ("2.5", "0.5", "1.5", (2.5, 0.5, 1.5)),
    ],
)
def test_right_and_missing_settings_are_understood(
    monkeypatch: pytest.MonkeyPatch,
    spread: str | None,
    stop: str | None,
    overrun: str | None,
    understood: tuple[float, float, float],
) -> None:
    for name, value in (("SPREAD", spread), ("STOP", stop), ("OVERRUN", overrun)):
        monkeypatch.delenv(f"SENTINEL_WORKER_{name}_SECONDS", raising=False)
        if value is not None:
            monkeypatch.setenv(f"SENTINEL_WORKER_{name}_SECONDS", value)
    get_settings.cache_clear()
    found = get_settings()
    seconds = (
        found.worker_spread_seconds,
        found.worker_stop_seconds,
        found.worker_overrun_seconds,
    )
    assert seconds == understood
