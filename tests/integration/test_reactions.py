"""Reactions with a real Prefect: runs that start once, their ends, and what is in the way."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, Pending
from prefect.utilities.callables import parameter_schema
from sqlalchemy import Engine, update

from sentinel_core.flow.reacting import keep_up_reactions, start_reactions
from sentinel_core.model.reaction import ReactionCode
from sentinel_core.rulefile.check import check
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import REACTION
from sentinel_core.store.outbox.reaction_claims import claim, due
from sentinel_core.store.record.react import approve
from sentinel_core.store.state import system_rule
from sentinel_core.worker.pool import prefect_internals as _private
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.runs import a_rule, a_run, fired, rows, told
from tests.support.scenes import running_here

HOSTILE = (
    '{{ event.rule }} {{ prefect.variables.x }} {{ $PATH }} {% raw %} "quoted" $(rm -rf /) '
    '{"__prefect_kind": "workspace_variable", "variable_name": "x"} <!channel> né'
)
CHURN = {"model": "a", "drift": 1}
MINUTE = timedelta(minutes=1)
given: list[dict[str, Any]] = []


@flow(name="retrain", persist_result=False)
def retrain(model: str, drift: float, note: str = "", rows: int = 0) -> None:
    given.append({"model": model, "drift": drift, "note": note, "rows": rows})
    if model == "broken":
        raise RuntimeError("no data")


@dataclass
class Team:
    """A deployment of its own in Prefect, and a rule that reacts with it."""

    server: PrefectServer
    client: SyncPrefectClient
    engine: Engine
    deployment: UUID
    name: str
    minute: float = field(default=0)

    def fires(self, on: str = "on_open", ticker: str = "EU", **reaction: Any) -> list[int]:
        """A run of the rule that triggers just now; the reactions to be started."""
        rule = a_rule(f"drift-{self.deployment}", **{on: [{"run": self.name, **reaction}]})
        self.minute += 1
        seen = fired(ticker, message=HOSTILE, metrics={"drift": 0.21, "rows": 300})
        now = datetime.now(UTC)
        return told(self.engine, rule, a_run(self.minute), [seen], now).reactions

    def runs(self) -> list[FlowRun]:
        mine = FlowRunFilterDeploymentId(any_=[self.deployment])
        return self.client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=mine))

    def execute(self, run: FlowRun) -> None:
        """What a worker does with a run that is due."""
        self.client.set_flow_run_state(run.id, Pending())
        with running_here(self.server), contextlib.suppress(Exception):
            _private.run(retrain, self.client.read_flow_run(run.id), get_logger())

    def reactions(self) -> list[dict[str, Any]]:
        return rows(self.engine, "reaction")


PARAMETERS = {
    "model": "churn-{{ event.ticker }}",
    "drift": "{{ event.metrics.drift }}",
    "rows": "{{ event.metrics.rows }}",
    "note": "{{ event.message }}",
}


@pytest.fixture
def team(server: PrefectServer, store: Engine) -> Iterator[Team]:
    url = {PREFECT_API_URL: server.api_url}
    with temporary_settings(url), client_of(server) as client:
        make_pool(client, "reactions")
        deployment = client.create_deployment(
            flow_id=client.create_flow_from_name("retrain"),
            name=f"nightly-{uuid4()}",
            work_pool_name="reactions",
            parameter_openapi_schema=parameter_schema(retrain).model_dump_for_openapi(),
            enforce_parameter_schema=True,
        )
        name = f"retrain/{client.read_deployment(deployment).name}"
        given.clear()
        yield Team(server, client, store, deployment, name)


def test_a_run_starts_once_gets_typed_parameters_and_its_end_is_on_the_record(team: Team) -> None:
    ids = team.fires(parameters=PARAMETERS)
    assert start_reactions(team.engine, ids).started == 1
    assert start_reactions(team.engine, ids).started == 0
    assert keep_up_reactions(team.engine).started == 0
    [run] = team.runs()
    [reaction] = team.reactions()
    assert (reaction["status"], reaction["flow_run_id"]) == ("started", run.id)
    assert f"sentinel-event-{reaction['event_id']}" in run.tags
    team.execute(run)
    # Text of the event stays text all the way through Prefect into the flow.
    assert given == [{"model": "churn-EU", "drift": 0.21, "rows": 300, "note": HOSTILE}]
    assert keep_up_reactions(team.engine).ended == 1
    [reaction] = team.reactions()
    assert (reaction["status"], reaction["run_state"]) == ("ended", "COMPLETED")
    audit = [(r["action"], r["event_id"]) for r in rows(team.engine, "audit_entry")]
    assert audit == [
        ("reaction-started", reaction["event_id"]),
        ("reaction-ended", reaction["event_id"]),
    ]
    assert rows(team.engine, "alert_event", rule_name=system_rule.REACTIONS) == []


def test_whoever_dies_after_prefect_made_the_run_makes_no_second_one(team: Team) -> None:
    [key] = team.fires(parameters=CHURN)
    claimed = claim(team.engine, key, datetime.now(UTC))  # and never settled
    assert claimed is not None
    with writing(team.engine) as connection:
        lease = {"next_attempt_at": datetime.now(UTC) - MINUTE}
        connection.execute(update(REACTION).values(**lease))
    first = team.client.create_flow_run_from_deployment(
        team.deployment, parameters=claimed.parameters, idempotency_key=claimed.key
    )
    assert start_reactions(team.engine, due(team.engine, datetime.now(UTC))).started == 1
    assert [run.id for run in team.runs()] == [first.id]
    assert team.reactions()[0]["flow_run_id"] == first.id


def test_whoever_dies_before_the_start_leaves_it_to_the_next_round(team: Team) -> None:
    team.fires(parameters=CHURN)  # the hook was killed after its commit
    assert keep_up_reactions(team.engine).started == 1
    assert len(team.runs()) == 1


def test_a_run_that_fails_is_an_event_until_one_goes_well(team: Team) -> None:
    start_reactions(team.engine, team.fires(parameters={"model": "broken", "drift": 1}))
    team.execute(team.runs()[0])
    done = keep_up_reactions(team.engine)
    assert (done.ended, len(done.failed)) == (1, 1)
    [event] = rows(team.engine, "alert_event", rule_name=system_rule.REACTIONS)
    assert "its run ended as Failed" in event["message"]
    assert "no data" in event["message"]
    assert team.reactions()[0]["code"] == ReactionCode.RUN_FAILED
    start_reactions(team.engine, team.fires(ticker="US", parameters={"model": "b", "drift": 1}))
    for run in team.runs():
        if run.state is not None and run.state.is_scheduled():
            team.execute(run)
    keep_up_reactions(team.engine)
    [event] = rows(team.engine, "alert_event", rule_name=system_rule.REACTIONS)
    assert event["resolved_at"] is not None


@pytest.mark.parametrize(
    ("reaction", "code", "said"),
    [
        (
            {"run": "nobody/knows"},
            ReactionCode.DEPLOYMENT_MISSING,
            "has no deployment nobody/knows",
        ),
        ({"parameters": {"drift": "much"}}, ReactionCode.REFUSED, "Prefect refuses it"),
        (
            {"parameters": {"model": "{{ event.metrics.psi }}"}},
            ReactionCode.PARAMETERS,
            "the event has no value event.metrics.psi",
        ),
        ({"run": None, "resume": "nobody/knows"}, ReactionCode.DEPLOYMENT_MISSING, "deploy it"),
        ({"run": None, "retry": "failed-run"}, ReactionCode.NO_RUN, "no run"),
    ],
)
def test_what_can_not_be_started_says_why_and_is_an_event(
    team: Team, reaction: dict[str, Any], code: ReactionCode, said: str
) -> None:
    assert len(start_reactions(team.engine, team.fires(**reaction)).failed) == 1
    [row] = team.reactions()
    assert (row["status"], row["code"]) == ("failed", code)
    assert said in row["sentence"]
    [event] = rows(team.engine, "alert_event", rule_name=system_rule.REACTIONS)
    assert said in event["message"]
    assert team.runs() == []


def test_a_prefect_that_is_away_is_asked_again_later(team: Team) -> None:
    ids = team.fires(parameters=CHURN)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert start_reactions(team.engine, ids).started == 0
    [row] = team.reactions()
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert keep_up_reactions(team.engine).started == 1


def test_only_an_approved_reaction_starts(team: Team) -> None:
    assert team.fires(approval=True, parameters=CHURN) == []
    assert keep_up_reactions(team.engine).started == 0
    approve(team.engine, [team.reactions()[0]["event_id"]], by="ana", now=datetime.now(UTC))
    assert keep_up_reactions(team.engine).started == 1
    assert len(team.runs()) == 1


def test_a_paused_schedule_is_resumed(team: Team) -> None:
    team.client.pause_deployment(team.deployment)
    start_reactions(team.engine, team.fires(run=None, resume=team.name))
    assert team.client.read_deployment(team.deployment).paused is False
    assert team.reactions()[0]["status"] == "ended"


def test_the_failed_run_of_the_event_is_retried_once(team: Team) -> None:
    failed = team.client.create_flow_run_from_deployment(team.deployment, parameters=CHURN)
    team.client.set_flow_run_state(failed.id, Failed(message="torn"), force=True)
    rule = a_rule(f"failures-{team.deployment}", on_open=[{"retry": "failed-run"}])
    seen = fired("x", metadata={"runs": [{"id": str(failed.id)}]})
    ids = told(team.engine, rule, a_run(0), [seen], datetime.now(UTC)).reactions
    assert start_reactions(team.engine, ids).started == 1
    state = team.client.read_flow_run(failed.id).state
    assert state is not None
    assert (state.is_scheduled(), state.name) == (True, "AwaitingRetry")
    assert keep_up_reactions(team.engine).ended == 0
    team.client.set_flow_run_state(failed.id, Completed(), force=True)
    assert keep_up_reactions(team.engine).ended == 1
    assert (team.reactions()[0]["status"], team.reactions()[0]["code"]) == ("ended", None)


def test_a_run_that_is_deleted_meanwhile_has_an_end(team: Team) -> None:
    start_reactions(team.engine, team.fires(parameters=CHURN))
    team.client.delete_flow_run(team.runs()[0].id)
    keep_up_reactions(team.engine)
    assert team.reactions()[0]["code"] == ReactionCode.RUN_DELETED


def test_the_check_of_a_rule_file_asks_prefect_for_deployments_of_others(
    team: Team, tmp_path: Path
) -> None:
    def told(*on_open: dict[str, Any]) -> list[str]:
        rule = {
            "name": "disk",
            "entrypoint": "flows/system.py:disk_usage",
            "work_pool": {"name": "reactions"},
            "schedules": [{"cron": "0 0 1 1 *"}],
            "parameters": {"check": {"path": "/"}, "on_open": list(on_open)},
        }
        file = tmp_path / "prefect.yaml"
        file.write_text(yaml.safe_dump({"deployments": [rule]}))
        return [f"{p.field}: {p.message}" for p in check(file).errors]

    assert told({"run": team.name, "parameters": CHURN}, {"resume": team.name}) == []
    [missing] = told({"run": "retrain/nobody"})
    assert missing.startswith("parameters.on_open[0].run: there is no deployment retrain/nobody")
    [wrong] = told({"run": team.name, "parameters": {**CHURN, "drift": "{{ event.message }}"}})
    assert f"{team.name} expects number, got {{{{ (event.message) }}}}, which is text" in wrong
