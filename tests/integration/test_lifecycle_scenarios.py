"""What teams will live through, played with real runs, on both databases."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_slack.credentials import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.cli import main
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.model.times import utc_near
from sentinel_core.prefect_io.facts import rule_facts
from sentinel_core.rulefile.check import check
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.recording import notify_unmuted
from sentinel_core.store.state.rules import sync
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import wait_for
from tests.support.rules.lifecycle import gauge
from tests.support.runs import rows
from tests.support.scenes import Scene, running_here
from tests.support.slack import Slack, slack_endpoint
from tests.support.stores import migrate
from tests.support.swarm import own_engine

POOL = "scenes"
RULES = """
definitions:
  rule: &rule
    entrypoint: tests/support/rules/lifecycle.py:gauge
    work_pool: {name: scenes}
    schedules: [{cron: "0 0 1 1 *", timezone: UTC}]
  told: &told
    medium: [slack-incoming-webhook/scenes]
    critical: [slack-incoming-webhook/scenes]
  patient: &patient {stale_seconds: null}
  twice: &twice {<<: *patient, breaches: 2, of_last: 3}

deployments:
  - {<<: *rule, name: two-of-three, parameters: {check: {}, notify: *told, policy: *twice}}
  - <<: *rule
    name: hysteresis
    parameters:
      check: {threshold: 1000}
      policy: *patient
      conditions:
        - {op: gte, value: 90, clear: 80}
        - any:
            - {metric: value, op: lt, value: 1000}
            - all: [{op: ne, value: 0}, {op: gt, value: 2000}]
  - <<: *rule
    name: window
    parameters:
      check: {threshold: 1000}
      policy: *patient
      conditions: [{op: gte, value: 85, aggregate: avg, over_seconds: 300, minimum_points: 3}]
  - <<: *rule
    name: cooldown
    parameters: {check: {}, notify: *told, policy: {<<: *patient, cooldown_seconds: 600}}
  - <<: *rule
    name: flapping
    parameters:
      check: {}
      notify: *told
      policy: {<<: *patient, flapping: {start_percent: 15, stop_percent: 14}}
  - {<<: *rule, name: unjudged, parameters: {check: {}, policy: {<<: *patient, no_data: 2}}}
  - {<<: *rule, name: silenced, parameters: {check: {}, notify: *told, policy: *patient}}
  - {<<: *rule, name: escalating, parameters: {check: {}, notify: *told, policy: *patient}}
  - <<: *rule
    name: gateway
    parameters: {check: {}, policy: *patient, inhibits: [{rule: "sh?p"}, "no-such-rule"]}
  - {<<: *rule, name: shop, parameters: {check: {}, notify: *told, policy: *patient}}
  - <<: *rule
    name: limited
    parameters: {check: {}, notify: *told, policy: {<<: *patient, max_notifications_per_hour: 1}}
  - <<: *rule
    name: impatient
    parameters: {check: {}, policy: {stale_seconds: 60, on_stale: skip}}
  - &away
    <<: *rule
    name: away-sqlite
    work_pool: {name: scenes-away}
    schedules: [{cron: "* * * * *", timezone: UTC}]
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
    parameters:
      check: {readings: {"": 95}}
      notify: {medium: [slack-incoming-webhook/none]}
      policy: {stale_seconds: 600}
  - {<<: *away, name: away-postgres}
  - <<: *rule
    name: reminding
    parameters: {check: {}, notify: *told, policy: {<<: *patient, repeat_seconds: 1800}}
