"""Words that YAML 1.1 reads in its own way are named, with what to write instead."""

from pathlib import Path

import pytest
import ruamel.yaml
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.rulefile.check import check
from sentinel_core.rulefile.check_words import MOST_WORDS
from sentinel_core.rulefile.source import Problem
from sentinel_core.rulefile.yaml_words import word_of, words_below

WORDS = [
    ("ON", "true"),
    ("NO", "false"),
    ("yes", "true"),
    ("off", "false"),
    ("0700", "448"),
    ("010", "8"),
    ("22:30", "1350"),
    ("1_000", "1000"),
    ("1:30.5", "90.5"),
    ("2026-01-01 10:00:00", "2026-01-01T10:00:00"),
]
READ_ALIKE = ["true", "False", "5", "-7", "+1", "1.5", ".5", "1.0e+3", "0x1F", "~", "null"]
QUOTED = ["'ON'", '"NO"', "'0700'", "!!str ON", "!!str 0700"]


def problems(file: Path, parameters: str, more: str = "") -> list[Problem]:
    """The problems of a rule with these parameters of its check, written as in the file."""
    file.write_text(
        "deployments:\n- name: rule\n  entrypoint: flows/custom.py:sql_query\n"
        "  work_pool: {name: pool}\n  schedules: [{cron: '0 * * * *'}]\n"
        f"{more}  parameters:\n    check:\n      url: env:SENTINEL_RULE_A\n      query: SELECT 1\n"
        f"{parameters}"
    )
    return check(file, ask_prefect=False).problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prefect.yaml"


def reads(word: str, value: str) -> str:
    return f'the file says `{word}`, which YAML 1.1 reads as {value}: quote it ("{word}")'


@pytest.mark.parametrize(("word", "value"), WORDS)
def test_a_word_in_a_field_of_text_is_an_error_that_says_what_was_written(
    file: Path, word: str, value: str
) -> None:
    (problem,) = problems(file, f"      message: {word}\n")
    assert (problem.level, problem.line) == ("error", 10)
    assert problem.field == "parameters.check.message"
    assert problem.message.endswith(reads(word, value))


@pytest.mark.parametrize(
    ("word", "level", "value"),
    [
        ("NO", "error", "reads as false: quote it"),
        ("010", "warning", "reads as 8: quote it"),
        ("1:30", "warning", "reads as 90: quote it"),
        ("22:30:00", "error", "reads as 81000: quote it"),
        ("1e2", "error", "reads as text: write 100.0 for the number, or quote it"),
    ],
)
def test_a_word_in_a_field_of_numbers_is_named(
    file: Path, word: str, level: str, value: str
) -> None:
    (problem,) = problems(file, f"      max_rows: {word}\n")
    assert problem.level == level
    assert f"the file says `{word}`, which YAML 1.1 {value}" in problem.message


@pytest.mark.parametrize("word", ["1_000", "0x10", "0b11"])
def test_a_number_that_can_mean_nothing_else_is_no_problem_in_a_field_of_numbers(
    file: Path, word: str
) -> None:
    assert problems(file, f"      max_rows: {word}\n") == []


@pytest.mark.parametrize(
    ("word", "value"), [*WORDS, ("1e3", "text"), ("08", "text"), ("-.5", "text")]
)
def test_a_word_in_a_free_place_is_a_warning(file: Path, word: str, value: str) -> None:
    free = f"      parameters: {{a: '{word}', b: {word}, c: ['{word}', {word}]}}\n"
    found = problems(file, free)
    assert [p.field.removeprefix("parameters.check.parameters.") for p in found] == ["b", "c[1]"]
    assert {p.level for p in found} == {"warning"}
    assert all(f"says `{word}`, which YAML 1.1 reads as {value}:" in p.message for p in found)
    if value != "text":
        assert found[0].message == f"{reads(word, value)}, or write {value} if that is meant"


@pytest.mark.parametrize("written", [*READ_ALIKE, *QUOTED])
def test_what_both_versions_read_alike_and_what_is_quoted_is_not_warned_of(
    file: Path, written: str
) -> None:
    free = f"      parameters: {{a: {written}, b: [{written}], 'ON': 1, 'NO': 2}}\n"
    assert problems(file, free) == []


@pytest.mark.parametrize(
    ("word", "key"), [("ON", "True"), ("NO", "False"), ("0700", "448"), ("22:30", "1350")]
)
def test_a_word_as_a_key_is_an_error(file: Path, word: str, key: str) -> None:
    (problem,) = problems(file, f"      parameters:\n        a: 1\n        {word}: 5\n")
    assert (problem.level, problem.line) == ("error", 12)
    assert problem.field == f"parameters.check.parameters.{key}"
    assert f"reads the key `{word}` as" in problem.message
    assert problem.message.endswith(f'quote it ("{word}")')


