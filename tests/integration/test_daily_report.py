"""The daily report as people get it: Slack, email, an artifact of the run, the terminal."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect_slack.credentials import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.message.charts import with_chart
from sentinel_core.message.content import About, Content, Links, Medium
from sentinel_core.message.render import render
from sentinel_core.report.publish import ARTIFACT_KEY, make_report
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.prefect import PrefectServer, client_of
from tests.support.runs import T0, a_rule, a_run, fired, rows, told
from tests.support.slack import Slack, slack_endpoint
from tests.support.stores import migrate

RULE = a_rule(notify={})
LINKS = Links("http://127.0.0.1:8501", "http://127.0.0.1:4200")


@pytest.fixture
def store() -> Iterator[Engine]:
    """Events of the last two hours in the store of this test: three, one of them acknowledged."""
    engine = open_engine(get_settings().database_url)
    migrate(get_settings().database_url)
    now = datetime.now(UTC)
    minutes = (now - timedelta(hours=2) - T0) / timedelta(minutes=1)
    outputs = [fired("A"), fired("B"), fired("C", importance="critical")]
    told(engine, RULE, a_run(minutes), outputs, now=now - timedelta(hours=2))
    acknowledge(engine, [1], by="ann", now=now - timedelta(hours=1))
    yield engine
    engine.dispose()


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_endpoint() as running:
        yield running


RUN = """
import json, sys
from flows.daily_report import daily_report
print(daily_report(notify=json.loads(sys.argv[1]), timezone="Europe/Berlin"))
"""


def run_flow(server: PrefectServer, notify: list[Any]) -> str:
    """The flow in a process of its own, as a worker runs it."""
    env = {"SENTINEL_DATABASE_URL": get_settings().database_url}
    return server.run("python", "-c", RUN, json.dumps(notify), **env).stdout


def saved(server: PrefectServer, url: str) -> str:
    name = f"b{uuid4().hex}"
    with client_of(server):
        SlackWebhook(url=SecretStr(url)).save(name, _sync=True)  # type: ignore[call-arg]
    return f"slack-incoming-webhook/{name}"


def test_the_report_arrives_once_however_often_the_flow_runs_that_day(
    store: Engine, server: PrefectServer, slack: Slack
) -> None:
    channel = saved(server, slack.url)
    first = run_flow(server, [channel])
    again = run_flow(server, [channel])
    assert "enqueued for 1 of 1 channels" in first
    assert "enqueued for 0 of 1 channels, the others have it" in again
    [received] = slack.received
    text = json.dumps(received.body, ensure_ascii=False)
    assert "Daily report" in text
    assert "Europe/Berlin" in text
    assert "3 events opened in 24 hours; 2 events that nobody has acknowledged" in text
    [row] = rows(store, "notification")
    assert (row["status"], row["attempts"]) == ("sent", 1)
    assert row["about"].startswith("report:daily-report:")


def test_a_report_that_could_not_be_sent_is_still_owed(
    store: Engine, server: PrefectServer, slack: Slack
) -> None:
    slack.answer = 500
    channel = saved(server, slack.url)
    run_flow(server, [channel])
    [row] = rows(store, "notification")
    assert (row["status"], row["attempts"], row["sent_at"]) == ("pending", 1, None)


@pytest.mark.slow
def test_the_run_has_the_report_as_an_artifact(store: Engine, server: PrefectServer) -> None:
    assert "no channels" in run_flow(server, [])
    with client_of(server) as client:
        kept = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[ARTIFACT_KEY]))
        )
    newest = max(kept, key=lambda one: str(one.created))
    assert newest.type == "markdown"
    assert isinstance(newest.data, str)
    assert "## Events by importance" in newest.data
    assert "| critical | 1 | 1 | 0 | 0 |" in newest.data
    assert rows(store, "notification") == []


def made(store: Engine) -> dict[str, Any]:
    facts = make_report(store, "daily-report", datetime.now(UTC), timedelta(hours=24)).facts
    return with_chart(json.loads(json.dumps(facts)))


@pytest.mark.parametrize("medium", list(Medium))
def test_every_medium_has_its_report(store: Engine, medium: Medium) -> None:
    message = render(medium, Content(About.REPORT, facts=made(store)), LINKS)
    whole = f"{message.subject}\n{message.body}\n{json.dumps(message.payload, ensure_ascii=False)}"
    assert "3 events opened in 24 hours" in whole


def test_an_email_shows_the_chart(store: Engine) -> None:
    message = render(Medium.EMAIL, Content(About.REPORT, facts=made(store)), LINKS)
    assert message.html is not None
    assert "cid:chart" in message.html
    assert "Slowest rules" in message.html
    picture = Image.open(BytesIO(message.images["chart"]))
    assert (picture.format, picture.size) == ("PNG", (1120, 380))


def test_the_command_prints_the_same_report(
    store: Engine, server: PrefectServer, tmp_path: Path
) -> None:
    env = {"SENTINEL_DATABASE_URL": get_settings().database_url}
    chart = tmp_path / "chart.png"
    done = server.run("sentinel", "report", "--chart", str(chart), **env)
    assert "3 events opened in 24 hours; 2 events that nobody has acknowledged" in done.stdout
    assert "Events by importance" in done.stdout
    with Image.open(chart) as picture:
        assert picture.format == "PNG"
    facts = json.loads(server.run("sentinel", "report", "--json", **env).stdout)
    assert dict(map(tuple, facts["figures"]))["Events"] == "3 (2 open, 1 acknowledged)"
    assert rows(store, "notification") == []


@pytest.mark.slow("options1")
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--timezone", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
        (["--hours", "0"], "must be from 1 to 8784; got 0"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(
    store: Engine, server: PrefectServer, options: list[str], why: str
) -> None:
    env = {"SENTINEL_DATABASE_URL": get_settings().database_url}
    done = server.run("sentinel", "report", *options, check=False, **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