"""
AWAY = "scenes-away"
Play = Callable[[str], Scene]


@pytest.fixture(scope="module")
def server(reconciling_server: PrefectServer) -> PrefectServer:
    return reconciling_server


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    with slack_endpoint() as slack:
        yield slack


@pytest.fixture(scope="module")
def deployed(
    server: PrefectServer,
    client: SyncPrefectClient,
    slack: Slack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The rules, checked and deployed as their author would; gone after."""
    file = tmp_path_factory.mktemp("scenes") / "prefect.yaml"
    file.write_text(RULES)
    make_pool(client, POOL, "process")
    make_pool(client, AWAY, "sentinel")
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        SlackWebhook(url=SecretStr(slack.url)).save("scenes", overwrite=True, _sync=True)  # type: ignore[call-arg]
    problems = check(file, ask_prefect=False).problems
    # The scenes choose when runs are due; one rule is there to mute nobody.
    assert {(found.field, found.level) for found in problems} == {
        ("parameters.conditions[0]", "warning"),
        ("parameters.inhibits[1]", "warning"),
    }
    server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    yield file
    for rule in yaml.safe_load(RULES)["deployments"]:
        client.delete_deployment(client.read_deployment_by_name(f"gauge/{rule['name']}").id)


@pytest.fixture
def play(
    server: PrefectServer,
    client: SyncPrefectClient,
    deployed: Path,
    engine: Engine,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Play]:
    """A scene of the rule of that name, on the database of this test."""
    monkeypatch.setenv("SENTINEL_DATABASE_URL", database_url)
    get_settings.cache_clear()

    def scene(name: str) -> Scene:
        found = client.read_deployment_by_name(f"gauge/{name}")
        return Scene(client, engine, gauge, found)

    with running_here(server):
        yield scene


@pytest.mark.slow("postgres")
def test_two_of_three_breaches_open_an_event(play: Play) -> None:
    scene = play("two-of-three")
    assert scene.run(0, 95) == ["pending: 1 of 2 breaches in the last 3"]
    assert scene.run(1, 5) == ["ok: not triggered"]
    assert scene.run(2, 96) == ["opened: 2 breaches of the last 3"]
    assert scene.run(3, 5) == ["resolved: The dial shows 5."]
    assert scene.events() == [("alert", "", "recovered")]
    assert scene.told() == [("opened", "sent")]
    [event] = scene.rows("alert_event")
    assert (event["first_seen"], event["resolved_at"]) == (scene.at(2), scene.at(3))


@pytest.mark.slow("postgres")
def test_what_clears_lower_than_it_fires_does_not_end_in_between(play: Play) -> None:
    scene = play("hysteresis")
    scene.run(0, 85)
    assert scene.run(1, 92)[0].startswith("opened:")
    assert scene.run(2, 85) == ["continued: still firing"]
    [ended] = scene.run(3, 79)
    assert ended == "resolved: The dial shows 79. (value 79 is not ≥ 80 (clears there))"
    assert [state.name for state in scene.states] == [
        "Measured",  # what only its record can judge
        "Triggered",
        "Measured",
        "Measured",
    ]
    assert scene.run(4, 85) == ["ok: not triggered"]


@pytest.mark.slow("postgres")
def test_a_condition_over_a_window_judges_what_earlier_runs_measured(play: Play) -> None:
    scene = play("window")
    assert [scene.run(minute, 90)[0].partition(":")[0] for minute in range(3)] == [
        "not judged yet",
        "not judged yet",
        "opened",
    ]
    assert scene.run(3, 60)[0].startswith(
        "resolved: The dial shows 60. (avg(value) over 5 min 82.5"
    )
    [_, _, third, _] = scene.rows("evaluation")
    assert (third["triggered"], third["reported"], third["metrics"]) == (True, False, {"value": 90})
    assert {state.name for state in scene.states} == {"Measured"}


@pytest.mark.slow("postgres")
def test_no_event_opens_during_the_cooldown_unless_it_matters_more(play: Play) -> None:
    scene = play("cooldown")
    scene.run(0, 95)
    scene.run(1, 5)
    until = utc_near(scene.at(11), scene.at(2))
    assert scene.run(2, 95) == [f"suppressed: cooldown until {until}"]
    assert scene.run(3, 500)[0].startswith("opened:")
    assert scene.told() == [("opened", "sent"), ("opened", "sent")]
    assert [event["importance"] for event in scene.rows("alert_event")] == ["medium", "critical"]


