"""Stuck runs by the states that Prefect's server keeps of them."""

from dataclasses import replace
from datetime import timedelta

from prefect.states import AwaitingRetry, Failed, Pending, Running

from sentinel_core.flow.stuck import close_stuck
from sentinel_core.prefect_io.facts import read_rule
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of


def test_a_run_that_starts_again_long_after_it_failed_has_its_whole_timeout(
    reconciling_server: PrefectServer,
) -> None:
    with client_of(reconciling_server) as client:
        deploy(client, rule_yaml("retried", "tests/support/rules/chaos.py:chaos", pool="stuck"))
        deployed = Deployed.find(client, "chaos/retried").id
        run = client.create_flow_run_from_deployment(deployed).id
        for state in (Pending(), Running(), Failed()):
            client.set_flow_run_state(run, state)
        client.set_flow_run_state(run, AwaitingRetry(), force=True)  # as Prefect's UI does it
        for state in (Pending(), Running()):
            client.set_flow_run_state(run, state)
        again = client.read_flow_run(run)
        assert again.state is not None and again.start_time is not None
        assert (again.run_count, again.state_name) == (2, "Running")
        since_first = again.state.timestamp - again.start_time
        timeout = since_first / 2
        rule = replace(read_rule(client, deployed), timeout_seconds=timeout.total_seconds())

        in_time = again.state.timestamp + timeout / 2
        assert not [*close_stuck(client, {deployed: rule}, in_time, 0)]
        late = again.state.timestamp + timeout + timedelta(seconds=1)
        [(_, crashed, _)] = close_stuck(client, {deployed: rule}, late, 0)
        assert (crashed.id, crashed.state_name) == (run, "Crashed")
