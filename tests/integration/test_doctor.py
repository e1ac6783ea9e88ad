"""`sentinel doctor` over a whole installation of which one part after the other is broken."""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolUpdate
from prefect_slack import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine, insert, update

from sentinel_core.base.settings import get_settings
from sentinel_core.health import everything
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.tables import CHECKPOINT, HOST, NOTIFICATION, RULE
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint, sync
from sentinel_core.store.state.watched import register, rule_of
from tests.support.command import Command
from tests.support.deployed import deploy, rule_yaml
from tests.support.faulty_prefect import FaultyPrefect, faulty_prefect
from tests.support.health import DISK, House
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import wait_for
from tests.support.recorded import NOON, a_rule, fire
from tests.support.shared import Shared
from tests.support.stores import migrate

POOL = "doctor"
NOBODY = "http://127.0.0.1:9/api"


@pytest.fixture(scope="module")
def own_server(shared: Shared) -> PrefectServer:
    """A server of its own: everything that is deployed on it is looked at."""
    return shared.prefect("doctor")


@pytest.fixture(scope="module")
def client(own_server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(own_server) as connected:
        yield connected


@pytest.fixture(scope="module")
def worker(own_server: PrefectServer, client: SyncPrefectClient) -> Iterator[None]:
    """A worker for the pool, known to Prefect."""
    with prefect_worker(own_server, POOL):
        wait_for(lambda: client.read_workers_for_work_pool(POOL), what="the worker")
        yield


@pytest.fixture
def home(
    client: SyncPrefectClient,
    own_server: PrefectServer,
    worker: None,
    store: Engine,
    tmp_path: Path,
) -> House:
    env = {"PREFECT_API_URL": own_server.api_url, "PREFECT_HOME": own_server.env["PREFECT_HOME"]}
    sentinel = Command(store.url.render_as_string(), tmp_path, env)
    made = House(client, sentinel, POOL, "disk-of-doctor", tmp_path / "prefect.yaml")
    made.mend()
    set_checkpoint(store, RECONCILE, datetime.now(UTC))
    return made


@pytest.fixture
def proxy(own_server: PrefectServer) -> Iterator[FaultyPrefect]:
    with faulty_prefect(own_server.api_url) as running:
        yield running


def test_of_a_whole_installation_everything_is_ok(home: House) -> None:
    looked = home.look("--sources")
    assert (looked.code, looked.bad()) == (0, [])
    assert looked.of("prefect", "clock")["state"] == "ok"
    assert looked.of("work pools", POOL)["data"]["online"]
    assert looked.of("store", "size")["data"]["bytes"] > 0
    assert looked.of("sources", home.rule)["data"]["series"] == 1
    assert looked.of("settings", "SENTINEL_NOTIFY_LEASE_SECONDS")["data"] == {
        "value": "120.0",
        "source": "default",
    }
    assert looked.of("settings", "PREFECT_API_URL")["data"]["source"] == "environment"


def test_the_status_of_a_whole_installation_and_of_one_whose_prefect_is_away(
    home: House, store: Engine
) -> None:
    with writing(store) as connection:
        sample = {"at": datetime.now(UTC), "cpu": 1.0, "memory": 1.0, "disk": 1.0}
        connection.execute(insert(HOST), [{"host": f"w-{n:02}", **sample} for n in range(53)])
    done = home.run("status", "--json")
    answer = json.loads(done.stdout)
    bad = [one for one in answer["components"] if one["state"] != "ok"]
    assert (done.returncode, answer["state"], answer["score"], bad) == (0, "ok", 100, [])
    assert sum(part["points"] for part in answer["parts"]) == 100
    assert (len(answer["hosts"]), answer["host_count"]) == (50, 53)
    assert home.run("status").stdout.splitlines()[-1] == "50 of 53 hosts are listed"
    away = home.run("status", "--component", "prefect", PREFECT_API_URL=NOBODY)
    assert (away.returncode, away.stdout.split(",")[0]) == (4, "prefect: down")
    assert "there is no component" in home.sentinel.refused("status", "--component", "x")


@pytest.mark.slow
def test_for_programs_each_finding_is_one_line(home: House) -> None:
    found = len([one for one in home.look().findings if one["data"].get("source") != "default"])
    lines = home.sentinel("doctor", "--file", str(home.file)).splitlines()
    assert len(lines) == found + 2  # the header, and the counts
    assert lines[0].split() == ["component", "state", "name", "finding"]
    assert lines[-1] == f"{found} ok"
    every = home.sentinel("doctor", "--all", "--file", str(home.file)).splitlines()
    assert len(every) > len(lines)


# -- Prefect's API


@pytest.mark.parametrize(
    ("url", "words"),
    [(NOBODY, "does not answer at http://127.0.0.1:9/api"), ("", "PREFECT_API_URL is not set")],
)
def test_without_prefect_the_rest_is_not_checked_and_the_store_is(
    home: House, url: str, words: str
) -> None:
    looked = home.look(PREFECT_API_URL=url)
    assert looked.of("prefect")["state"] == "down"
    assert words in looked.of("prefect")["sentence"]
    for component in ("work pools", "channels"):
        assert looked.of(component)["state"] == "unknown"
    assert looked.of("store", "database")["state"] == "ok"
    assert looked.of("store", "identity")["state"] == "unknown"


def test_a_server_that_never_answers_keeps_nobody_waiting(home: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        looked = home.look("--seconds", "1", PREFECT_API_URL=url)
    assert looked.of("prefect")["state"] == "unknown"
    assert "no answer within 1 s" in looked.of("prefect")["sentence"]
    assert looked.of("settings", "PREFECT_API_URL")["state"] == "ok"


@pytest.mark.slow
def test_another_web_server_is_no_prefect(home: House) -> None:
    with other_server() as url:
        finding = home.look(PREFECT_API_URL=url).of("prefect")
    assert finding["state"] == "down"
    assert "is no Prefect API" in finding["sentence"]


@pytest.mark.slow
def test_a_server_that_reports_errors_is_named(home: House, proxy: FaultyPrefect) -> None:
    proxy.fails = "/deployments/filter"
    looked = home.look(PREFECT_API_URL=proxy.api_url)
    assert looked.of("prefect", "API")["state"] == "ok"
    assert "reports an error" in looked.of("work pools")["sentence"]


@pytest.mark.slow("3600")
@pytest.mark.parametrize(("seconds", "words"), [(-90, "behind"), (3600, "ahead of")])
def test_a_clock_that_differs(
    home: House, proxy: FaultyPrefect, seconds: float, words: str
) -> None:
    proxy.ahead_seconds = seconds
    looked = home.look(PREFECT_API_URL=proxy.api_url)
    finding = looked.of("prefect", "clock")
    assert (looked.code, finding["state"]) == (0, "degraded")
    assert words in finding["sentence"]
    assert abs(finding["data"]["skew_seconds"] - seconds) < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "words"),
    [("3.7.0", "server 3.7.0: Sentinel is tested with"), ("nonsense", "server nonsense")],
)
def test_a_server_of_another_release(
    home: House, proxy: FaultyPrefect, version: str, words: str
) -> None:
    proxy.answers["/admin/version"] = json.dumps(version).encode()
    finding = home.look(PREFECT_API_URL=proxy.api_url).of("prefect", "version")
    assert finding["state"] == "degraded"
    assert words in finding["sentence"]


