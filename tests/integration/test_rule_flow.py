"""From a deployment to rows and a message: real server, real worker, real HTTP endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_slack.credentials import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.prefect_io.facts import (
    MEASURED,
    TRIGGERED,
    is_rule,
    kept_outputs,
    rule_facts,
    run_facts,
)
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.runs import rows
from tests.support.slack import Slack, slack_endpoint
from tests.support.stores import migrate
from tests.support.swarm import own_engine

LAB = "tests/support/rules/lab.py"
OVER_A_WINDOW = {"op": "gt", "value": 150, "aggregate": "avg", "over_seconds": 600}
CONDITIONS: dict[str, dict[str, Any]] = {
    "condition": {"conditions": [{"op": "gt", "value": 150}]},
    "window": {"conditions": [OVER_A_WINDOW]},
    "unmet": {"conditions": [{"op": "gt", "value": 200}]},
}
MODES = ("fire", "quiet", "raise", "sleep", "garbage", "twins", "many", "nothing", "nan")


@dataclass(frozen=True)
class Lab:
    """What all the runs left behind: every test reads, none writes."""

    engine: Engine
    slack: Slack
    runs: dict[str, FlowRun]
    kept: dict[str, Any]
    facts: Any

    def state(self, rule: str) -> tuple[str, str]:
        state = self.runs[rule].state
        assert state is not None
        return state.type.value, state.name or ""

    def rows(self, table: str, rule: str) -> list[dict[str, Any]]:
        [row] = rows(self.engine, "alert_rule", name=rule)
        return rows(self.engine, table, rule_id=row["id"])

    def event(self, rule: str) -> dict[str, Any]:
        [event] = self.rows("alert_event", rule)
        return event


@pytest.fixture(scope="module")
def lab(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Each rule deployed, run once by one worker, and waited for; the history rule twice."""
    folder = tmp_path_factory.mktemp("lab")
    url = f"sqlite:///{folder / 'sentinel.db'}"
    with slack_endpoint() as slack, client_of(server) as client, own_engine(url) as engine:
        migrate(url)
        with temporary_settings({PREFECT_API_URL: server.api_url}):
            SlackWebhook(url=SecretStr(slack.url)).save("lab", overwrite=True, _sync=True)  # type: ignore[call-arg]
        with prefect_worker(server, "lab", limit=3, kind="sentinel", SENTINEL_DATABASE_URL=url):
            deploy(client, *deployments())
            rules = {name: Deployed.find(client, f"{flow}/{name}") for name, flow in names()}
            started = {name: rule.start() for name, rule in rules.items()}
            runs = {n: rules[n].wait(key, seconds=240) for n, key in started.items()}
            again = rules["history"].start()
            runs["history again"] = rules["history"].wait(again)
            facts = rule_facts(client.read_deployment(rules["fire"].id), "lab")
            assert is_rule(client.read_deployment(rules["fire"].id))
        kept = {name: kept_outputs(client, run) for name, run in runs.items()}
        yield Lab(engine, slack, runs, kept, facts)


def names() -> Iterator[tuple[str, str]]:
    yield from ((mode, "lab") for mode in MODES)
    yield from ((name, "lab") for name in CONDITIONS)
    yield "contradiction", "lab"
    yield "async", "async-lab"
    yield "history", "history-lab"


def deployments() -> list[dict[str, Any]]:
    told = {"high": ["slack-incoming-webhook/lab"]}
    quietly: dict[str, Any] = {"high": []}
    modes = [
        rule_yaml(
            mode,
            f"{LAB}:lab",
            {"mode": mode},
            notify=told if mode in ("fire", "quiet", "raise") else quietly,
            pool="lab",
        )
        for mode in MODES
    ]
    quiet = (f"{LAB}:lab", {"mode": "quiet"})
    return [
        *modes,
        *(rule_yaml(name, *quiet, **more, pool="lab") for name, more in CONDITIONS.items()),
        # What Prefect's form can't see: the two fields contradict each other.
        rule_yaml("contradiction", *quiet, policy={"breaches": 5, "of_last": 2}, pool="lab"),
        rule_yaml("async", f"{LAB}:async_lab", pool="lab"),
        rule_yaml("history", f"{LAB}:history_lab", pool="lab"),
    ]


