"""Running deployments for real: a server, a worker, flows that end well, badly or not at all."""

import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Cancelled

from sentinel_core.flow.rule_flow import rule_flow
from sentinel_core.model.trigger import NoHistory
from tests.support.faulty_prefect import faulty_prefect
from tests.support.prefect import PrefectServer, client_of, make_pool, prefect_worker
from tests.support.processes import free_port, wait_for
from triggers.service.prefect_deployment import DeploymentError, PrefectDeployment

POOL = "deployment-trigger"
CHILDREN = """
    import sys, time
    from prefect import flow

    @flow
    def fine(word: str = "none"):
        print(word)

    @flow
    def broken():
        raise ValueError("the tape is torn")

    @flow(timeout_seconds=1)
    def slow():
        time.sleep(20)

    @flow
    def waiting():
        pass

    if __name__ == "__main__":
        for name in ("fine", "broken", "slow", "waiting"):
            flow.from_source(sys.argv[1], f"children.py:{name}").deploy(
                name="nightly", work_pool_name="nobody" if name == "waiting" else sys.argv[2]
            )
"""


@pytest.fixture(scope="module")
def deployed(server: PrefectServer, tmp_path_factory) -> Iterator[PrefectServer]:
    """Four deployments and a worker; `waiting` lies in a pool nobody works on."""
    folder = tmp_path_factory.mktemp("children")
    file = folder / "children.py"
    file.write_text(textwrap.dedent(CHILDREN))
    with client_of(server) as client:
        make_pool(client, "nobody")
    with prefect_worker(server, POOL):
        server.run("python", str(file), str(folder), POOL, cwd=folder)
        yield server


@pytest.fixture
def client(deployed: PrefectServer) -> Iterator[SyncPrefectClient]:
    """This process talks to the server, as a rule's run would."""
    with (
        temporary_settings(
            {PREFECT_API_URL: deployed.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
        ),
        get_client(sync_client=True) as client,
    ):
        yield client


def run(deployment: str, **settings):
    trigger = PrefectDeployment(deployment=deployment, **{"wait_seconds": 60, **settings})
    return trigger.measure(NoHistory())


def test_a_run_that_completes_is_no_alarm_and_got_its_parameters(client):
    output = run("fine/nightly", parameters={"word": "hello"})
    assert not output.triggered
    assert output.ticker == "fine/nightly"
    assert "ended as Completed" in output.message
    assert 0 < output.metrics["duration_seconds"] < 60
    child = client.read_flow_run(output.metadata["flow_run_id"])
    assert child.parameters == {"word": "hello"}
    assert output.metadata["flow_run_url"].endswith(f"/runs/flow-run/{child.id}")
    types = [state["type"] for state in output.metadata["states"]]
    assert (types[0], types[-1]) == ("SCHEDULED", "COMPLETED")


def test_the_deployment_may_be_named_by_its_id_and_completion_may_be_the_alarm(client):
    found = client.read_deployment_by_name("fine/nightly")
    output = run(str(found.id), alert_on=["completed"])
    assert output.triggered


def test_a_run_that_fails_triggers_with_what_it_said(client):
    output = run("broken/nightly")
    assert output.triggered
    assert "ended as Failed" in output.message
    assert "the tape is torn" in output.message


def test_a_time_out_is_told_from_other_failures_by_its_name(client):
    output = run("slow/nightly", alert_on=["TimedOut"])
    assert output.triggered
    assert output.metadata["state"]["name"] == "TimedOut"
    assert not run("broken/nightly", alert_on=["TimedOut"]).triggered


@pytest.mark.parametrize("alert", [True, False])
def test_a_run_that_does_not_end_in_time_triggers_unless_told_otherwise(client, alert):
    output = run("waiting/nightly", wait_seconds=1, alert_when_unfinished=alert)
    assert output.triggered is alert
    assert "has not ended within 1 s; it is Scheduled" in output.message
    assert output.metrics["value"] >= output.metrics["threshold"] == 1
    assert output.metrics["duration_seconds"] == 0


def test_a_cancelled_run_triggers(client):
    started = datetime.now(UTC)

    def cancel() -> None:
        with get_client(sync_client=True) as other:
            # Other tests' deployments have runs on this server, too.
            deployment = other.read_deployment_by_name("waiting/nightly").id

            def waiting():
                return [
                    child
                    for child in other.read_flow_runs(
                        deployment_filter=DeploymentFilter(id={"any_": [deployment]}), limit=200
                    )
                    if child.created > started and child.state.is_scheduled()
                ]

            [child] = wait_for(waiting, what="the child run")
            other.set_flow_run_state(child.id, Cancelled(message="by hand"), force=True)

    with temporary_settings({PREFECT_API_URL: str(client.api_url)}):
        thread = threading.Thread(target=_in_this_context(cancel))
        thread.start()
        output = run("waiting/nightly")
        thread.join()
    assert output.triggered
    assert output.metadata["state"]["type"] == "CANCELLED"
    assert "by hand" in output.message


def _in_this_context(function):
    """Prefect's settings live in context variables, which a new thread does not inherit."""
    import contextvars

    context = contextvars.copy_context()
    return lambda: context.run(function)


@pytest.mark.parametrize(
    "name",
    ["fine/absent", "absent/nightly", "00000000-0000-0000-0000-000000000001"],
)
def test_a_missing_deployment_is_an_error(client, name):
    with pytest.raises(DeploymentError, match="there is no deployment"):
        run(name)


def test_parameters_the_deployment_refuses_are_an_error(client):
    with pytest.raises(DeploymentError, match="refused to run"):
        run("fine/nightly", parameters={"word": {"not": "text"}})


def test_a_server_that_is_away_is_an_error():
    nobody = f"http://127.0.0.1:{free_port()}/api"
    with (
        temporary_settings({PREFECT_API_URL: nobody}),
        pytest.raises(DeploymentError, match="could not be reached"),
    ):
        run("fine/nightly")


@pytest.mark.slow
def test_inside_a_rules_run_the_child_is_linked_to_it(client):
    check = PrefectDeployment(deployment="broken/nightly", wait_seconds=60)
    state = rule_flow(PrefectDeployment)(check=check, return_state=True)
    assert state.name == "Triggered"
    [output] = state.result()
    child = client.read_flow_run(output.metadata["flow_run_id"])
    parent = client.read_task_run(child.parent_task_run_id)
    assert parent.flow_run_id == state.state_details.flow_run_id


@pytest.mark.slow
def test_an_error_of_the_api_while_waiting_does_not_end_the_check(
    deployed: PrefectServer,
) -> None:
    with faulty_prefect(deployed.api_url) as faulty:
        faulty.fails, faulty.times = "/flow_runs/", 1
        there = {PREFECT_API_URL: faulty.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings(there):
            output = run("fine/nightly")
    assert faulty.failed == 1
    assert not output.triggered
