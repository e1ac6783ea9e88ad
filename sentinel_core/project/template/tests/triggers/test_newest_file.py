"""The age of the newest file: thresholds as a table, the real file system, and a rule with it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triggers.files.newest_file import NewestFile

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def a_file(folder: Path, name: str, minutes_old: float) -> None:
    path = folder / name
    path.touch()
    time = (datetime.now(UTC) - timedelta(minutes=minutes_old)).timestamp()
    os.utime(path, (time, time))


@pytest.mark.parametrize(
    ("minutes", "triggered", "problem"),
    [(0, False, None), (120, False, None), (121, True, None), (-30, False, "error")],
)
def test_the_age_is_compared(minutes: float, triggered: bool, problem: str | None) -> None:
    trigger = NewestFile(folder="/exports", older_than_minutes=120)
    output = trigger.evaluate(("a.csv", NOW - timedelta(minutes=minutes)), NOW)
    assert (output.triggered, output.problem) == (triggered, problem)


def test_a_folder_without_such_files_is_no_data(tmp_path: Path) -> None:
    a_file(tmp_path, "notes.txt", 5)
    output = NewestFile(folder=str(tmp_path), pattern="*.csv").check()
    assert (output.triggered, output.problem) == (False, "no_data")


def test_a_folder_that_is_gone_is_not_ok_but_not_checked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        NewestFile(folder=str(tmp_path / "gone")).check()


def test_an_event_opens_with_the_first_old_file_and_ends_with_a_new_one(
    sentinel_rule, sentinel_clock, tmp_path: Path
) -> None:
    rule = sentinel_rule(NewestFile(folder=str(tmp_path), older_than_minutes=60))
    a_file(tmp_path, "monday.csv", 90)
    rule.run()
    assert [event["resolved_at"] for event in rule.events] == [None]
    sentinel_clock.advance(minutes=10)
    a_file(tmp_path, "tuesday.csv", 1)
    rule.run()
    assert rule.events[0]["resolved_at"] is not None