@pytest.mark.slow("postgres")
def test_a_series_that_flaps_is_one_event_and_one_message_until_it_calms_down(play: Play) -> None:
    scene = play("flapping")
    scene.run(0, 5)
    scene.run(1, 95)
    scene.run(2, 5)
    [opened] = scene.run(3, 95)
    assert opened == "opened: the series flaps (17 % of its states changed)"
    assert [scene.run(minute, 5 if minute % 2 else 95)[0][:27] for minute in (4, 5, 6)] == [
        "continued: the series flaps"
    ] * 3
    assert scene.told() == [("opened", "sent"), ("flapping", "sent")]
    [_, flapping] = scene.rows("alert_event")
    assert flapping["resolved_at"] is None


@pytest.mark.slow("postgres")
def test_no_data_and_an_error_are_events_of_their_own_and_end_no_alert(play: Play) -> None:
    scene = play("unjudged")
    scene.run(0, readings={"A": 95, "B": 95})
    assert scene.run(1, readings={"A": "error", "B": "no_data"}) == [
        "opened: the series started to fire",
        "pending: 1 of 2 breaches",
    ]
    assert scene.run(2, broken="the feed is down") == ["opened: the series started to fire"]
    assert scene.run(3, readings={"A": 95, "B": "no_data"}) == [
        "continued: still firing",
        "opened: 2 breaches in a row",
    ]
    scene.run(4, readings={"A": 95, "B": 5})
    assert scene.events() == [
        ("alert", "A", None),
        ("alert", "B", "recovered"),
        ("error", "A", "recovered"),
        ("failure", "", "recovered"),
        ("no_data", "B", "recovered"),
    ]
    assert "the feed is down" in scene.rows("alert_event")[3]["message"]


@pytest.mark.slow("postgres")
def test_a_silence_that_starts_while_it_fires_holds_messages_back_until_it_ends(
    play: Play, slack: Slack
) -> None:
    scene = play("silenced")
    before = len(slack.received)
    scene.run(0, 95)
    now = datetime.now(UTC)
    silence = Silence(
        matchers=Matchers(rule="silen*"),
        starts_at=now - timedelta(minutes=1),
        ends_at=now + timedelta(hours=1),
        author="mira",
        comment="works",
    )
    made = silences.create(scene.engine, silence, now=now)
    [held] = scene.run(1, 500)
    assert held.startswith("escalated: medium became critical; not told: silenced by mira until")
    assert scene.told() == [("opened", "sent"), ("escalated-critical", "suppressed")]
    [event] = scene.rows("alert_event")
    assert event["suppressed"].startswith("silenced by mira")
    assert len(slack.received) == before + 1
    silences.expire(scene.engine, [made.id], by="mira", now=datetime.now(UTC))
    assert scene.run(2, 500) == ["continued: still firing"]
    assert scene.told()[-1] == ("escalated-critical", "sent")
    assert len(slack.received) == before + 2
    assert scene.rows("alert_event")[0]["suppressed"] is None


@pytest.mark.slow("postgres")
def test_what_comes_to_matter_more_asks_again_of_whoever_acknowledged_it(play: Play) -> None:
    scene = play("escalating")
    scene.run(0, 95)
    [event] = scene.rows("alert_event")
    acknowledge(scene.engine, [event["id"]], by="mira", now=datetime.now(UTC))
    assert scene.run(1, 96) == ["continued: still firing"]
    assert scene.rows("alert_event")[0]["is_acknowledged"]
    assert scene.run(2, 500) == ["escalated: medium became critical"]
    [event] = scene.rows("alert_event")
    assert (event["importance"], event["is_acknowledged"]) == ("critical", False)
    assert scene.told() == [("opened", "sent"), ("escalated-critical", "sent")]


@pytest.mark.slow("postgres")
def test_a_rule_that_fires_mutes_those_it_inhibits_and_releases_them(play: Play) -> None:
    gateway, shop = play("gateway"), play("shop")
    gateway.run(0, readings={"LON": 95})
    reasons = shop.run(1, readings={"LON": 95, "NYC": 95})
    assert reasons == [
        "opened: the series started to fire; not told: inhibited: gateway fires on LON",
        "opened: the series started to fire",
    ]
    assert sorted(shop.told()) == [("opened", "sent"), ("opened", "suppressed")]
    gateway.run(2, readings={"LON": 5})
    [message] = notify_unmuted(shop.engine, {shop.deployment.id: shop.rule}, datetime.now(UTC))
    assert message
    assert sorted(shop.told()) == [
        ("opened", "pending"),
        ("opened", "sent"),
        ("opened", "suppressed"),
    ]
    assert shop.run(3, readings={"LON": 96, "NYC": 95}) == ["continued: still firing"] * 2