# -- work pools


def test_a_pool_without_a_worker_is_down(home: House, client: SyncPrefectClient) -> None:
    pool = f"empty-{uuid.uuid4().hex[:6]}"
    deploy(client, rule_yaml(f"unheard-{pool}", DISK, {"path": "/", "threshold": 90}, pool=pool))
    looked = home.look()
    assert looked.bad() == [("work pools", pool, "down")]
    assert looked.of("work pools", pool)["advice"] == f"prefect worker start --pool {pool}"


def test_a_paused_pool_is_down(home: House, client: SyncPrefectClient) -> None:
    client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
    try:
        looked = home.look()
    finally:
        client.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))
    # Prefect calls its queues paused as well.
    assert ("work pools", POOL, "down") in looked.bad()
    assert f"prefect work-pool resume {POOL}" in str(looked.findings)


@pytest.mark.slow
def test_a_paused_queue_is_down(home: House, client: SyncPrefectClient) -> None:
    queue = f"urgent-{uuid.uuid4().hex[:6]}"
    client.create_work_queue(queue, is_paused=True, work_pool_name=POOL)
    rule = client.read_deployment_by_name(f"disk-usage/{home.rule}")
    client.update_deployment(rule.id, DeploymentUpdate(work_queue_name=queue))
    looked = home.look()
    client.delete_deployment(rule.id)
    assert looked.bad() == [("work pools", f"{POOL}/{queue}", "down")]


