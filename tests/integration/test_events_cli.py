"""`sentinel events` as people run it: the real command over real stores."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.model.times import utc
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.command import Command, refused_here
from tests.support.delivered import GONE, ONCALL, OPS, refuse, telling
from tests.support.processes import free_port
from tests.support.recorded import fire
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, told

HOSTILE = "\x1b[31m[bold]Disk[/bold] 'full'\nevent 99: acknowledged by bo\x00 " + "x" * 5_000


@pytest.fixture
def sentinel(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


def opened(engine: Engine, name: str = "disk", minute: float = 0, **settings: Any) -> int:
    """An event of a rule; its id."""
    [key] = told(engine, a_rule(name, **settings), a_run(minute), [fired()]).opened
    return key


def event(engine: Engine, key: int) -> dict[str, Any]:
    [row] = rows(engine, "alert_event", id=key)
    return row


def audit(engine: Engine, key: int) -> list[tuple[str, str, dict[str, Any]]]:
    whole = event_detail(engine, key)
    assert whole is not None
    return [(row["actor"], row["action"], row["detail"]) for row in whole.audit]


# -- list ----------------------------------------------------------------------------------


def test_events_are_listed_newest_first_and_narrowed_by_options(
    engine: Engine, sentinel: Command
) -> None:
    disk = opened(engine, "disk", 0, importance="critical")
    price = opened(engine, "price", 5, importance="low")
    memory = opened(engine, "memory", 10)
    acknowledge(engine, [price], by="bo", now=NOW)
    told(engine, a_rule("memory"), a_run(15), [quiet()])

    def listed(*options: str) -> list[int]:
        return [row["id"] for row in sentinel.json("events", "list", *options)]

    assert listed() == [memory, price, disk]
    assert listed("--importance", "critical", "--importance", "low") == [price, disk]
    assert listed("--rule", "disk", "--rule", "memory") == [memory, disk]
    assert listed("--status", "open") == [disk]
    assert listed("--status", "acknowledged", "--status", "resolved") == [memory, price]
    assert listed("--ticker", "AAPL", "--since", f"{at(5):%Y-%m-%dT%H:%M}") == [memory, price]
    assert listed("--ticker", "MSFT") == []
    assert listed("--since", "1h") == []
    shown = sentinel("events", "list", "--limit", "2")
    assert [line.split()[0] for line in shown.splitlines()[1:3]] == [str(memory), str(price)]
    assert "there are more" in shown
    assert "acknowledged" in shown
    assert "AAPL trades at 151.2" in shown


def test_a_list_takes_the_filters_and_orders_of_the_blotter(
    engine: Engine, sentinel: Command
) -> None:
    disk = opened(engine, "disk", 0, importance="critical", category="System")
    price = opened(engine, "price", 5, importance="low", category="Market")
    failed = told(engine, a_rule("quotes"), a_run(10, "FAILED", message="Read timeout"), None)
    [broken] = failed.opened

    def listed(*options: str) -> list[int]:
        return [row["id"] for row in sentinel.json("events", "list", *options)]

    assert listed("--category", "System", "--category", "Weather") == [disk]
    assert listed("--kind", "failure") == [broken]
    assert listed("--kind", "alert") == [price, disk]
    assert listed("--state", "failed") == [broken]
    assert listed("--text", "TIMEOUT") == [broken]
    assert listed("--text", "%") == []
    assert listed("--until", f"{at(5):%Y-%m-%dT%H:%M}") == [disk]
    assert listed("--sort", "importance")[0] == disk
    assert listed("--sort", "importance", "--reverse")[-1] == disk
    assert listed("--sort", "rule") == [disk, price, broken]
    since, until = f"{at(5):%Y-%m-%dT%H:%M}", f"{at(1):%Y-%m-%dT%H:%M}"
    assert "swap them" in sentinel.refused("events", "list", "--since", since, "--until", until)
    assert "not a time" in sentinel.refused("events", "list", "--until", "soon")
    assert sentinel.run("events", "list", "--kind", "skipped").returncode == 2
    assert sentinel.run("events", "list", "--sort", "id").returncode == 2


def test_what_is_changed_is_said_as_json(engine: Engine, sentinel: Command) -> None:
    key, other = opened(engine), opened(engine, "price", 5)
    did = sentinel.json("events", "ack", str(key))
    assert did == {
        "ok": True,
        "changed": [{"id": key, "sentence": "acknowledged by ana"}],
        "unchanged": [],
    }
    done = sentinel.run("events", "ack", str(key), str(other), "987654", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (1, False)
    assert [item["id"] for item in said["changed"]] == [other]
    assert [(item["id"], item["code"]) for item in said["unchanged"]] == [
        (key, "already"),
        (987654, "missing"),
    ]
    for command in (
        ("comment", str(key), "--comment", "on it"),
        ("assign", str(key), "--to", "bo"),
        ("disposition", str(key), "noise"),
        ("unacknowledge", str(key)),
        ("resolve", str(key)),
    ):
        assert [item["id"] for item in sentinel.json("events", *command)["changed"]] == [key]
    assert "not the id of any event" in sentinel.refused("events", "ack", "x", "--json")


def test_a_list_as_json_carries_what_a_script_needs(engine: Engine, sentinel: Command) -> None:
    key = opened(engine)
    [row] = sentinel.json("events", "list")
    assert row["id"] == key
    assert row["status"] == ["open"]
    assert datetime.fromisoformat(row["timestamp"]) == at(0)
    assert row["rule_name"] == "disk"


def test_a_list_without_hits_says_so(engine: Engine, sentinel: Command) -> None:
    opened(engine)
    assert "no events match" in sentinel("events", "list", "--rule", "disk", "--text", "nothing")


@pytest.mark.parametrize("more", [(), ("--rule", "disk"), ("--json",)])
def test_a_rule_that_nobody_knows_is_an_error_not_an_empty_list(
    engine: Engine, sentinel: Command, more: tuple[str, ...]
) -> None:
    opened(engine)
    said = sentinel.refused("events", "list", "--rule", "dsik", *more)
    assert "no rule named 'dsik'; did you mean disk?" in said


# -- show ----------------------------------------------------------------------------------


def test_one_event_is_shown_with_every_reason(engine: Engine, sentinel: Command) -> None:
    rule = a_rule("disk", policy={"breaches": 2, "repeat_seconds": 300}, runbook="docs/disk.md")
    told(engine, rule, a_run(0), [fired()], now=at(0))
    [key] = told(engine, rule, a_run(5), [fired()], now=at(5)).opened
    silences.create(
        engine,
        Silence(
            matchers=Matchers(rule="disk"),
            starts_at=at(6),
            ends_at=at(60),
            author="bo",
            comment="moving logs",
        ),
        now=at(6),
    )
    told(engine, rule, a_run(10), [fired()], now=at(10))
    acknowledge(engine, [key], by="bo", comment="on it", until=at(90), now=at(11))
    told(engine, rule, a_run(15), [quiet()], now=at(15))
    shown = sentinel("events", "show", str(key))
    for expected in (
        "disk AAPL",
        "AAPL trades at 151.2",
        "151.2 against threshold 150",
        "pending: 1 of 2 breaches",
        "opened: 2 breaches in a row",
        "resolved: below",
        "2026-11-02 09:15 UTC, recovered",
        "bo, 2026-11-02 09:11 UTC, until 2026-11-02 10:30 UTC",
        "docs/disk.md",
        "slack-incoming-webhook/everyone",
    ):
        assert expected in shown
    held = r"reminder +not sent +silenced by bo until 2026-11-02 10:00 UTC: moving logs"
    assert re.search(held, shown)
    assert re.search(r"bo +acknowledged +on it; until 2026-11-02 10:30 UTC", shown)
    whole = sentinel.json("events", "show", str(key))
    assert whole["event"]["suppressed"].startswith("silenced by bo")
    assert [row["decision_code"] for row in whole["evaluations"]] == [
        "recovered",
        "still-firing",
        "started",
    ]
    assert {row["status"] for row in whole["notifications"]} == {"pending", "suppressed"}


def test_an_open_event_that_recovers_shows_its_newest_reasons(
    engine: Engine, sentinel: Command
) -> None:
    rule = a_rule("disk", policy={"recoveries": 3})
    [key] = told(engine, rule, a_run(0), [fired()]).opened
    told(engine, rule, a_run(5), [quiet()])
    told(engine, rule, a_run(10), [quiet()])
    shown = sentinel("events", "show", str(key))
    assert "recovering: 1 of 3 oks" in shown
    assert "recovering: 2 of 3 oks" in shown


def test_an_event_nobody_was_told_of_is_marked_in_the_list(
    engine: Engine, sentinel: Command
) -> None:
    mute = Silence(
        matchers=Matchers(rule="disk"),
        starts_at=at(0),
        ends_at=NOW + timedelta(days=1),
        author="bo",
        comment="tidying",
    )
    silences.create(engine, mute, now=at(0))
    muted, heard = opened(engine, "disk", 5), opened(engine, "price", 0)
    first, second = sentinel("events", "list").splitlines()[1:]
    assert (first.split()[0], second.split()[0]) == (str(muted), str(heard))
    assert "open, muted" in first
    assert "muted" not in second
    assert [row["suppressed"] is None for row in sentinel.json("events", "list")] == [False, True]


@pytest.mark.parametrize(("problem", "word"), [("error", "not judged"), ("no_data", "no data")])
def test_a_series_without_a_verdict_is_named_in_words(
    problem: str, word: str, engine: Engine, sentinel: Command
) -> None:
    outputs = [fired(triggered=False, problem=problem, metrics={})]
    [key] = told(engine, a_rule("disk"), a_run(), outputs).opened
    assert f"({word}, high, open)" in sentinel("events", "show", str(key))


def test_an_event_nobody_hears_of_says_why(engine: Engine, sentinel: Command) -> None:
    key = opened(engine, notify={})
    assert "nobody: the rule has no channel for this importance" in sentinel(
        "events", "show", str(key)
    )


def test_what_became_of_messages_and_what_comes_next_is_told(
    engine: Engine, sentinel: Command
) -> None:
    rule = telling(
        "gateway",
        "critical",
        escalation=[{"after_seconds": 3600, "channels": [ONCALL]}],
        suggestions={"refused": "Call the vendor."},
    )
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    key = fire(engine, rule, start, message="connection refused")
    soon = start + timedelta(seconds=2)
    refuse(engine, soon)
    due = f"{soon + timedelta(hours=1):%H:%M:%S}"
    shown = sentinel("events", "show", str(key))
    assert "(critical, open, not delivered)" in shown
    assert re.search(r"^suggested +Call the vendor\.$", shown, re.MULTILINE)
    assert re.search(rf"^escalates +step 1 to {ONCALL} at .*{due}, unless ack", shown, re.MULTILINE)
    assert re.search(rf"{OPS} +opened +failed +for good: {re.escape(GONE)}", shown)
    assert re.search(rf"{ONCALL} +step 1 of the escalation +escalates +at .*{due}", shown)
    assert "open, not delivered" in sentinel("events", "list")
    [row] = sentinel.json("events", "list")
    assert row["undelivered"] is True
    sentinel("events", "acknowledge", str(key), "--by", "ann")
    shown = sentinel("events", "show", str(key))
    assert not re.search(r"^escalates", shown, re.MULTILINE)
    assert re.search(r"step 1 of the escalation +(not sent|stopped) +acknowledged by ann", shown)


# -- acknowledge ---------------------------------------------------------------------------


def test_each_event_is_said_to_be_acknowledged_or_why_not(
    engine: Engine, sentinel: Command
) -> None:
    mine, theirs = opened(engine, "mine"), opened(engine, "theirs")
    acknowledge(engine, [theirs], by="bo", comment="mine", now=NOW)
    said = sentinel(
        "events", "acknowledge", str(theirs), str(mine), "98765", "--comment", "on it", code=1
    )
    assert said.splitlines() == [
        f"event {theirs}: already acknowledged by bo at 2026-11-03 09:00 UTC",
        f"event {mine}: acknowledged by ana",
        "event 98765: there is no such event",
    ]
    assert (event(engine, mine)["acknowledged_by"], event(engine, mine)["comment"]) == (
        "ana",
        "on it",
    )
    assert (event(engine, theirs)["acknowledged_by"], event(engine, theirs)["comment"]) == (
        "bo",
        "mine",
    )
    assert audit(engine, mine) == [("ana", "acknowledged", {"comment": "on it"})]


def test_an_acknowledgement_may_end_after_a_while_or_at_a_time(
    engine: Engine, sentinel: Command
) -> None:
    first, second = opened(engine, "first"), opened(engine, "second")
    before = datetime.now(UTC)
    said = sentinel("events", "acknowledge", str(first), "--until", "1h30m", "--by", "bo")
    until = event(engine, first)["acknowledged_until"]
    assert before + timedelta(minutes=90) <= until <= datetime.now(UTC) + timedelta(minutes=90)
    assert f"acknowledged by bo until {utc(until)}" in said
    sentinel("events", "acknowledge", str(second), "--until", "2099-01-01T12:00+02:00")
    assert event(engine, second)["acknowledged_until"] == datetime(2099, 1, 1, 10, tzinfo=UTC)


def test_an_acknowledgement_may_end_with_a_value(engine: Engine, sentinel: Command) -> None:
    key = opened(engine)
    no = sentinel.refused("events", "ack", str(key), "--above", "150")
    assert f"nothing was changed: of event {key}, the value 151.2 is above 150 already" in no
    [failed] = told(engine, a_rule("quotes"), a_run(10, "FAILED"), None).opened
    no = sentinel.refused("events", "ack", str(key), str(failed), "--above", "160")
    assert f"nothing was changed: event {failed} has no value" in no
    said = sentinel("events", "ack", str(key), "--above", "160", "--below", "-5.5", "--by", "bo")
    words = "until the value is above 160 or the value is below -5.5"
    assert f"acknowledged by bo {words}" in said
    row = event(engine, key)
    assert (row["acknowledged_above"], row["acknowledged_below"]) == (160, -5.5)
    shown = sentinel("events", "show", str(key))
    assert f", {words}" in " ".join(shown.split())
    assert sentinel.json("events", "show", str(key))["event"]["acknowledged_above"] == 160


def test_who_acts_is_the_user_of_the_system_unless_said_otherwise(
    engine: Engine, sentinel: Command
) -> None:
    keys = [opened(engine, name) for name in ("a", "b", "c")]
    sentinel("events", "acknowledge", str(keys[0]))
    Command(sentinel.url, sentinel.folder, {"SENTINEL_USER": "desk"})(
        "events", "acknowledge", str(keys[1])
    )
    sentinel("events", "acknowledge", str(keys[2]), "--by", " Bo  Li\n")
    assert [event(engine, key)["acknowledged_by"] for key in keys] == ["ana", "desk", "Bo Li"]


# -- what else people do -------------------------------------------------------------------


def test_an_event_goes_through_all_that_people_can_do_with_it(
    engine: Engine, sentinel: Command
) -> None:
    key = opened(engine)
    one = str(key)
    sentinel("events", "acknowledge", one)
    assert sentinel("events", "unacknowledge", one) == f"event {key}: no longer acknowledged\n"
    assert sentinel("events", "assign", one, "--to", "bo") == f"event {key}: assigned to 'bo'\n"
    assert sentinel("events", "disposition", one, "noise") == f"event {key}: disposition noise\n"
    assert sentinel("events", "comment", one, "--comment", "as ever").endswith("commented on\n")
    assert sentinel("events", "resolve", one, "--by", "bo") == f"event {key}: resolved\n"
    row = event(engine, key)
    assert row["acknowledged_by"] == "bo"
    assert (row["assigned_to"], row["disposition"], row["comment"]) == ("bo", "noise", "as ever")
    assert (row["resolution"], row["resolved_at"] is not None) == ("by-hand", True)
    assert audit(engine, key) == [
        ("ana", "acknowledged", {}),
        ("ana", "unacknowledged", {}),
        ("ana", "assigned", {"to": "bo"}),
        ("ana", "disposition", {"disposition": "noise"}),
        ("ana", "commented", {"comment": "as ever"}),
        ("bo", "resolved", {}),
    ]
    shown = sentinel("events", "show", one)
    assert "by hand" in shown
    assert re.search(r"ana +assigned +to bo", shown)


def test_what_changes_nothing_says_so_and_is_no_success(engine: Engine, sentinel: Command) -> None:
    one = str(opened(engine))
    assert "not acknowledged before" in sentinel("events", "unacknowledge", one, code=1)
    sentinel("events", "assign", one, "--to", "bo")
    assert "already" in sentinel("events", "assign", one, "--to", "bo", code=1)
    sentinel("events", "assign", one, "--nobody")
    sentinel("events", "disposition", one, "duplicate")
    assert "already" in sentinel("events", "disposition", one, "duplicate", code=1)
    sentinel("events", "disposition", one, "none")
    sentinel("events", "resolve", one)
    assert "had ended already" in sentinel("events", "resolve", one, code=1)
    row = event(engine, int(one))
    assert (row["assigned_to"], row["disposition"]) == (None, None)


# -- what can't be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("acknowledge",), "name at least one event by its id"),
        (("acknowledge", "1", "abc"), "'abc' is not the id of any event: ids are numbers"),
        (("acknowledge", "²"), "'²' is not the id of any event"),
        (("acknowledge", "9" * 40), "is not the id of any event"),
        (("acknowledge", "0"), "'0' is not the id of any event"),
        (("acknowledge", "1; DROP TABLE alert_event"), "is not the id of any event"),
        (("acknowledge", "1", "--by", "  "), "--by is empty"),
        (("acknowledge", "1", "--until", "yesterday"), "--until 'yesterday' is not a time"),
        (("acknowledge", "1", "--until", "2020-01-01"), "is in the past"),
        (("acknowledge", "1", "--until", "0s"), "is not a duration"),
        (("acknowledge", "1", "--above", "nan"), "--above 'nan' is not a number"),
        (("acknowledge", "1", "--below", "-inf"), "--below '-inf' is not a number"),
        (("acknowledge", "1", "--above", "high"), "--above 'high' is not a number"),
        (("acknowledge", "1", "--until", "999999w"), "is not a duration"),
        (("show", "abc"), "'abc' is not the id of any event"),
        (("show", "77"), "there is no event 77"),
        (("comment", "1", "--comment", " "), "the comment is empty"),
        (("assign", "1"), "--to NAME, or --nobody"),
        (("assign", "1", "--to", " "), "--to NAME, or --nobody"),
        (("assign", "1", "--to", "bo", "--nobody"), "--to NAME, or --nobody"),
        (
            ("disposition", "1", "great"),
            "duplicate, none; got 'great'",
        ),
        (("disposition", "noise"), "name at least one event by its id"),
        (("disposition",), "disposition must be one of actionable, noise, duplicate, none; got ''"),
        (("list", "--since", "soon"), "--since 'soon' is not a time"),
        (("list", "--since", "\x1b[31m\x00\n" + "x" * 999), "is not a time"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_one_sentence_and_changes_nothing(
    arguments: tuple[str, ...],
    sentence: str,
    store: Engine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = store
    key = opened(engine)
    assert key == 1
    before = event(engine, key)
    refused = refused_here(capsys, "events", *arguments)
    assert sentence in refused
    assert len(refused) < 250
    assert "\x1b" not in refused
    assert event(engine, key) == before
    assert audit(engine, key) == []


def test_a_store_that_is_not_there_is_said_to_be_absent_and_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "nowhere.db"
    sentinel = Command(f"sqlite:///{file}", tmp_path)
    for arguments in (("list",), ("show", "1"), ("acknowledge", "1")):
        assert "sentinel db upgrade" in sentinel.refused("events", *arguments)
    assert not file.exists()


def test_a_store_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://ana:secret@127.0.0.1:{free_port()}/events"
    said = Command(url, tmp_path).refused("events", "acknowledge", "1")
    assert "can't be used" in said
    assert "secret" not in said


def test_a_store_of_an_older_sentinel_names_the_command(store: Engine, tmp_path: Path) -> None:
    sentinel = Command(store.url.render_as_string(), tmp_path)
    with store.begin() as connection:
        connection.execute(text("UPDATE sentinel_version SET version_num = '0001'"))
    assert "run `sentinel db upgrade`" in sentinel.refused("events", "list")


def test_hostile_text_reaches_the_terminal_as_text_and_never_as_a_line_of_ours(
    store: Engine, tmp_path: Path
) -> None:
    engine, sentinel = store, Command(store.url.render_as_string(), tmp_path)
    rule = a_rule("[red]rule[/red]")
    [key] = told(engine, rule, a_run(), [fired("[b]T[/b]", message=HOSTILE)]).opened
    sentinel(
        "events",
        "acknowledge",
        str(key),
        "--comment",
        HOSTILE.replace("\x00", ""),
        "--by",
        "[x]\x1b",
    )
    for said in (sentinel("events", "list"), sentinel("events", "show", str(key))):
        assert "\x1b" not in said
        assert "[red]rule[/red]" in said
        assert "[bold]Disk[/bold]" in said
        assert not any(line.startswith("event 99") for line in said.splitlines())


def test_help_is_enough_to_get_going(tmp_path: Path) -> None:
    sentinel = Command("", tmp_path)
    said = sentinel("events", "--help")
    for command in ("list", "show", "acknowledge", "resolve", "assign", "disposition"):
        assert command in said
    said = " ".join(sentinel("events", "acknowledge", "--help").split())
    assert 'sentinel events acknowledge 12 14 --comment "moving logs" --until 2h' in said
