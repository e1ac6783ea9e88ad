"""`sentinel silences` as people run it: the real command over real stores."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read import silences as stored_silences
from tests.support.command import Command, changes, refused_here
from tests.support.recorded import a_rule, fire
from tests.support.runs import rows

NEVER = "2099-01-01T00:00"


@pytest.fixture
def sentinel(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


def ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


def test_a_silence_mutes_what_it_says_and_keeps_what_happens(
    engine: Engine, sentinel: Command
) -> None:
    rule = a_rule("disk-nearly-full", notify={"high": ["slack-incoming-webhook/ops"]})
    said = sentinel(
        "silences", "create", "--rule", "disk-*", "--for", "2h", "--comment", "moving logs"
    )
    assert said.startswith("silence 1: mutes rule disk-*, from ")
    key = fire(engine, rule, datetime.now(UTC))
    [event] = rows(engine, "alert_event", id=key)
    assert event["suppressed"].startswith("silenced by ana until ")
    assert event["suppressed"].endswith(": moving logs")
    [message] = rows(engine, "notification", event_id=key)
    assert (message["status"], message["last_error"]) == ("suppressed", event["suppressed"])
    assert "open, muted" in sentinel("events", "show", str(key))
    assert sentinel("silences", "expire", "1", "--by", "bo") == "silence 1: ended by bo\n"
    later = fire(engine, rule, datetime.now(UTC), ticker="B")
    assert rows(engine, "alert_event", id=later)[0]["suppressed"] is None


def test_making_a_silence_prints_what_it_is_about(engine: Engine, sentinel: Command) -> None:
    disk, other = a_rule("disk"), a_rule("price", category="Market")
    old = fire(engine, disk, ago(days=9), ticker="/old")
    new = fire(engine, disk, ago(days=2), ticker="/srv")
    fire(engine, other, ago(hours=1), ticker="AAPL")
    options = ("--rule", "di?k", "--importance", "high", "--for", "30m", "--comment", "tidying")
    said = sentinel("silences", "create", *options)
    assert "matches 2 series of 1 rule: disk" in said
    assert "muted now: 2 open events" in said
    assert "would have muted in the last 7 days: 1 event" in said
    now, lately = said.split("last 7 days")
    assert f"    {old}  " in now
    assert f"    {new}  " in lately
    assert f"    {old}  " not in lately
    assert "price" not in said


def test_silences_are_made_and_ended_as_json(engine: Engine, sentinel: Command) -> None:
    fire(engine, a_rule("disk"), ago(hours=2))
    options = ("--rule", "disk", "--for", "2h", "--comment", "[b]why[/b]", "--json")
    made = changes(sentinel("silences", "create", *options))
    [silence] = made["changed"]
    assert (silence["id"], silence["state"], silence["author"]) == (1, "active", "ana")
    assert silence["comment"] == "[b]why[/b]"
    assert made["preview"]["open_count"] == 1
    ended = changes(sentinel("silences", "expire", "1", "7", "--json", code=1))
    assert not ended["ok"]
    assert [item["id"] for item in ended["changed"]] == [1]
    assert [(item["id"], item["code"]) for item in ended["unchanged"]] == [(7, "missing")]
    again = changes(sentinel("silences", "expire", "1", "--json", code=1))
    assert [item["code"] for item in again["unchanged"]] == ["already"]


def test_a_preview_says_the_same_and_makes_nothing(engine: Engine, sentinel: Command) -> None:
    key = fire(engine, a_rule("disk"), ago(hours=2))
    said = sentinel("silences", "preview", "--rule", "disk")
    assert "muted now: 1 open event" in said
    assert f"{key}  " in said
    assert "no silence was created" in said
    found = sentinel.json("silences", "preview", "--ticker", "nothing-like-it")
    assert (found["open_count"], found["past_count"], found["rules"]) == (0, 0, [])
    assert stored_silences.all_silences(engine, now=datetime.now(UTC)) == []


def test_a_window_that_is_not_now_mutes_nothing_now(engine: Engine, sentinel: Command) -> None:
    fire(engine, a_rule("disk"), ago(hours=2))
    another_day = f"{ago(days=-2):%a}".lower()
    said = sentinel("silences", "preview", "--rule", "disk", "--weekly", another_day)
    assert "muted now: nothing" in said
    assert f"only {another_day} UTC" in said


def test_silences_are_listed_shown_and_ended(engine: Engine, sentinel: Command) -> None:
    make = ("silences", "create", "--comment", "because", "--by", "bo")
    sentinel(*make, "--rule", "disk", "--for", "2h")
    sentinel(*make, "--tag", "backup", "--from", "2098-12-01T00:00", "--until", NEVER)
    listed = sentinel.json("silences", "list")
    assert [(row["id"], row["state"]) for row in listed] == [(2, "upcoming"), (1, "active")]
    shown = sentinel("silences", "list")
    assert "rule disk" in shown
    assert "tag backup" in shown
    assert "2098-12-01 00:00" in shown
    assert "\nended" not in sentinel("silences", "show", "1")
    assert sentinel.json("silences", "show", "1")["ended"] is None
    said = sentinel("silences", "expire", "1", "2", "3", "--comment", "all well", code=1)
    assert said.splitlines() == [
        "silence 1: ended by ana",
        "silence 2: ended by ana",
        "silence 3: there is no such silence",
    ]
    assert sentinel("silences", "expire", "1", code=1) == "silence 1: had ended already\n"
    assert "--all lists all" in sentinel("silences", "list")
    assert {row["state"] for row in sentinel.json("silences", "list", "--all")} == {"expired"}
    one = sentinel("silences", "show", "1")
    for expected in ("silence 1: expired", "rule disk", "because", "bo"):
        assert expected in one
    [ended] = [text for text in one.splitlines() if text.startswith("ended")]
    assert ended.startswith("ended    by ana at 20")
    assert ended.endswith(": all well")
    assert sentinel.json("silences", "show", "1")["ended"]["by"] == "ana"


def test_whole_days_are_from_midnight_to_midnight(engine: Engine, sentinel: Command) -> None:
    sentinel(
        *("silences", "create", "--category", "Market", "--until", NEVER, "--comment", "weekend"),
        *("--weekly", "sat,sun", "--between", "00:00-24:00"),
    )
    silence = stored_silences.get(engine, 1)
    assert silence is not None
    assert silence.recurrence is not None
    assert silence.recurrence.words() == "sat, sun UTC"
    assert silence.recurrence.covers(datetime(2026, 11, 28, 23, 59, tzinfo=UTC))  # a Saturday
    assert not silence.recurrence.covers(datetime(2026, 11, 30, 0, 0, tzinfo=UTC))


def test_a_recurring_silence_is_kept_as_it_was_said(engine: Engine, sentinel: Command) -> None:
    sentinel(
        *("silences", "create", "--category", "Market", "--until", NEVER, "--comment", "closed"),
        *("--weekly", "fri-mon,wed", "--between", "22:00-06:00", "--timezone", "Europe/Berlin"),
        *("--calendar", "NYSE", "--days", "trading", "--outside"),
    )
    [found] = sentinel.json("silences", "list")
    assert found["recurrence"] == {
        "start": "22:00:00",
        "end": "06:00:00",
        "weekdays": ["mon", "wed", "fri", "sat", "sun"],
        "timezone": "Europe/Berlin",
        "calendar": "NYSE",
        "days": "trading",
        "outside": True,
    }
    silence = stored_silences.get(engine, 1)
    assert silence is not None
    assert silence.recurrence is not None
    thanksgiving, friday = (datetime(2026, 11, day, 23, tzinfo=UTC) for day in (26, 27))
    assert silence.recurrence.covers(thanksgiving)
    assert not silence.recurrence.covers(friday)
    window = "outside mon, wed, fri, sat, sun 22:00-06:00 trading days of NYSE Europe/Berlin"
    assert window in sentinel("silences", "show", "1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "--for", "2h", "--comment", "x"), "say what is muted: --rule"),
        (("create", "--rule", "a", "--comment", "x"), "say how long"),
        (("create", "--rule", "a", "--for", "2h"), "say why with --comment"),
        (("create", "--rule", "a", "--for", "2h", "--comment", " "), "say why with --comment"),
        (("create", "--rule", "a", "--for", "2h", "--comment", "x", "--by", ""), "--by is empty"),
        (
            ("create", "--rule", "a", "--for", "2h", "--until", NEVER, "--comment", "x"),
            "either --for 2h or --until",
        ),
        (("preview", "--rule", "a", "--for", "a while"), "--for 'a while' is not a duration"),
        (("preview", "--rule", "a", "--from", "2020-01-01"), "is in the past"),
        (("preview", "--rule", "a", "--until", "2020-01-01"), "is not after the start"),
        (("preview", "--rule", ""), "--rule: "),
        (("preview", "--rule", "x" * 300), "--rule: "),
        (("preview", "--rule", "a", "--weekly", "someday"), "is not a list of weekdays"),
        (("preview", "--rule", "a", "--between", "22-6"), "is not a time window"),
        (("preview", "--rule", "a", "--between", "25:00-26:00"), "is not a time window"),
        (("preview", "--rule", "a", "--between", "08:00-08:00"), "is empty"),
        (("preview", "--rule", "a", "--between", "08:00"), "is not a time window"),
        (
            ("preview", "--rule", "a", "--weekly", "mon", "--timezone", "Mars/Olympus"),
            "--timezone: there is no time zone 'Mars/Olympus'",
        ),
        (
            ("preview", "--rule", "a", "--timezone", "Europe/Berlin"),
            "--timezone is an option of a recurring",
        ),
        (("preview", "--rule", "a", "--outside"), "--outside is an option of a recurring"),
        (
            ("preview", "--rule", "a", "--calendar", "NYSE"),
            "--calendar is an option of a recurring",
        ),
        (
            ("preview", "--rule", "a", "--weekly", "mon", "--calendar", "NYSE"),
            "--calendar needs --days",
        ),
        (("preview", "--rule", "a", "--days", "trading"), "needs a `calendar`"),
        (
            ("preview", "--rule", "a", "--days", "trading", "--calendar", "MOON"),
            "there is no calendar 'MOON'",
        ),
        (("show", "abc"), "'abc' is not the id of any silence"),
        (("show", "7"), "there is no silence 7"),
        (("expire",), "name at least one silence by its id"),
        (("expire", "1.5"), "'1.5' is not the id of any silence"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_one_sentence_and_makes_no_silence(
    arguments: tuple[str, ...],
    sentence: str,
    store: Engine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sentence in refused_here(capsys, "silences", *arguments)
    assert stored_silences.all_silences(store, now=datetime.now(UTC)) == []


def test_without_a_store_there_is_nothing_to_silence(tmp_path: Path) -> None:
    file = tmp_path / "nowhere.db"
    command = Command(f"sqlite:///{file}", tmp_path)
    assert "sentinel db upgrade" in command.refused("silences", "list")
    assert "sentinel db upgrade" in command.refused("silences", "preview", "--rule", "*")
    assert not file.exists()


def test_hostile_words_stay_words(store: Engine, tmp_path: Path) -> None:
    small = Command(store.url.render_as_string(), tmp_path)
    hostile = "[red]x[/red]\x1b[31m\nsilence 9: ended by bo"
    small(
        *("silences", "create", "--rule", "[b]*", "--for", "2h"),
        *("--comment", hostile, "--by", hostile),
    )
    for said in (small("silences", "list"), small("silences", "show", "1")):
        assert "\x1b" not in said
        assert "[b]*" in said
        assert "[red]x[/red]" in said
        assert not any(line.startswith("silence 9") for line in said.splitlines())


def test_help_is_enough_to_get_going(tmp_path: Path) -> None:
    said = " ".join(Command("", tmp_path)("silences", "create", "--help").split())
    for expected in (
        'sentinel silences create --rule "disk-*" --for 2h --comment "moving logs"',
        "--weekly",
        "--between",
        "--calendar",
        "mon-fri",
        "Europe/Berlin",
    ):
        assert expected in said
