"""The main job: a rule in a file becomes an event that somebody acknowledges in the browser."""

import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import expect
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from sqlalchemy import Engine

from tests.support.blotter import chromium
from tests.support.deployed import rows
from tests.support.prefect import PrefectServer, clean_environment, client_of
from tests.support.processes import BIN, ROOT, answers, free_port, wait_for
from tests.support.slack import Slack, slack_endpoint
from tests.support.stores import variable_for
from tests.support.up import rule_file, sentinel_up

A_RUN = re.compile(r"^http://127\.0\.0\.1:\d+/runs/flow-run/[0-9a-f-]{36}$")
SCHEDULE = "SELECT at, prefect_flow_run_id AS run FROM evaluation ORDER BY at"


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_endpoint() as endpoint:
        yield endpoint


def disk_rule(name: str, **parameters: object) -> dict[str, object]:
    return {
        "name": name,
        "entrypoint": "flows/system.py:disk_usage",
        "work_pool": {"name": f"pool-{name}"},
        "schedules": [{"cron": "* * * * *", "timezone": "UTC"}],
        "parameters": {"check": {"path": "/", "threshold": 0}, **parameters},
    }


def save_webhook(server: PrefectServer, name: str, url: str) -> None:
    """A prefect-slack webhook block, as docs/notifications.md makes it."""
    code = (
        "import os; from prefect_slack import SlackWebhook; "
        f"SlackWebhook(url=os.environ['SLACK_WEBHOOK_URL']).save({name!r}, overwrite=True)"
    )
    server.prefect("block", "register", "-m", "prefect_slack")
    server.run("python", "-c", code, SLACK_WEBHOOK_URL=url)


@pytest.mark.slow("scheduled")
@pytest.mark.parametrize("second", ["asked for", "scheduled"])
def test_a_scheduled_rule_fires_is_sent_once_and_is_acknowledged_in_the_browser(
    server: PrefectServer, slack: Slack, tmp_path: Path, second: str
) -> None:
    save_webhook(server, "desk", slack.url)
    rule = disk_rule(
        "main-job", importance="critical", notify={"critical": ["slack-incoming-webhook/desk"]}
    )
    file = rule_file(tmp_path, rule)
    # The cron schedule alone starts the first run, so this also shows that it can.
    port = free_port()
    up = sentinel_up(tmp_path, file, "--no-first-run", env=server.env, api_port=port)
    with up as system:
        assert f"http://127.0.0.1:{port}" in system.said()
        wait_for(lambda: slack.received, seconds=120, what="the message in Slack")
        events = "SELECT * FROM alert_event WHERE rule_name = 'main-job'"
        [event] = rows(system.store, events)
        _message_tells_the_event(slack.texts()[0], event, system.viewer, server.ui_url)
        listed = f"http://127.0.0.1:{port}/events?rule=main-job"
        wait_for(lambda: answers(listed), what="the API")
        assert [found["id"] for found in httpx.get(listed).json()["events"]] == [event["id"]]
        # A second run counts into the event and sends nothing.
        if second == "asked for":
            server.run("sentinel", "rules", "run", "main-job", "--file", str(file))
        wait_for(
            lambda: rows(system.store, events)[0]["occurrences"] >= 2,
            seconds=120,
            what="a second run",
        )
        _acknowledge_in_the_browser(system.viewer, int(str(event["id"])))
        [event] = rows(system.store, events)
        assert (event["is_acknowledged"], event["acknowledged_by"]) == (1, "ana")
        assert event["comment"] == "cleaning up"
        assert event["acknowledged_at"]
        [audit] = rows(system.store, "SELECT * FROM audit_entry")
        assert (audit["actor"], audit["event_id"]) == ("ana", event["id"])
        assert len(slack.received) == 1
        [sent] = rows(system.store, "SELECT status, attempts FROM notification")
        assert (sent["status"], sent["attempts"]) == ("sent", 1)
        _scheduled_by_cron(server, system.store, runs=1 if second == "asked for" else None)


def _message_tells_the_event(
    text: str, event: dict[str, object], viewer: str, prefect_ui: str
) -> None:
    run = str(event["prefect_flow_run_id"])
    assert "*CRITICAL*" in text
    assert "main-job" in text
    assert "against threshold 0%" in text
    assert f"<{viewer}/?event={event['id']}|Open in the blotter>" in text
    assert f"<{prefect_ui}/runs/flow-run/{run[:8]}-{run[8:12]}-" in text


