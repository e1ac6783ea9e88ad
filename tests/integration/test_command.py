"""`sentinel` in a process of its own answers what it answers in the tests' process."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.command import Command
from tests.support.recorded import NOON, a_rule, fire
from tests.support.runs import rows

READING = (
    ("events", "list"),
    ("events", "list", "--json"),
    ("events", "show", "1"),
    ("events", "show", "98765"),
    ("silences", "list"),
    ("silences", "preview", "--rule", "*"),
    ("channels", "--help"),
    ("rules", "check", "no-such-file.yaml"),
    ("events", "list", "--no-such-option"),
    ("report", "--help"),
    ("reconcile", "--help"),
    ("--version",),
)


@pytest.fixture
def sentinel(store: Engine, tmp_path: Path) -> Command:
    fire(store, a_rule(), NOON, ticker="/data", message="[b]Zu voll[/b] \N{SNOWMAN}")
    return Command(store.url.render_as_string(), tmp_path)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_process_of_its_own_says_the_same(sentinel: Command, arguments: tuple[str, ...]) -> None:
    spawned, here = sentinel.spawn(*arguments), sentinel.run(*arguments)
    assert (spawned.returncode, spawned.stdout, spawned.stderr) == (
        here.returncode,
        here.stdout,
        here.stderr,
    )
    assert spawned.stdout + spawned.stderr


def test_what_a_process_of_its_own_does_is_in_the_store(sentinel: Command, store: Engine) -> None:
    for arguments in (
        ("db", "upgrade"),
        ("events", "acknowledge", "1", "--comment", "on it"),
        ("silences", "create", "--rule", "disk", "--for", "2h", "--comment", "moving logs"),
    ):
        done = sentinel.spawn(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
    [event] = rows(store, "alert_event")
    assert (event["acknowledged_by"], event["comment"]) == ("ana", "on it")
    [silence] = rows(store, "silence")
    assert (silence["comment"], silence["author"]) == ("moving logs", "ana")


@pytest.mark.parametrize("flags", [("--help",), ()])
def test_a_groups_help_says_what_each_command_does(
    sentinel: Command, flags: tuple[str, ...]
) -> None:
    shown = sentinel.spawn("channels", *flags).stdout
    for line in ("list     List the channels", "preview  Show a rule's", "test     Send a test"):
        assert line in shown, shown