def test_a_rule_that_fires_is_triggered_where_prefects_users_look(lab: Lab) -> None:
    assert lab.state("fire") == ("COMPLETED", TRIGGERED)
    state = lab.runs["fire"].state
    assert state is not None
    assert str(state.message).startswith("AAPL trades at 151.2")


def test_a_rule_that_fires_opens_an_event_with_its_evidence(lab: Lab) -> None:
    event = lab.event("fire")
    assert (event["kind"], event["ticker"], event["importance"]) == ("alert", "AAPL", "high")
    assert (event["category"], event["occurrences"], event["resolved_at"]) == ("Lab", 1, None)
    assert event["prefect_flow_run_id"] == lab.runs["fire"].id
    assert (event["prefect_state"], event["prefect_state_name"]) == ("COMPLETED", TRIGGERED)
    assert event["metrics"] == {"value": 151.2, "threshold": 150.0}
    assert event["metadata"] == {"unit": "USD", "quotes": [150.5, "nan"]}
    [evaluation] = lab.rows("evaluation", "fire")
    assert evaluation["event_id"] == event["id"]
    assert evaluation["at"] == lab.runs["fire"].expected_start_time


def test_what_a_hook_writes_is_what_the_api_would_tell(lab: Lab) -> None:
    """Else reconcile would take a run for another than the one its hook recorded."""
    [evaluation] = lab.rows("evaluation", "fire")
    facts = run_facts(lab.runs["fire"])
    assert (evaluation["at"], evaluation["retry_count"]) == (facts.at, 0)
    assert evaluation["prefect_state_name"] == facts.state_name
    assert abs((evaluation["completed_at"] - facts.state_at).total_seconds()) < 1


def test_exactly_one_message_about_an_event_reaches_slack(lab: Lab) -> None:
    texts = [text for text in lab.slack.texts() if "· fire ·" in text]
    assert len(texts) == 1
    assert "<!channel>" not in texts[0]
    assert "&lt;!channel&gt;" in texts[0]
    assert "151.2 USD against threshold 150 USD" in texts[0]
    assert f"/runs/flow-run/{lab.runs['fire'].id}|" in texts[0]
    event = lab.event("fire")
    [owed] = rows(lab.engine, "notification", event_id=event["id"])
    assert (owed["status"], owed["attempts"], owed["reason"]) == ("sent", 1, "opened")


def test_a_rule_that_does_not_fire_is_evaluated_and_opens_nothing(lab: Lab) -> None:
    assert lab.state("quiet") == ("COMPLETED", "Completed")
    assert lab.rows("alert_event", "quiet") == []
    [evaluation] = lab.rows("evaluation", "quiet")
    assert (evaluation["triggered"], evaluation["decision"]) == (False, "quiet")
    assert not [text for text in lab.slack.texts() if "· quiet" in text]


def test_the_output_of_a_triggered_run_and_no_other_is_kept_in_prefect(lab: Lab) -> None:
    [output] = lab.kept["fire"]
    event = lab.event("fire")
    assert (output.triggered, output.message, output.metrics) == (
        True,
        event["message"],
        event["metrics"],
    )
    assert output.metadata == event["metadata"]
    assert len(lab.kept["many"]) == 4
    assert lab.kept["quiet"] is None


@pytest.mark.parametrize(
    ("rule", "state", "words"),
    [
        ("raise", "Failed", "RuntimeError: the feed is down"),
        ("sleep", "TimedOut", "4.0 second"),
        ("garbage", "Failed", "the trigger returned dict, expected AlertOutput"),
        ("twins", "Failed", "the trigger returned ticker 'AAPL' more than once"),
        ("nan", "Failed", "metric 'value' is nan"),
    ],
)
def test_a_check_that_could_not_measure_is_a_failure_that_says_why(
    lab: Lab, rule: str, state: str, words: str
) -> None:
    assert lab.runs[rule].state.type.value == "FAILED"  # type: ignore[union-attr]
    event = lab.event(rule)
    assert (event["kind"], event["ticker"], event["importance"]) == ("failure", "", "high")
    assert event["prefect_state_name"] == lab.state(rule)[1]
    assert words in event["message"]
    assert "\0" not in event["message"]
    assert lab.state(rule)[1] == state


