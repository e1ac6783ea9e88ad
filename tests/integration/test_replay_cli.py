"""`sentinel rules replay` and the gate of `sentinel rules deploy`, as a user runs them."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect_slack.credentials import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.recording import record
from sentinel_core.store.state.rules import sync
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import BIN, ROOT
from tests.support.recorded import a_run

Capture = pytest.CaptureFixture[str]
POOL = "replay-cli"
SET_FOLDER = "prefect.deployments.steps.set_working_directory"
CHECK = {"path": "/", "threshold": 90}
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOURS = 24
FULL = {3, 15, 16, 17}  # the hours in which the disk was full
ROUTES = {"high": ["slack-incoming-webhook/ops"]}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Desk:
    """A user's rule file and event store, and the commands they type."""

    def __init__(self, folder: Path, capture: Capture, url: str) -> None:
        self.folder = folder
        self.capture = capture
        self.url = url
        self.file = folder / "prefect.yaml"
        self.name = f"disk-{uuid.uuid4().hex[:6]}"

    def engine(self) -> Engine:
        engine = open_engine(self.url)
        ensure_schema(engine)
        return engine

    def write(self, check: dict[str, Any] | None = None, **settings: Any) -> None:
        """The rule in the file, with these settings."""
        rule = {
            "name": self.name,
            "entrypoint": "flows/system.py:disk_usage",
            "work_pool": {"name": POOL},
            "schedules": [{"cron": "0 * * * *", "timezone": "UTC"}],
            "parameters": {"check": check or CHECK, "importance": "high", **settings},
            "pull": [{SET_FOLDER: {"directory": str(self.folder)}}],
        }
        self.file.write_text(yaml.safe_dump({"deployments": [rule]}), "utf-8")

    def remember(self, **settings: Any) -> None:
        """A day of recorded runs of the rule, one an hour, decided with these settings."""
        parameters = {"check": CHECK, "importance": "high", **settings}
        rule = Rule(
            uuid.uuid4(),
            self.name,
            "disk-usage",
            RuleSettings.model_validate(parameters),
            parameters=parameters,
        )
        engine = self.engine()
        sync(engine, [rule], NOW)
        for hour in range(HOURS):
            run = a_run(NOW - timedelta(hours=HOURS - hour))
            used = 95.0 if hour in FULL else 60.0
            output = AlertOutput(
                triggered=hour in FULL,
                message=f"/ is {used:.0f} % full",
                metrics={"value": used},
                timestamp=run.expected_start,
            )
            seen = judge(run, rule.settings, [output])
            record(engine, rule, run, seen, now=run.state_at)
        engine.dispose()

    def sentinel(self, *words: str) -> Done:
        """Run a command in this process: the imports of a new one would take most of the time."""
        get_settings.cache_clear()
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = self.capture.readouterr()
        assert "Traceback" not in err
        return Done(int(str(ended.value.code)), out, err)

    def replay(self, *words: str) -> Done:
        return self.sentinel("rules", "replay", self.name, "--with", str(self.file), *words)

    def deploy(self, *words: str) -> Done:
        return self.sentinel("rules", "deploy", str(self.file), *words)


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture, database_url: str, monkeypatch: Any) -> Iterator[Desk]:
    path = list(sys.path)
    monkeypatch.setenv("SENTINEL_DATABASE_URL", database_url)
    yield Desk(tmp_path, capsys, database_url)
    sys.path[:] = path  # loading a flow puts its folder there


# -- replaying -------------------------------------------------------------------------------


def test_both_timelines_and_their_difference_are_printed(desk: Desk) -> None:
    desk.remember(notify=ROUTES)
    desk.write(notify=ROUTES, policy={"breaches": 2})
    done = desk.replay()
    assert done.code == 0, done.err
    out = done.out
    assert "24 evaluations of 24 runs replayed" in out
    assert "as deployed: 2 events, 2 notifications" in out
    assert f"with {desk.file}: 1 event, 1 notification" in out
    assert "events 0 added, 1 removed, 1 changed; notifications 1 added, 2 removed" in out
    assert "slack-incoming-webhook/ops  2 -> 1 (-1)" in out
    assert "opened: 2 breaches in a row" in out
    assert "resolved: recovered" in out
    assert "the record differs" not in out