@pytest.mark.slow
def test_a_pool_that_only_the_file_names_may_be_missing(home: House) -> None:
    home.write(work_pool={"name": "nowhere"})
    finding = home.look().of("work pools", "nowhere")
    assert finding["state"] == "down"
    assert finding["advice"] == "prefect work-pool create nowhere --type sentinel"


# -- the store


def test_a_store_that_does_not_exist(home: House, tmp_path: Path) -> None:
    looked = home.look(SENTINEL_DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    finding = looked.of("store")
    assert (finding["name"], finding["state"]) == ("database", "down")
    assert "sentinel db upgrade" in finding["advice"]
    assert not (tmp_path / "none.db").exists()
    record = looked.of("housekeeping", "record")
    assert (record["state"], record["advice"]) == ("unknown", "see what is said about the store")


@pytest.mark.slow
def test_a_database_server_that_is_away(home: House) -> None:
    looked = home.look(SENTINEL_DATABASE_URL="postgresql://ana:geheim@127.0.0.1:9/sentinel")
    assert looked.of("store", "database")["state"] == "down"
    assert "geheim" not in json.dumps(looked.findings)


def test_a_store_of_another_identity_and_one_that_is_gone(home: House, tmp_path: Path) -> None:
    home.sentinel("db", "adopt", "--yes")
    assert home.look().of("store", "identity")["state"] == "ok"
    other = f"sqlite:///{tmp_path / 'other.db'}"
    migrate(other)
    engine = open_engine(other)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE store_identity SET id = '{uuid.uuid4().hex}'")
    engine.dispose()
    foreign = home.look(SENTINEL_DATABASE_URL=other).of("store", "identity")
    assert foreign["state"] == "down"
    assert "not the one that is registered" in foreign["sentence"]
    gone = home.look(SENTINEL_DATABASE_URL=f"sqlite:///{tmp_path / 'gone.db'}").of("store")
    assert "one is registered in Prefect" in gone["sentence"]


@pytest.mark.parametrize(
    ("revision", "advice"), [("0005", "sentinel db upgrade"), ("9999", "upgrade Sentinel here")]
)
def test_a_store_of_another_revision(
    home: House, store: Engine, revision: str, advice: str
) -> None:
    with writing(store) as connection:
        connection.exec_driver_sql(f"UPDATE sentinel_version SET version_num = '{revision}'")
    finding = home.look().of("store")
    assert (finding["name"], finding["state"]) == ("database", "down")
    assert advice in finding["sentence"]


# -- Sentinel's own flows


@pytest.mark.parametrize(
    ("flow", "state"),
    [("reconcile", "down"), ("retention", "degraded"), ("daily-report", "ok")],
)
def test_a_flow_that_is_not_deployed(
    home: House, client: SyncPrefectClient, flow: str, state: str
) -> None:
    client.delete_deployment(home.id_of(flow))
    finding = home.look().of("housekeeping", flow)
    assert finding["state"] == state
    assert "not deployed" in finding["sentence"]


def test_a_flow_that_is_paused_or_whose_schedule_is(home: House, client: SyncPrefectClient) -> None:
    client.pause_deployment(home.id_of("reconcile"))
    deliver = client.read_deployment(home.id_of("deliver"))
    [schedule] = deliver.schedules
    client.update_deployment_schedule(deliver.id, schedule.id, active=False)
    looked = home.look()
    for flow in ("reconcile", "deliver"):
        finding = looked.of("housekeeping", flow)
        assert finding["state"] == "down"
        assert finding["sentence"].startswith("paused")


@pytest.mark.slow
def test_a_flow_that_fails_once_and_then_again_and_again(home: House) -> None:
    home.ran("reconcile", "the disk is full")
    once = home.look().of("housekeeping", "reconcile")
    assert once["state"] == "degraded"
    assert "the disk is full" in once["sentence"]
    home.ran("deliver", "a", "b", "c")
    assert home.look().of("housekeeping", "deliver")["state"] == "down"


def test_a_record_that_is_old_is_not_known_to_be_whole(home: House, store: Engine) -> None:
    old = datetime.now(UTC) - timedelta(hours=2)
    with writing(store) as connection:
        connection.execute(update(CHECKPOINT).values(at=old))
    finding = home.look().of("housekeeping", "record")
    assert finding["state"] == "down"
    assert "of the 120 minutes since then" in finding["sentence"]


@pytest.mark.slow
def test_a_rule_that_is_not_checked_on_time(home: House, store: Engine) -> None:
    sync(store, [a_rule("quotes", cron="* * * * *")], datetime.now(UTC) - timedelta(hours=1))
    looked = home.look()
    finding = looked.of("rules", "on time")
    assert (looked.code, finding["state"]) == (1, "down")
    assert list(finding["data"]["overdue"]) == ["quotes"]


# -- channels


def test_a_channel_that_does_not_exist(home: House) -> None:
    channel = "slack-incoming-webhook/no-such-block"
    home.notify(channel)
    finding = home.look().of("channels", channel)
    assert finding["state"] == "down"
    assert "sentinel channels setup" in finding["sentence"]
    assert finding["data"]["rules"] == [home.rule]


def test_a_channel_that_only_a_hook_names(home: House, store: Engine) -> None:
    channel = "slack-incoming-webhook/no-such-block"
    settings = RuleSettings.model_validate({"notify": {"high": [channel]}})
    watched = rule_of("nightly", None, "", settings)
    hook = Hook(kind=HookKind.FAILURE, ticker="nightly failure", settings=settings)
    register(store, watched, hook, NOON)
    looked = home.look()
    finding = looked.of("channels")
    # The hook may be gone from the code: nobody takes it off the record.
    assert (looked.code, finding["name"], finding["state"]) == (0, channel, "degraded")
    assert finding["data"]["rules"] == ["nightly: nightly failure"]
    now = datetime.now(UTC)
    fire(store, a_rule(notify={"high": [channel]}), now)
    failed = {"status": "failed", "settled_at": now, "attempts": 1, "last_error": "no block"}
    with writing(store) as connection:
        connection.execute(update(NOTIFICATION).values(**failed))
    looked = home.look()
    assert (looked.code, looked.of("channels")["state"]) == (1, "down")


def test_a_hook_that_names_a_rule_which_cannot_be_read_hides_no_channel(
    home: House, store: Engine
) -> None:
    sync(store, [a_rule("odd")], NOON)
    with writing(store) as connection:
        connection.execute(update(RULE).values(parameters={"notify": {"high": "no-slash"}}))
    channel = "slack-incoming-webhook/no-such-block"
    settings = RuleSettings.model_validate({"notify": {"high": [channel]}})
    hook = Hook(kind=HookKind.FAILURE, ticker="failure", rule="odd", settings=settings)
    register(store, rule_of("nightly", None, "", settings), hook, NOON)
    assert home.look().of("channels")["name"] == channel


def test_a_channel_that_exists_and_one_that_fails(
    home: House, own_server: PrefectServer, store: Engine
) -> None:
    name = f"doctor-{uuid.uuid4().hex[:6]}"
    channel = f"slack-incoming-webhook/{name}"
    SlackWebhook(url=SecretStr("http://127.0.0.1:9/services/T0/B0/geheim")).save(name, _sync=True)
    home.notify(channel)
    fine = home.look().of("channels", channel)
    assert (fine["state"], fine["sentence"]) == ("ok", "the block loads, nothing sent yet")
    fire(store, a_rule(notify={"high": [channel]}), NOON)
    with writing(store) as connection:
        connection.execute(
            update(NOTIFICATION).values(
                status="failed", settled_at=NOON, attempts=1, last_error="404 no_team"
            )
        )
    failing = home.look().of("channels", channel)
    assert failing["state"] == "down"
    assert "404 no_team" in failing["sentence"]
    assert failing["advice"].endswith(f"sentinel channels retry {channel}")


# -- sources, settings, the file


@pytest.mark.slow
def test_a_source_that_fails_and_one_that_hangs(home: House) -> None:
    home.write(parameters={"check": {"path": "/no/such/place", "threshold": 90}})
    failing = home.look("--sources").of("sources", home.rule)
    assert failing["state"] == "down"
    assert failing["advice"] == f"sentinel rules test {home.rule}"
    script = home.file.with_name("slow.py")
    script.write_text("import time; time.sleep(5)", "utf-8")
    home.write(entrypoint="flows/custom.py:script", parameters={"check": {"path": str(script)}})
    hanging = home.look("--sources", "--seconds", "2").of("sources", home.rule)
    assert hanging["state"] == "unknown"


@pytest.mark.parametrize(
    "paused", [{"paused": True}, {"schedules": [{"cron": "0 0 * * *", "active": False}]}]
)
def test_a_source_of_a_paused_rule_is_not_asked(home: House, paused: dict[str, object]) -> None:
    home.write(parameters={"check": {"path": "/no/such/place", "threshold": 90}}, **paused)
    looked = home.look("--sources")
    assert (looked.code, looked.of("sources")["state"]) == (1, "unknown")
    assert "nothing was run" in looked.of("sources")["sentence"]


def test_measuring_sources_changes_nothing_about_the_settings(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", home.sentinel.env["PREFECT_API_URL"])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SENTINEL_DATABASE_URL")
    get_settings.cache_clear()
    found = everything.look(home.file, 10, with_sources=True)
    assert os.environ["SENTINEL_DATABASE_URL"]  # set for the rules that were measured
    [finding] = [one for one in found if one.name == "SENTINEL_DATABASE_URL"]
    assert finding.data["source"] == "default"


def test_settings_that_are_wrong(home: House) -> None:
    looked = home.look(SENTINEL_NOTIFY_TIMEOUT_SECONDS="soon")
    finding = looked.of("settings", "SENTINEL_NOTIFY_TIMEOUT_SECONDS")
    assert (looked.code, finding["state"]) == (1, "down")
    assert looked.of("prefect", "API")["state"] == "ok"


@pytest.mark.slow
def test_a_setting_with_a_misspelled_name(home: House) -> None:
    looked = home.look(SENTINEL_RETENTION_EVNT_DAYS="7", SENTINEL_SLACK_INFO_URL="https://x")
    finding = looked.of("settings", "SENTINEL_RETENTION_EVNT_DAYS")
    assert "did you mean SENTINEL_RETENTION_EVENT_DAYS?" in finding["sentence"]
    assert (looked.code, finding["state"]) == (0, "degraded")
    assert "SENTINEL_SLACK_INFO_URL" not in {one["name"] for one in looked.findings}


@pytest.mark.slow
def test_passwords_are_in_no_finding(home: House) -> None:
    looked = home.look("--all", SENTINEL_VIEWER_URL="https://ana:geheim@blotter.example.org/")
    assert "geheim" not in json.dumps(looked.findings)


@pytest.mark.parametrize("port", ["", "9"])
def test_the_password_in_the_address_of_prefect_is_in_no_finding(home: House, port: str) -> None:
    url = httpx.URL(home.sentinel.env["PREFECT_API_URL"])
    looked = home.look(PREFECT_API_URL=f"http://ana:geheim@{url.host}:{port or url.port}/api")
    assert looked.of("prefect", "API")["state"] == ("down" if port else "ok")
    assert "geheim" not in json.dumps(looked.findings)


def test_the_tail_of_an_unescaped_database_password_is_in_no_finding(home: House) -> None:
    looked = home.look(SENTINEL_DATABASE_URL="postgresql://u:TOP@SEC/RET2@127.0.0.1:9/x")
    assert looked.of("store", "database")["state"] == "down"
    assert not any(
        part in json.dumps(looked.findings) for part in ("u:TOP", "SEC/", "RET2", "'SEC")
    )


@pytest.mark.slow
def test_a_file_that_is_not_deployed_or_not_readable(home: House) -> None:
    home.write(name="new-rule")
    finding = home.look().of("rules", "file")
    assert (finding["state"], finding["data"]["not_deployed"]) == ("degraded", ["new-rule"])
    home.write(work_pool={"name": "p\x1b[2J"})
    assert home.look().of("work pools", "p\x1b[2J")["state"] == "down"
    assert "\x1b" not in home.sentinel("doctor", "--file", str(home.file), code=1)
    home.file.write_text("deployments: [", "utf-8")
    looked = home.look()
    assert looked.of("rules", "file")["state"] == "down"
    components = [one["component"] for one in looked.findings]
    assert components.index("housekeeping") > len(components) - components[::-1].index("rules") - 1
    home.file.unlink()
    assert "there is no rule file" in home.sentinel.refused("doctor", "--file", str(home.file))
    assert home.sentinel.run("doctor", "--seconds", "0").returncode == 2


def test_deployments_of_other_flows_in_the_file_are_compared_as_well(
    home: House, client: SyncPrefectClient
) -> None:
    own = {"name": "orders-nightly", "entrypoint": "flows/orders.py:orders"}
    [rule] = yaml.safe_load(home.file.read_text("utf-8"))["deployments"]
    home.file.write_text(yaml.safe_dump({"deployments": [rule, own]}), "utf-8")
    assert home.look().of("rules", "file")["data"]["not_deployed"] == ["orders-nightly"]
    flow = client.create_flow_from_name("orders")
    client.create_deployment(flow, "orders-nightly")
    looked = home.look()
    assert (looked.code, looked.bad()) == (0, [])


@contextlib.contextmanager
def other_server() -> Iterator[str]:
    """A web server that knows nothing of Prefect."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