@pytest.mark.slow("postgres")
def test_more_than_the_hour_allows_waits_for_its_turn(play: Play) -> None:
    scene = play("limited")
    scene.run(0, readings={"A": 95})
    again = utc_near(scene.at(60), scene.at(1))  # with the date where midnight is between
    [_, held] = scene.run(1, readings={"A": 95, "B": 95})
    assert f"not told: rate limit: 1 in an hour, the next one from {again}" in held
    assert scene.told() == [("opened", "sent"), ("opened", "suppressed")]
    scene.run(60, readings={"A": 95, "B": 95})
    assert scene.told()[-1] == ("opened", "sent")


@pytest.mark.slow("postgres")
def test_people_are_reminded_until_somebody_acknowledges(play: Play) -> None:
    scene = play("reminding")
    for minute in (0, 29, 30, 60):
        scene.run(minute, 95)
    assert scene.told() == [("opened", "sent"), ("reminder", "sent"), ("reminder", "sent")]
    [event] = scene.rows("alert_event")
    acknowledge(scene.engine, [event["id"]], by="mira", now=datetime.now(UTC))
    scene.run(90, 95)
    assert len(scene.told()) == 3


@pytest.fixture
def away(
    client: SyncPrefectClient, deployed: Path, tmp_path: Path, postgres_url: str
) -> Iterator[dict[str, tuple[DeploymentResponse, Engine]]]:
    """Two rules that are due every minute, one for each database, and nobody to run them."""
    urls = {"sqlite": f"sqlite:///{tmp_path / 'away.db'}", "postgres": postgres_url}
    with contextlib.ExitStack() as stack:
        found = {}
        for name, url in urls.items():
            engine = stack.enter_context(own_engine(url))
            migrate(url)
            rule = client.read_deployment_by_name(f"gauge/away-{name}")
            told = DeploymentUpdate(job_variables={"env": {"SENTINEL_DATABASE_URL": url}})
            client.update_deployment(rule.id, told)
            sync(engine, [rule_facts(rule, "gauge")], datetime.now(UTC))
            found[name] = rule, engine
        yield found


@pytest.mark.slow
def test_after_half_an_hour_without_a_worker_only_what_still_means_something_is_evaluated(
    server: PrefectServer,
    client: SyncPrefectClient,
    away: dict[str, tuple[DeploymentResponse, Engine]],
) -> None:
    # Early in a minute: in the next one the newest run would be out of date, too.
    wait_for(lambda: datetime.now(UTC).second < 15, what="the beginning of a minute")
    back = datetime.now(UTC).replace(second=0, microsecond=0)
    for deployment, _ in away.values():
        schedule(server, deployment, back - timedelta(minutes=29), back, runs=30)
    server.prefect("worker", "start", "--pool", AWAY, "--run-once", "--limit", "3", **BRISK)
    for deployment, engine in away.values():
        runs = runs_of(client, deployment.id, until=back)
        assert len(runs) == 30
        states = Counter(run.state_name for run in runs)
        assert states["Triggered"] >= 1, states
        # The last ten were not late enough; one at a time, most of the others are cancelled.
        assert states["Skipped"] >= 15
        assert states.keys() <= {"Skipped", "Triggered", "Cancelled"}
        reconcile(client, engine, Settings(), say=print, settle=timedelta(0))
        mine = {run.id for run in runs}
        known = [row for row in rows(engine, "evaluation") if row["prefect_flow_run_id"] in mine]
        kinds = Counter(row["kind"] for row in known)
        not_checked = states["Skipped"] + states["Cancelled"]
        assert kinds == {"skipped": not_checked, "alert": states["Triggered"]}
        codes = Counter(row["decision_code"] for row in known if row["kind"] == "skipped")
        assert codes == Counter(
            {"skipped": states["Skipped"], "skipped-under-way": states["Cancelled"]}
        )
        [event] = rows(engine, "alert_event", kind="alert", rule_name=deployment.name)
        assert event["first_seen"] == min(row["at"] for row in known if row["kind"] == "alert")
        # A run that is due while the worker is at it counts as well.
        counted = rows(engine, "evaluation", event_id=event["id"])
        assert event["occurrences"] == len(counted) >= states["Triggered"]
        assert len(rows(engine, "notification", event_id=event["id"])) == 1