def test_the_same_rule_makes_no_difference_and_says_so(desk: Desk) -> None:
    desk.remember(notify=ROUTES)
    desk.write(notify=ROUTES)
    out = desk.replay().out
    assert "no difference: the same events, the same notifications" in out


def test_json_has_all_of_it(desk: Desk) -> None:
    desk.remember(notify=ROUTES)
    desk.write(notify=ROUTES, policy={"breaches": 2, "notify_resolved": True})
    done = desk.replay("--json", "--since", "2d")
    found = json.loads(done.out)
    assert found["evaluations"] == found["runs"] == 24
    assert found["unlike_record"]["count"] == 0
    assert [len(found[side]["events"]) for side in ("deployed", "wanted")] == [2, 1]
    [event] = found["wanted"]["events"]
    assert event["opened_at"] == (NOW - timedelta(hours=24 - 16)).isoformat()
    assert event["reason"] == "opened: 2 breaches in a row"
    reasons = [message["reason"] for message in found["wanted"]["messages"]]
    assert reasons == ["opened", "resolved"]
    channel = found["difference"]["channels"]["slack-incoming-webhook/ops"]
    assert (channel["deployed"], channel["wanted"], channel["more"]) == (2, 2, 0)
    assert found["difference"]["notifications"]["more"] == 0