def _acknowledge_in_the_browser(viewer: str, event_id: int) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.goto(viewer)
        grid = page.get_by_test_id("stDataFrame").first
        expect(grid.get_by_test_id("glide-cell-3-0")).to_have_text("main-job")
        grid.click(position={"x": 16, "y": 36 + 14})
        expect(page.get_by_text("1 selected")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        dialog = page.get_by_role("dialog")
        listed = dialog.get_by_test_id("stDataFrame")
        expect(listed.get_by_test_id("glide-cell-0-0")).to_have_text(str(event_id))
        dialog.get_by_label("Comment").fill("cleaning up")
        dialog.get_by_role("button", name="Acknowledge").click()
        expect(dialog).to_be_hidden()
        page.goto(f"{viewer}/?event={event_id}")
        expect(page.get_by_text("cleaning up").first).to_be_visible()
        link = page.get_by_role("link", name="Flow run in Prefect")
        expect(link).to_have_attribute("href", A_RUN)


def _scheduled_by_cron(server: PrefectServer, store: Engine, runs: int | None) -> None:
    """The first `runs` of the rule (all of them for None) were made by the scheduler."""
    with client_of(server) as client:
        ran = rows(store, SCHEDULE)[:runs]
        assert all(str(row["at"]).endswith(":00.000000") for row in ran), ran
        found = client.read_deployment_by_name("disk-usage/main-job")
        mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[found.id]))
        automatic = {
            run.id.hex for run in client.read_flow_runs(flow_run_filter=mine) if run.auto_scheduled
        }
        assert ran
        assert {uuid.UUID(str(row["run"])).hex for row in ran} <= automatic


@pytest.mark.slow
def test_up_starts_a_server_of_its_own_and_leaves_nothing_behind(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    port = free_port()
    rule = disk_rule("own-server", importance="low")
    rule["schedules"] = [{"cron": "0 0 1 1 *", "timezone": "UTC"}]  # not due in the minute to come
    file = rule_file(tmp_path, rule)
    with sentinel_up(tmp_path, file, "--server-port", str(port), env=env) as system:
        assert answers(f"http://127.0.0.1:{port}/api/health")
        assert answers(system.viewer)
        wait_for(
            lambda: rows(system.store, "SELECT id FROM alert_event"),
            what="the first event, from the first run",
        )
        began = time.monotonic()
        os.killpg(system.process.pid, signal.SIGINT)
        assert system.process.wait(90) == 0, system.said()
        assert not answers(f"http://127.0.0.1:{port}/api/health")
        assert not answers(system.viewer)
        assert "Traceback" not in system.said()
        print(f"stopped in {time.monotonic() - began:.1f} s")


@pytest.mark.slow("bad rule")
@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        ("no file", "there is no rule file"),
        ("viewer port busy", "--viewer-port"),
        ("server port busy", "not with a Prefect server"),
        ("no server there", "no Prefect server answers"),
        ("bad rule", "check.threshold"),
        ("no store", "SENTINEL_DATABASE_URL"),
    ],
)
def test_up_says_in_a_sentence_what_is_wrong(
    server: PrefectServer, slack: Slack, tmp_path: Path, problem: str, sentence: str
) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    env = {
        **server.env,
        "SENTINEL_DATABASE_URL": url,
        "SENTINEL_STORE_VARIABLE": variable_for(url),  # or no other test could record any more
    }
    file = rule_file(tmp_path, disk_rule("wrong"))
    arguments = ["--file", str(file), "--viewer-port", str(free_port()), "--no-api"]
    match problem:
        case "no file":
            file.unlink()
        case "viewer port busy":
            arguments[3] = str(slack.port)
        case "server port busy":
            env.pop("PREFECT_API_URL")
            arguments += ["--server-port", str(slack.port)]
        case "no server there":
            env["PREFECT_API_URL"] = f"http://127.0.0.1:{free_port()}/api"
        case "bad rule":
            rule_file(tmp_path, disk_rule("wrong", check={"threshold": "a lot"}))
        case "no store":
            env["SENTINEL_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    done = subprocess.run(
        [str(BIN / "sentinel"), "up", *arguments],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_up_stops_everything_when_one_part_dies(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    port = free_port()
    file = rule_file(tmp_path, disk_rule("part-dies", importance="low"))
    options = ("--server-port", str(port), "--no-first-run")
    with sentinel_up(tmp_path, file, *options, env=env) as system:
        [viewer] = [
            child
            for child in psutil.Process(system.process.pid).children(recursive=True)
            if "viewer" in child.cmdline()
        ][:1]
        viewer.kill()
        assert system.process.wait(90) == 1, system.said()
        assert "the viewer ended by itself" in system.said()
        assert not answers(f"http://127.0.0.1:{port}/api/health")