def schedule(
    server: PrefectServer,
    deployment: DeploymentResponse,
    start: datetime,
    end: datetime,
    *,
    runs: int,
) -> None:
    """Let Prefect make the runs that the rule's schedule has in a span of the past."""
    span = {"start_time": start.isoformat(), "end_time": end.isoformat(), "min_runs": runs}
    url = f"{server.api_url}/deployments/{deployment.id}/schedule"
    httpx.post(url, json=span, timeout=60).raise_for_status()


BRISK = {"SENTINEL_WORKER_SPREAD_SECONDS": "0", "PREFECT_WORKER_QUERY_SECONDS": "1"}


def runs_of(client: SyncPrefectClient, deployment: UUID, until: datetime) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=until),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    )


@pytest.mark.slow("postgres")
def test_runs_that_were_skipped_are_no_evaluation_of_their_rule(
    server: PrefectServer,
    client: SyncPrefectClient,
    play: Play,
) -> None:
    scene = play("impatient")
    now = datetime.now(UTC)
    sync(scene.engine, [scene.rule], now)
    schedule(server, scene.deployment, now - timedelta(days=800), now, runs=2)
    made = runs_of(client, scene.deployment.id, until=now)
    scene.take(next(run for run in made if run.state_name in ("Scheduled", "Late")))
    assert scene.states[-1].name == "Skipped"
    [rule] = rows(scene.engine, "alert_rule", name="impatient")
    assert (rule["last_evaluated_at"], rule["last_prefect_state_name"]) == (None, "Skipped")
    [evaluation] = scene.rows("evaluation")
    assert (evaluation["kind"], evaluation["triggered"]) == ("skipped", False)
    assert evaluation["message"].startswith("Not checked: the run started ")
    assert rows(scene.engine, "alert_event") == []


WRONG = {
    "policy.breeches": ("policy: {breeches: 2}", "did you mean breaches?"),
    "policy.flapping.start_percent": ("policy: {flapping: {start_percent: 200}}", "100"),
    "policy": ("policy: {breaches: 4, of_last: 3}", "4 breaches of the last 3 can't be"),
    "policy.on_error": ("policy: {on_error: ignore}", "'event', 'keep' or 'ok'"),
    "conditions[0].agregate": ("conditions: [{op: gt, value: 1, agregate: avg}]", "aggregate?"),
    "conditions[0].any[1].all[0].op": (
        "conditions: [{any: [{op: gt, value: 1}, {all: [{op: is, value: 1}]}]}]",
        "'gt'",
    ),
    "conditions[0].op": ("conditions: [{op: above, value: 1}]", "'gt'"),
    "conditions[0]": ("conditions: [{op: gt, value: 1, clear: 5}]", "what has just been raised"),
    "conditions[0].value": ("conditions: [{op: gt}]", "missing"),
    "inhibits[0].rule": ("inhibits: [{same_ticker: false}]", "missing"),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_setting_is_refused_by_name(
    field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, words = WRONG[field]
    file = tmp_path / "prefect.yaml"
    file.write_text(
        f"{RULES}  - {{<<: *rule, name: wrong, parameters: {{check: {{}}, {written}}}}}\n"
    )
    with pytest.raises(SystemExit):
        main(["rules", "check", str(file), "--json"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    about = [p for p in problems if p["deployment"] == "wrong"]
    assert [p["field"] for p in about] == [f"parameters.{field}"], about
    assert words in about[0]["message"]