def test_only_the_time_asked_for_is_replayed(desk: Desk) -> None:
    desk.remember(notify=ROUTES)
    desk.write(notify=ROUTES)
    times = [(NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M") for hours in (12, 6)]
    found = json.loads(desk.replay("--json", "--since", times[0], "--until", times[1]).out)
    assert found["evaluations"] == 6
    assert [len(found[side]["events"]) for side in ("deployed", "wanted")] == [1, 1]


def test_what_cannot_be_replayed_is_said(desk: Desk) -> None:
    desk.remember()
    policy = {"stale_seconds": 60}
    desk.write({"path": "/", "threshold": 50}, policy=policy, inhibits=["other-*"])
    out = desk.replay().out
    assert "note: `check` differs (threshold): nothing is measured again" in out
    assert "note: the policy for late runs differs" in out
    assert "note: `inhibits` differs" in out
    assert "no difference" in out, "a threshold within the check is not measured again"
    assert "nobody: no route for high" in out


def test_conditions_in_the_file_judge_what_was_measured(desk: Desk) -> None:
    desk.remember(notify=ROUTES)
    condition = {"metric": "value", "op": "gte", "value": 50}
    desk.write(notify=ROUTES, conditions=[condition])
    found = json.loads(desk.replay("--json").out)
    [event] = found["wanted"]["events"]
    assert event["occurrences"] == 24
    assert event["message"] == "/ is 60 % full (value 60 ≥ 50)"


def test_a_record_that_this_version_would_not_make_is_named(desk: Desk) -> None:
    desk.remember(policy={"breaches": 2})
    settings = {"check": CHECK, "importance": "high"}
    rule = Rule(
        uuid.uuid4(),
        desk.name,
        "disk-usage",
        RuleSettings.model_validate(settings),
        parameters=settings,
    )
    engine = desk.engine()
    sync(engine, [rule], NOW)  # as after a deployment with other settings
    engine.dispose()
    desk.write()
    out = desk.replay().out
    assert "the record differs from what this version would decide: 4 of 24 evaluations" in out
    assert "quiet: pending: 1 of 2 breaches / now open: opened: the series started to fire" in out


def test_the_command_works_as_a_program_of_its_own(desk: Desk) -> None:
    desk.remember()
    desk.write()
    done = subprocess.run(
        [str(BIN / "sentinel"), "rules", "replay", desk.name, "--with", str(desk.file)],
        cwd=ROOT,
        env={**os.environ, "SENTINEL_DATABASE_URL": desk.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "24 evaluations of 24 runs replayed" in done.stdout


# -- what can't be replayed ------------------------------------------------------------------


def test_a_rule_that_the_file_does_not_have_is_named_with_the_nearest(desk: Desk) -> None:
    desk.remember()
    desk.write()
    done = desk.sentinel("rules", "replay", f"{desk.name}x", "--with", str(desk.file))
    assert done.code == 1
    assert f"has no rule '{desk.name}x'; did you mean {desk.name}?" in done.err


def test_a_rule_that_the_store_never_saw_is_named(desk: Desk) -> None:
    desk.engine().dispose()
    desk.write()
    done = desk.replay()
    assert done.code == 1
    assert f"the event store has no rule {desk.name}" in done.err


def test_a_rule_of_another_flow_under_the_same_name_is_not_compared(desk: Desk) -> None:
    desk.remember()
    desk.write()
    text = desk.file.read_text("utf-8").replace(":disk_usage", ":memory_usage")
    desk.file.write_text(text.replace("path: /\n", ""), "utf-8")
    done = desk.replay()
    assert done.code == 1
    assert "is of disk-usage: another check" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is not a time"),
        (["--since", "2026-13-40"], "--since '2026-13-40' is not a time"),
        (["--until", "soon"], "--until 'soon' is not a time"),
        (["--since", "1h", "--until", "2h"], "is not before --until"),
        (["--until", "30d", "--since", "60d"], "there is nothing to replay"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    desk: Desk, words: list[str], told: str
) -> None:
    desk.remember()
    desk.write()
    done = desk.replay(*words)
    assert done.code == 1
    assert told in done.err
    assert done.out == ""


def test_a_rule_file_that_is_not_there_is_named(desk: Desk) -> None:
    desk.remember()
    done = desk.replay()
    assert done.code == 1
    assert f"{desk.file} can't be read" in done.err


def test_a_store_that_is_not_there_is_not_made(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "none" / "absent.db"
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{absent}")
    desk.write()
    done = desk.replay()
    assert done.code == 1
    assert "there is no event store" in done.err
    assert not absent.exists()


def test_a_store_that_is_away_is_said_to_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    desk.write()
    done = desk.replay()
    assert done.code == 1
    assert "can't be used" in done.err


# -- the gate --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """This process as a user's shell: its environment names the server."""
    environment = dict(os.environ)
    os.environ.update(server.env)
    with client_of(server) as connected:
        make_pool(connected, POOL)
        yield connected
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def gate(
    client: SyncPrefectClient, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk whose rule is deployed on the shared server, over an SQLite store."""
    url = f"sqlite:///{tmp_path / 'gate.db'}"
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    made = Desk(tmp_path, capsys, url)
    made.write()
    made.remember()
    assert made.deploy().code == 0
    yield made
    for item in client.read_deployments(limit=200):
        if item.name == made.name:
            client.delete_deployment(item.id)


def deployed(client: SyncPrefectClient, desk: Desk) -> dict[str, Any]:
    found = client.read_deployment_by_name(f"disk-usage/{desk.name}").parameters
    assert isinstance(found, dict)
    return found


@pytest.fixture
def channel(client: SyncPrefectClient) -> str:
    """A notification block, so that the file's routes check."""
    url = SecretStr("https://127.0.0.1:9/nobody-is-told-in-a-replay")
    SlackWebhook(url=url).save("replay-ops", overwrite=True, _sync=True)  # type: ignore[call-arg]
    return "slack-incoming-webhook/replay-ops"


def test_a_change_of_settings_is_replayed_before_it_is_deployed(
    gate: Desk, client: SyncPrefectClient
) -> None:
    gate.write(policy={"breaches": 2})
    done = gate.deploy()
    assert done.code == 0, done.err
    assert f"{gate.name}: 24 evaluations of 24 runs replayed" in done.out
    assert "events 0 added, 1 removed, 1 changed" in done.out
    assert done.out.index("replayed") < done.out.index(f"{gate.name}: updated")
    assert deployed(client, gate)["policy"] == {"breaches": 2}


@pytest.mark.slow
def test_a_rule_whose_check_alone_changes_is_not_replayed(gate: Desk) -> None:
    gate.write({"path": "/", "threshold": 80})
    done = gate.deploy()
    assert done.code == 0, done.err
    assert "replayed" not in done.out


@pytest.mark.slow
def test_more_notifications_than_the_budget_allows_are_not_deployed(
    gate: Desk, client: SyncPrefectClient, channel: str
) -> None:
    gate.write(notify={"high": [channel]})
    for budget, code in (("1", 1), ("2", 0)):
        done = gate.deploy("--budget", budget)
        assert done.code == code, done.err
        assert f"{channel}  0 -> 2 (+2)" in done.out
        assert ("notify" in deployed(client, gate)) is (code == 0)
        if code:
            assert "2 more notifications than before over the look-back" in done.err
            assert "the budget is 1: nothing was deployed" in done.err


@pytest.mark.slow
def test_a_dry_run_passes_the_gate_too(gate: Desk, channel: str) -> None:
    gate.write(notify={"high": [channel]})
    assert gate.deploy("--dry-run", "--budget", "0").code == 1
    done = gate.deploy("--dry-run", "--budget", "5")
    assert done.code == 0
    assert "nothing was changed" in done.out


@pytest.mark.slow
def test_the_look_back_is_as_long_as_asked_for(gate: Desk, channel: str) -> None:
    gate.write(notify={"high": [channel]})
    minutes = 570 + int((datetime.now(UTC) - NOW).total_seconds() / 60)  # the runs end at NOW
    done = gate.deploy("--dry-run", "--since", f"{minutes}m", "--budget", "1")
    assert "9 evaluations of 9 runs replayed" in done.out
    assert done.code == 0, done.err


def test_a_failing_rule_test_keeps_the_file_from_being_deployed(
    gate: Desk, client: SyncPrefectClient
) -> None:
    folder = gate.folder / "tests" / "rules"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("tests: 3\n", "utf-8")
    gate.write(policy={"breaches": 2})
    done = gate.deploy()
    assert done.code == 1
    assert "rule test fails: nothing was deployed" in done.err
    assert "policy" not in deployed(client, gate)
    done = gate.deploy("--no-gate")
    assert done.code == 0, done.err
    assert "without a gate (--no-gate): no rule tests were run, nothing was replayed" in done.out
    assert deployed(client, gate)["policy"] == {"breaches": 2}


@pytest.mark.slow
def test_without_a_store_the_rule_is_deployed_and_with_a_budget_it_is_not(
    gate: Desk, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    gate.write(policy={"breaches": 2})
    done = gate.deploy("--budget", "100")
    assert done.code == 1
    assert "nobody knows if it keeps within the budget: nothing was deployed" in done.err
    assert "policy" not in deployed(client, gate)
    done = gate.deploy()
    assert done.code == 0, done.err
    assert f"not replayed: {gate.name}: the event store" in done.out
    assert deployed(client, gate)["policy"] == {"breaches": 2}


@pytest.mark.slow
def test_a_look_back_without_a_record_is_no_ground_for_a_budget(gate: Desk) -> None:
    gate.write(policy={"breaches": 2})
    done = gate.deploy("--dry-run", "--since", "5s", "--budget", "100")
    assert done.code == 1
    assert f"not replayed: {gate.name}: nothing of {gate.name} was recorded" in done.out


@pytest.mark.slow
def test_a_budget_without_the_gate_makes_no_sense(gate: Desk) -> None:
    done = gate.deploy("--no-gate", "--budget", "3")
    assert done.code == 1
    assert "--budget needs the gate" in done.err


@pytest.mark.slow
def test_a_look_back_that_is_none_is_refused_before_anything_is_deployed(gate: Desk) -> None:
    gate.write(policy={"breaches": 2})
    done = gate.deploy("--since", "a week")
    assert done.code == 1
    assert "--since 'a week' is not a time" in done.err
    assert done.out == ""
