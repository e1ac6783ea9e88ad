"""`sentinel channels` as people run it: a real Prefect server, real endpoints, real stores."""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect_email import EmailServerCredentials
from prefect_slack import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from sentinel_core.model.run import Rule
from sentinel_core.notify.deliver import deliver
from sentinel_core.store.outbox.claim import due
from tests.support.command import Command, changes
from tests.support.deployed import deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of
from tests.support.recorded import a_rule, fire
from tests.support.runs import rows
from tests.support.slack import Slack, slack_endpoint
from tests.support.smtp import mail_server

DISK = "flows/system.py:disk_usage"
SECRET = "xyzzy-7f3a9b-geheim"
NOBODY = "http://127.0.0.1:9/api"
SETUP = {
    "SENTINEL_SLACK_URL": f"https://hooks.example.org/services/T0/B3/{SECRET}",
    "SENTINEL_SLACK_CRITICAL_URL": f"http://127.0.0.1:9/services/T0/B0/{SECRET}",
    "SENTINEL_SLACK_WARNINGS_URL": f"https://hooks.example.org/services/T0/B1/{SECRET}",
    "SENTINEL_SLACK_INFO_URL": f"https://hooks.example.org/services/T0/B2/{SECRET}",
    "SENTINEL_SLACK_BOT_TOKEN": f"xoxb-{SECRET}",
    "SENTINEL_PAGERDUTY_KEY": "".join(c for c in SECRET if c.isalnum()).ljust(32, "0"),
    "SENTINEL_EMAIL_SERVER": "mail.example.org",
    "SENTINEL_EMAIL_USERNAME": "sentinel@example.org",
    "SENTINEL_EMAIL_PASSWORD": f" {SECRET} with spaces ",
}
MADE = (
    "slack-incoming-webhook/alerts",
    "slack-incoming-webhook/alerts-critical",
    "slack-incoming-webhook/alerts-warnings",
    "slack-incoming-webhook/alerts-info",
    "slack-credentials/alerts",
    "pager-duty-webhook/alerts",
    "email-server-credentials/alerts",
)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Sentinel:
    """`sentinel channels …` in this process: a new one's imports would take most of the time."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0) -> Done:
        get_settings.cache_clear()
        self.capture.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(["channels", *arguments])
        out, err = self.capture.readouterr()
        assert int(str(exit_.value.code)) == code, f"{out}\n{err}"
        assert "Traceback" not in err
        return Done(code, out, err)

    def refused(self, *arguments: str) -> str:
        """The one sentence with which the command says that it can't."""
        done = self(*arguments, code=1)
        assert done.out == ""
        [sentence] = done.err.splitlines()
        return sentence.removeprefix("sentinel: ")


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """This process as a user's shell: its environment names the server."""
    path, environment = list(sys.path), dict(os.environ)
    os.environ.update(server.env)
    with client_of(server) as connected:
        yield connected
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path