def test_words_behind_anchors_aliases_and_merges_are_named_where_they_were_written(
    file: Path,
) -> None:
    more = "  description: &text 'OFF'\n  tags: [&word off]\n"
    merged = (
        "      parameters:\n        base: &base [NO]\n        again: *base\n        text: *text\n"
        "        word: *word\n"
        "  schedules:\n  - {cron: '0 * * * *', parameters: &own {check: &check {\n"
        "    url: 'env:SENTINEL_RULE_A', query: SELECT 2, parameters: {a: 010}}}}\n"
        "  - {cron: '5 * * * *', parameters: {<<: *own, check: {<<: *check, max_rows: 5}}}\n"
    )
    found = problems(file, merged, more)
    written = sorted((p.level, p.field) for p in found if "YAML 1.1" in p.message)
    assert written == [
        ("error", "tags[0]"),
        ("warning", "parameters.check.parameters.again[0]"),
        ("warning", "parameters.check.parameters.base[0]"),
        ("warning", "parameters.check.parameters.word"),
        ("warning", "schedules[0].parameters.check.parameters.a"),
        ("warning", "schedules[1].parameters.check.parameters.a"),
    ]


def test_words_outside_of_the_parameters_are_named(file: Path) -> None:
    more = (
        "  tags: [NO]\n  description: off\n  version: 2026-01-01 10:00:00\n  paused: no\n"
        "  concurrency_limit: 1_0\n"
    )
    found = problems(file, "", more)
    assert [(p.level, p.field) for p in found] == [
        ("error", "tags[0]"),
        ("error", "description"),
        ("error", "version"),
    ]
    assert all("quote it" in p.message for p in found)


def test_job_variables_take_anything_and_so_words_are_warned_of(file: Path) -> None:
    file.write_text(
        "deployments:\n- name: rule\n  entrypoint: flows/custom.py:sql_query\n"
        "  work_pool: {name: pool, job_variables: {env: {DEBUG: yes, MODE: '0700', OFF: a}}}\n"
        "  schedules: [{cron: '0 * * * *'}]\n"
        "  parameters: {check: {url: 'env:SENTINEL_RULE_A', query: SELECT 1}}\n"
    )
    found = check(file, ask_prefect=False).problems
    assert sorted((p.level, p.field.rpartition(".")[2]) for p in found) == [
        ("error", "False"),
        ("warning", "DEBUG"),
    ]


def test_a_null_that_is_refused_says_how_it_was_written(file: Path) -> None:
    (problem,) = problems(file, "      query: NULL\n")[-1:]
    assert "the file says `NULL`, which YAML 1.1 reads as nothing: quote it" in problem.message


@pytest.mark.parametrize(
    "hostile",
    [
        f"      parameters: {{a: 0b{'1' * 20_000}}}\n",
        f"      ? 0x{'f' * 9_000}\n      : 1\n",
        f"      parameters: {{a: {'9' * 5_000}}}\n",
        f"      parameters: {{a: 0{'7' * 5_000}}}\n",
    ],
)
def test_a_number_of_thousands_of_digits_is_refused(file: Path, hostile: str) -> None:
    (problem,) = problems(file, hostile)
    assert (problem.level, problem.line) == ("error", 10)
    assert "a number of more than 1,000 digits" in problem.message


def test_thousands_of_words_are_named_in_part(file: Path) -> None:
    found = problems(file, f"      parameters: {{a: [{', '.join(['on'] * 20_000)}]}}\n")
    assert 0 < len(found) <= 25
    assert {p.level for p in found} == {"warning"}


def test_words_beyond_those_that_are_looked_at_are_said_to_be_there(file: Path) -> None:
    def named(words: int) -> list[Problem]:
        return problems(file, f"      parameters: {{a: [{', '.join(['on'] * words)}]}}\n")

    assert len(named(MOST_WORDS)) == MOST_WORDS
    more, *looked_at = named(MOST_WORDS + 1)
    assert len(looked_at) == MOST_WORDS
    assert (more.level, more.line, more.field) == ("warning", 2, "")
    assert more.message.startswith(f"more than {MOST_WORDS} words that YAML 1.1 reads in its own")


def test_an_alias_of_an_alias_of_thousands_of_values_is_walked_once() -> None:
    levels = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    assert list(words_below(yaml.compose("\n".join(levels), Loader=yaml.SafeLoader))) == []


READER_1_2 = ruamel.yaml.YAML(typ="safe", pure=True)


@given(st.text("0123456789.eE+-:xoabfnyNOtrues~", min_size=1, max_size=8))
def test_a_scalar_is_a_word_exactly_when_a_reader_of_yaml_1_2_differs(raw: str) -> None:
    try:
        node = yaml.compose(f"[{raw}]", Loader=yaml.SafeLoader).value[0]
        (by_1_1,) = yaml.safe_load(f"[{raw}]")
        (by_1_2,) = READER_1_2.load(f"[{raw}]")
    except (yaml.YAMLError, ruamel.yaml.error.YAMLError, ValueError):
        return
    if not isinstance(node, yaml.ScalarNode) or node.value != raw or raw.startswith("0b"):
        return  # a reader of 1.2 that also takes binary numbers, which the core schema does not
    alike = repr(by_1_1) == repr(by_1_2) or by_1_1 == by_1_2 == 0 or by_1_2 in (1e999, -1e999)
    assert (word_of(node) is None) == alike