def test_a_failed_check_is_told_once(lab: Lab) -> None:
    [text] = [text for text in lab.slack.texts() if "· raise ·" in text]
    assert "check failed" in text
    assert "<!channel>" not in text


def test_each_ticker_of_a_list_is_a_series_of_its_own(lab: Lab) -> None:
    assert lab.state("many") == ("COMPLETED", TRIGGERED)
    assert sorted(e["ticker"] for e in lab.rows("alert_event", "many")) == ["T0", "T2"]
    assert len(lab.rows("evaluation", "many")) == 4


def test_a_check_that_finds_no_series_is_on_record_as_a_check(lab: Lab) -> None:
    assert lab.state("nothing") == ("COMPLETED", "Completed")
    [evaluation] = lab.rows("evaluation", "nothing")
    assert (evaluation["ticker"], evaluation["triggered"]) == ("", False)


@pytest.mark.parametrize(
    ("rule", "state", "breached"),
    [
        ("condition", TRIGGERED, True),
        ("unmet", MEASURED, False),
        ("window", MEASURED, True),  # its record judges it, with what other runs measured
    ],
)
def test_conditions_judge_what_a_trigger_measured(
    lab: Lab, rule: str, state: str, breached: bool
) -> None:
    assert lab.state(rule) == ("COMPLETED", state)
    [evaluation] = lab.rows("evaluation", rule)
    assert (evaluation["reported"], evaluation["triggered"]) == (False, breached)
    assert len(lab.rows("alert_event", rule)) == breached
    [output] = lab.kept[rule]
    assert output.metrics == evaluation["metrics"] == {"value": 151.2, "threshold": 150.0}


def test_a_rule_whose_settings_contradict_each_other_is_a_failure_that_names_them(lab: Lab) -> None:
    assert lab.state("contradiction")[0] == "FAILED"
    event = lab.event("contradiction")
    assert event["kind"] == "failure"
    assert "policy" in event["message"]
    assert "5 breaches of the last 2 can't be" in event["message"]


def test_an_async_check_is_awaited(lab: Lab) -> None:
    assert lab.state("async") == ("COMPLETED", TRIGGERED)
    assert lab.event("async")["importance"] == "critical"


def test_a_check_that_wants_its_history_gets_what_was_recorded_before(lab: Lab) -> None:
    first, second = lab.rows("evaluation", "history")
    assert first["metrics"] == {"known": 0, "last": -1}
    assert second["metrics"] == {"known": 1, "last": 0}


def test_a_task_that_is_retried_is_one_evaluation_and_no_failure(lab: Lab) -> None:
    assert lab.state("history") == ("COMPLETED", "Completed")
    assert lab.rows("alert_event", "history") == []


def test_a_deployment_is_understood_as_the_rule_it_is(lab: Lab) -> None:
    facts = lab.facts
    assert (facts.name, facts.trigger, facts.cron) == ("fire", "lab", "0 0 1 1 *")
    assert facts.active
    assert facts.settings.importance == "high"
    assert facts.settings.category == "Lab"
    assert [route.channel for route in facts.settings.notify.high] == ["slack-incoming-webhook/lab"]
    assert facts.timeout_seconds == 34


def test_the_rules_row_shows_its_last_run(lab: Lab) -> None:
    [row] = rows(lab.engine, "alert_rule", name="fire")
    assert (row["last_prefect_state"], row["last_prefect_state_name"]) == ("COMPLETED", TRIGGERED)
    assert row["last_output"][0]["breached"] is True
    assert row["trigger"] == "lab"


def test_a_flow_called_by_hand_is_nobodys_rule(server: PrefectServer, tmp_path: Path) -> None:
    file = tmp_path / "by-hand.db"
    call = "from tests.support.rules.lab import lab; print(lab(check={'mode': 'fire'})[0].ticker)"
    done = server.run("python", "-c", call, SENTINEL_DATABASE_URL=f"sqlite:///{file}")
    assert done.stdout.strip() == "AAPL"
    assert "this run has no deployment, so it belongs to no rule" in done.stderr
    assert not file.exists()