@pytest.fixture
def sentinel(
    client: SyncPrefectClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Sentinel:
    monkeypatch.setenv("COLUMNS", "200")
    return Sentinel(capsys)


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_endpoint() as running:
        yield running


@pytest.fixture
def channel(client: SyncPrefectClient, slack: Slack) -> Iterator[str]:
    """A Slack webhook's block that leads to the endpoint."""
    yield from _block(client, SlackWebhook(url=SecretStr(slack.url)))


def _block(client: SyncPrefectClient, block: Any) -> Iterator[str]:
    name = f"c{uuid.uuid4().hex[:10]}"
    block.save(name, _sync=True)
    slug = f"{block.get_block_type_slug()}/{name}"
    yield slug
    remove(client, slug)


def remove(client: SyncPrefectClient, *slugs: str) -> None:
    for slug in slugs:
        kind, _, name = slug.partition("/")
        try:
            client.delete_block_document(client.read_block_document_by_name(name, kind).id)
        except ObjectNotFound:
            continue


def ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


def owe(store: Engine, channel: str, count: int = 1) -> tuple[Rule, list[int]]:
    """Events that a channel is to hear of; ids of what it is owed."""
    notify = {"high": [channel]}
    rule = replace(a_rule(f"disk-{channel[-6:]}", notify=notify), parameters={"notify": notify})
    for number in range(count):
        fire(store, rule, ago(minutes=5), ticker=f"/d{number}")
    return rule, [row["id"] for row in rows(store, "notification", channel=channel)]


# -- setup -------------------------------------------------------------------------------------


def test_setup_makes_the_blocks_and_no_secret_is_anywhere_else(
    client: SyncPrefectClient, server: PrefectServer, tmp_path: Path
) -> None:
    """As people run it: a process of its own, whose every word and file is looked through."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    environment = {"PREFECT_API_URL": server.api_url, "PREFECT_LOGGING_LEVEL": "DEBUG", **SETUP}
    sentinel = Command(url, tmp_path, environment)
    try:
        sentinel("db", "upgrade")
        done = sentinel.spawn("channels", "setup")
        assert done.returncode == 0, done.stderr
        assert [f"{slug} created from" in done.stdout for slug in MADE] == [True] * len(MADE)
        again = sentinel.spawn("channels", "setup", "--overwrite")
        assert [f"{slug} replaced from" in again.stdout for slug in MADE] == [True] * len(MADE)
        listed = sentinel.spawn("channels", "list", "--json")
        failed = sentinel.spawn("channels", "test", MADE[1])  # nobody is there
        assert failed.returncode == 1
        block = SlackWebhook.load("alerts-critical", _sync=True)
        assert block.url.get_secret_value() == SETUP["SENTINEL_SLACK_CRITICAL_URL"]
        mail = EmailServerCredentials.load("alerts", _sync=True)
        assert mail.password.get_secret_value() == SETUP["SENTINEL_EMAIL_PASSWORD"]
        said = "".join(one.stdout + one.stderr for one in (done, again, listed, failed))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert tmp_path / "own.db" in files
        written = b"".join(path.read_bytes() for path in [*files, server.folder / "server.log"])
        for secret in (SECRET, SETUP["SENTINEL_PAGERDUTY_KEY"]):
            assert secret not in said
            assert secret.encode() not in written
    finally:
        remove(client, *MADE)


def test_setup_leaves_blocks_that_exist_as_they_are(
    sentinel: Sentinel, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = "https://hooks.example.org/first", "https://hooks.example.org/second"
    try:
        monkeypatch.setenv("SENTINEL_SLACK_INFO_URL", first)
        assert "alerts-info created" in sentinel("setup").out
        monkeypatch.setenv("SENTINEL_SLACK_INFO_URL", second)
        assert "exists and is left as it is" in sentinel("setup").out
        left = changes(sentinel("setup", "--json").out)
        assert [(item["name"], item["code"]) for item in left["unchanged"]] == [
            ("slack-incoming-webhook/alerts-info", "already")
        ]
        kept = SlackWebhook.load("alerts-info", _sync=True)
        assert kept.url.get_secret_value() == first
        replaced_one = changes(sentinel("setup", "--overwrite", "--json").out)
        assert [item["name"] for item in replaced_one["changed"]] == [
            "slack-incoming-webhook/alerts-info"
        ]
        assert second not in str(replaced_one)
        assert "alerts-info replaced" in sentinel("setup", "--overwrite").out
        replaced = SlackWebhook.load("alerts-info", _sync=True)
        assert replaced.url.get_secret_value() == second
    finally:
        remove(client, *MADE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SENTINEL_SLACK_CRITICAL_URL": f"hooks.example.org/{SECRET}"}, "is not a web address"),
        ({"SENTINEL_SLACK_CRITICAL_URL": f"https://[{SECRET}"}, "is not a web address"),
        ({"SENTINEL_SLACK_WARNINGS_URL": f"https://a.example/ {SECRET}"}, "holds spaces"),
        ({"SENTINEL_SLACK_BOT_TOKEN": f"xoxb\x1b[2J{SECRET}"}, "control characters"),
        (
            {"SENTINEL_PAGERDUTY_KEY": "k" * 32, "SENTINEL_PAGERDUTY_REGION": SECRET},
            "SENTINEL_PAGERDUTY_REGION must be us or eu",
        ),
        (
            {"SENTINEL_EMAIL_SERVER": "mail.example.org", "SENTINEL_EMAIL_PORT": SECRET},
            "SENTINEL_EMAIL_PORT must be a port",
        ),
        (
            {"SENTINEL_EMAIL_SERVER": "mail.example.org", "SENTINEL_EMAIL_SECURITY": SECRET},
            "SENTINEL_EMAIL_SECURITY must be one of STARTTLS, SSL, INSECURE",
        ),
        (
            {"SENTINEL_PAGERDUTY_KEY": f"<%{SECRET}%>"},
            "SENTINEL_PAGERDUTY_KEY is not an integration key",
        ),
        ({}, "set at least one of SENTINEL_SLACK_URL, SENTINEL_SLACK_CRITICAL_URL"),
        (
            {"SENTINEL_SLACK_INFO_URL": "  "},
            "set at least one of SENTINEL_SLACK_URL, SENTINEL_SLACK_CRITICAL_URL",
        ),
    ],
)
def test_setup_names_the_variable_that_is_wrong_and_never_its_value(
    sentinel: Sentinel,
    client: SyncPrefectClient,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    expected: str,
) -> None:
    for name, value in {"SENTINEL_SLACK_INFO_URL": "https://ok.example/x", **given}.items():
        if given:
            monkeypatch.setenv(name, value)
    sentence = sentinel.refused("setup")
    assert expected in sentence
    assert SECRET not in sentence
    with pytest.raises(ObjectNotFound):  # all or none
        client.read_block_document_by_name("alerts-info", "slack-incoming-webhook")


# -- test --------------------------------------------------------------------------------------


def test_a_test_message_arrives_and_nothing_is_recorded(
    sentinel: Sentinel, channel: str, slack: Slack, tmp_path: Path
) -> None:
    done = sentinel("test", channel)
    assert f"{channel} accepted the test message in " in done.out
    [text] = slack.texts()
    assert "TEST" in text
    assert channel in text
    assert not (tmp_path / "sentinel.db").exists()
    [sent] = changes(sentinel("test", channel, "--json").out)["changed"]
    assert (sent["name"], sent["to"]) == (channel, "")
    assert len(slack.received) == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (404, "It will fail until something is changed"),
        (500, "it may work later"),
        (429, "retry after 1 s"),
        ("reset", "it is unknown whether the message arrived"),
    ],
)
def test_a_channel_that_does_not_accept_is_an_error_that_says_why(
    sentinel: Sentinel, channel: str, slack: Slack, answer: int | str, expected: str
) -> None:
    slack.answer = answer
    sentence = sentinel.refused("test", channel)
    assert sentence.startswith(f"{channel} did not accept the test message: ")
    assert expected in sentence
    assert slack.url not in sentence
    assert len(slack.received) == 1


def test_a_test_message_reaches_everybody_it_is_addressed_to(
    sentinel: Sentinel, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server() as server:
        block = EmailServerCredentials(
            smtp_server="127.0.0.1", smtp_port=server.port, smtp_type="INSECURE"
        )
        for channel in _block(client, block):
            assert "SENTINEL_EMAIL_FROM" in sentinel.refused("test", channel, "--to", "a@b.example")
            monkeypatch.setenv("SENTINEL_EMAIL_FROM", "sentinel@example.org")
            done = sentinel("test", channel, "--to", "a@example.org, b@example.org")
            assert f"{channel} to a@example.org,b@example.org accepted" in done.out
            assert "needs a recipient" in sentinel.refused("test", channel)
            assert "needs a recipient" in sentinel.refused("test", channel, "--to", " ")
        [mail] = server.taken
        assert mail.recipients == ("a@example.org", "b@example.org")
        assert "TEST" in str(mail.message["Subject"])


def test_a_test_of_pagerduty_leaves_no_incident_behind(
    sentinel: Sentinel, client: SyncPrefectClient, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_PAGERDUTY_KEY", "k" * 32)
    monkeypatch.setenv("SENTINEL_PAGERDUTY_URL", slack.url)
    slack.answer = 202
    try:
        sentinel("setup")
        told = sentinel("test", "pager-duty-webhook/alerts").out
        assert "the incident it opened is resolved" in told
    finally:
        remove(client, *MADE)
    opened, resolved = (request.body for request in slack.received)
    assert (opened["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == resolved["dedup_key"]
    assert opened["payload"]["severity"] == "info"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("test", "alerts"), "'alerts' is not a channel: write type/name"),
        (("test", "Slack/Alerts"), "is not a channel"),
        (("test", "slack-incoming-webhook/\x1b[31m"), "is not a channel"),
        (("test", "a" * 5000), "is not a channel"),
        (("test", "slack-incoming-webhook/none-such"), "Prefect has no block"),
        (("test", "no-such-type/x"), "Prefect has no block"),
        (("test", "slack-incoming-webhook/x", "--to", "#a"), "--to does not apply to"),
        (("test", "slack-credentials/x", "--to", "#a,#b"), "needs a recipient"),
        (("retry", "alerts"), "is not a channel"),
        (("retry", "slack-incoming-webhook/none-such"), "Prefect has no block"),
        (("retry", "slack-incoming-webhook/x", "--since", "soon"), "is not a time"),
        (("preview", "no-such-rule"), "has no rule 'no-such-rule'"),
        (("preview", "disk-nearly-full", "--event", "x"), "not the id of any event"),
        (("preview", "disk-nearly-full", "--file", "none.yaml"), "there is no rule file none.yaml"),
        (("preview", "reconcile"), "is a plain flow, not a rule"),
        (("preview", "disk-nearly-full", "--html", "x", "--medium", "slack"), "--html is for"),
        (("preview", "disk-nearly-full", "--html", "no/such/folder/x"), "can't be written"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    sentinel: Sentinel, arguments: tuple[str, ...], expected: str
) -> None:
    done = sentinel(*arguments, code=1)
    sentence = done.err.splitlines()[-1]
    assert sentence.startswith("sentinel: ")
    assert expected in sentence
    assert "\x1b" not in sentence
    assert len(sentence) < 600


def test_a_block_that_cannot_notify_is_named(sentinel: Sentinel, client: SyncPrefectClient) -> None:
    from prefect.blocks.system import Secret

    for slug in _block(client, Secret(value=SecretStr(SECRET))):
        sentence = sentinel.refused("test", slug)
        assert sentence == f"{slug} can't send notifications: choose another block"
        assert slug not in sentinel("list").out


# -- list --------------------------------------------------------------------------------------


def test_the_list_shows_what_uses_a_channel_and_how_it_has_gone(
    sentinel: Sentinel,
    client: SyncPrefectClient,
    server: PrefectServer,
    store: Engine,
    channel: str,
    slack: Slack,
    tmp_path: Path,
) -> None:
    missing = f"slack-incoming-webhook/gone{uuid.uuid4().hex[:8]}"
    name = f"listed-{uuid.uuid4().hex[:6]}"
    escalation = [{"after_seconds": 600, "channels": [missing]}]
    notify = {"critical": [channel], "high": [{"channel": channel, "group_wait_seconds": 30}]}
    deploy(client, rule_yaml(name, DISK, notify=notify, escalation=escalation))
    try:
        _, ids = owe(store, channel, 2)
        assert deliver(store, get_settings(), ids[:1]) == 2  # they leave together
        slack.answer = 404
        fire(store, a_rule("later", notify={"high": [channel]}), ago(minutes=1))
        deliver(store, get_settings(), due(store, datetime.now(UTC)))
        shown = {row["channel"]: row for row in json.loads(sentinel("list", "--json", code=1).out)}
        row = shown[channel]
        assert (row["block"], row["medium"]) == ("yes", "slack")
        assert {"rule": name, "when": "high", "to": ""} in row["used_by"]
        assert (row["sent"], row["pending"], row["failed"]) == (2, 0, 1)
        assert "404" in row["last_error"]
        assert (shown[missing]["block"], shown[missing]["sent"]) == ("missing", 0)
        steps = [use["when"] for use in shown[missing]["used_by"]]
        assert steps == ["critical step 1", "high step 1", "medium step 1", "low step 1"]
        text = sentinel("list", code=1).out
        assert f"{channel}: last failure {datetime.now(UTC):%Y-%m-%d}" in text
        assert f"sentinel channels retry {channel}" in text
        assert f"{missing}: Prefect has no such block" in text
    finally:
        client.delete_deployment(client.read_deployment_by_name(f"disk-usage/{name}").id)


def test_an_open_storm_and_waiting_messages_are_shown(
    sentinel: Sentinel, store: Engine, channel: str, slack: Slack
) -> None:
    storm = {"events": 2, "window_seconds": 600}
    rule = a_rule("stormy", notify={"high": [{"channel": channel, "storm": storm}]})  # type: ignore[list-item]
    for number in range(4):
        fire(store, rule, ago(seconds=5), ticker=f"/d{number}")
    owed = [row["id"] for row in rows(store, "notification", channel=channel)]
    slack.answer = 500
    deliver(store, get_settings(), owed)
    deliver(store, get_settings(), due(store, datetime.now(UTC)))
    [row] = [r for r in json.loads(sentinel("list", "--json").out) if r["channel"] == channel]
    assert (row["pending"], row["failed"]) == (1, 0)
    assert row["storm_since"] is not None
    text = sentinel("list").out
    assert f"{channel}: a storm since" in text
    assert f"{channel}: is being retried: Slack answered 500" in text


def test_without_prefect_the_record_is_listed_and_without_a_store_the_blocks(
    sentinel: Sentinel, store: Engine, channel: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rule, _ = owe(store, channel)
    with monkeypatch.context() as away:
        away.setenv("PREFECT_API_URL", NOBODY)
        done = sentinel_without(sentinel, NOBODY, "list")
        assert "which blocks there are was not looked up" in done.err
        [line] = [line for line in done.out.splitlines() if line.startswith(channel)]
        assert "unknown" in line
        assert f"{rule.name} (high)" in line
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{tmp_path / 'nowhere.db'}")
    done = sentinel("list")
    assert "what was sent is not shown: there is no event store" in done.err
    assert channel in done.out
    assert not (tmp_path / "nowhere.db").exists()
    sentence = sentinel_without(sentinel, NOBODY, "list", code=1).err
    assert sentence.startswith("sentinel: Prefect's API does not answer")


def sentinel_without(sentinel: Sentinel, url: str, *arguments: str, code: int = 0) -> Done:
    """The command while Prefect is not where it was."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: url}):
        return sentinel(*arguments, code=code)


@pytest.mark.parametrize("command", [("test",), ("retry",), ("setup",)])
def test_without_prefect_a_sentence_says_what_to_do(
    sentinel: Sentinel, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SENTINEL_SLACK_INFO_URL", f"https://hooks.example.org/{SECRET}")
    named = () if command == ("setup",) else ("slack-incoming-webhook/x",)
    done = sentinel_without(sentinel, NOBODY, *command, *named, code=1)
    assert "Prefect's API does not answer" in done.err
    assert "PREFECT_API_URL" in done.err
    assert SECRET not in done.err


# -- retry -------------------------------------------------------------------------------------


def test_what_failed_is_sent_once_when_the_channel_is_mended(
    sentinel: Sentinel, store: Engine, channel: str, slack: Slack
) -> None:
    slack.answer = 404
    _, ids = owe(store, channel, 3)
    deliver(store, get_settings(), ids)
    assert {row["status"] for row in rows(store, "notification", channel=channel)} == {"failed"}
    done = sentinel("retry", channel, code=1)
    assert f"{channel}: 3 retried, 0 sent, 0 pending, 3 failed again" in done.out
    assert "404" in done.out
    failing = changes(sentinel("retry", channel, "--json", code=1).out)
    [item] = failing["changed"]
    assert (failing["ok"], item["retried"], item["failed"]) == (False, 3, 3)
    assert "404" in item["last_error"]
    before = len(slack.received)
    slack.answer = 200
    assert "3 retried, 3 sent" in sentinel("retry", channel).out
    assert "has no failed notifications since" in sentinel("retry", channel).out
    nothing = changes(sentinel("retry", channel, "--json").out)
    assert [item["code"] for item in nothing["unchanged"]] == ["nothing"]
    assert len(slack.received) == before + 1  # one message for the group


def test_a_retry_looks_back_as_far_as_it_is_told(
    sentinel: Sentinel, store: Engine, channel: str, slack: Slack
) -> None:
    slack.answer = 404
    _, ids = owe(store, channel)
    deliver(store, get_settings(), ids)
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert "has no failed notifications" in sentinel("retry", channel, "--since", later).out
    slack.answer = 500
    done = sentinel("retry", channel, "--since", "1h", code=1)
    assert "0 sent, 1 pending" in done.out
    assert "the flow `deliver` goes on with" in done.out


# -- preview -----------------------------------------------------------------------------------


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """A rule with words of its own, for Slack and for a bot's thread."""
    file = tmp_path / "prefect.yaml"
    templates = {"slack": {"title": "{{ event.rule }} says {{ event.ticker }}"}}
    notify = {
        "high": [
            "slack-incoming-webhook/x",
            {"channel": "email-server-credentials/x", "to": "ops@example.org"},
        ]
    }
    check = {"path": "/", "threshold": 90}
    rule = rule_yaml("wordy", DISK, check, importance="high", notify=notify, templates=templates)
    file.write_text(yaml.safe_dump({"deployments": [rule]}))
    return file


def test_a_preview_shows_the_rules_own_words_about_its_newest_event(
    sentinel: Sentinel, store: Engine, rule_file: Path
) -> None:
    rule = a_rule("wordy")
    fire(store, rule, ago(hours=2), ticker="/old")
    key = fire(store, rule, ago(hours=1), ticker="<!channel>")
    done = sentinel("preview", "wordy", "--file", str(rule_file), "--medium", "slack")
    assert f"note: event {key} of wordy" in done.err
    payload = json.loads(done.out)
    assert payload["text"] == "wordy says &lt;!channel&gt;"
    assert payload["attachments"][0]["blocks"]
    every = sentinel("preview", "wordy", "--file", str(rule_file)).out
    assert "--- slack" in every
    assert "--- email\nSubject: " in every


def test_a_preview_of_a_rule_without_events_shows_an_example(
    sentinel: Sentinel, rule_file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "mail.html"
    arguments = ("preview", "wordy", "--file", str(rule_file))
    done = sentinel_without(sentinel, NOBODY, *arguments, "--html", str(page))
    assert "an example event: there is no event store" in done.err
    html = page.read_text("utf-8")
    assert "wordy" in html
    assert "data:image/png;base64," in html
    assert "cid:" not in html
    assert "wordy" in sentinel(*arguments, "--medium", "short").out
    summary = json.loads(sentinel(*arguments, "--medium", "pagerduty").out)["payload"]["summary"]
    assert "wordy" in summary


def test_a_preview_tells_only_of_the_rules_own_events(
    sentinel: Sentinel, store: Engine, rule_file: Path
) -> None:
    own = fire(store, a_rule("wordy"), ago(hours=2), message="mine\x1b[2J")
    other = fire(store, a_rule("other"), ago(hours=1))
    arguments = ("preview", "wordy", "--file", str(rule_file), "--medium", "plain", "--event")
    done = sentinel(*arguments, str(own))
    assert "mine" in done.out
    assert "\x1b" not in done.out
    assert "is of the rule 'other'" in sentinel(*arguments, str(other), code=1).err
    assert "there is no event 99999" in sentinel(*arguments, "99999", code=1).err
