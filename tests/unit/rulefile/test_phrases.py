"""Values and suggestions as messages about a file show them."""

import pytest

from sentinel_core.rulefile.phrases import did_you_mean, dotted, shown


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ("treshold", ["threshold", "path"], "; did you mean threshold?"),
        ("xyz", ["threshold", "path"], "; known: threshold, path"),
        ("xyz", ["a"] * 25, f"; known: {', '.join(['a'] * 25)}"),
        ("xyz", ["a"] * 26, ""),
        ("xyz", [], ""),
        (None, ["a"], "; known: a"),
    ],
)
def test_a_near_name_is_suggested_or_those_there_are(
    given: object, known: list[str], said: str
) -> None:
    assert did_you_mean(given, known) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "nothing"),
        ("a\nb", "'a\\nb'"),
        (5, "5"),
        ("x" * 100, "'" + "x" * 78 + "…"),
    ],
)
def test_a_value_is_shown_on_one_line(value: object, said: str) -> None:
    assert shown(value) == said


def test_a_path_is_written_as_in_the_file() -> None:
    assert dotted(("schedules", 0, "cron")) == "schedules[0].cron"
    assert dotted(()) == ""
