"""Deployments are added to a prefect.yaml of any shape, and no byte that was there is lost."""

import difflib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sentinel_core.base.errors import ProjectError, RuleFileError
from sentinel_core.project.merge import merged
from sentinel_core.project.template import RULE_FILE, deployments, files

HERE = Path("prefect.yaml")
TEMPLATE = files()[RULE_FILE].decode()

PREFECT_INIT = """\
# Welcome to your prefect.yaml file! You can use this file for storing and managing
# configuration for deploying your flows.

# Generic metadata about this project
name: shop
prefect-version: 3.8.8

# build section allows you to manage and build docker images
build: null

# pull section allows you to provide instructions for cloning this project in remote locations
pull:
- prefect.deployments.steps.git_clone:
    repository: 'https://git.example.org/shop.git'   # theirs
    branch: "main"

# the deployments section allows you to provide configuration for deploying flows
deployments:
- name: nightly
  version: null
  tags: []
  entrypoint: flows/etl.py:nightly
  parameters: {}
  work_pool:
    name: etl
    work_queue_name: null
    job_variables: {}
"""
CORPUS = {
    "as `prefect init` writes it": PREFECT_INIT,
    "without any deployments": "name: shop\npull: null\n",
    "with nothing under deployments": "name: shop\ndeployments:\n",
    "with a comment under deployments": "deployments: # none yet\n  # - name: old\n\n# the end\n",
    "only comments": "# to be written\n",
    "empty": "",
    "a document's start": "---\n",
    "a document's start without a line break": "---",
    "a document's start among comments": "# ours\n--- # begins\n# soon\n",
    "without a last line break": "deployments:\n  - name: a\n    entrypoint: f.py:f",
    "Windows line breaks": PREFECT_INIT.replace("\n", "\r\n"),
    "keys behind the deployments": (
        "deployments:\n  - name: a\n    entrypoint: f.py:f\n  # - name: off\n\n# pull\npull: null\n"
    ),
    "keys right behind the deployments": "deployments:\n- name: a\npull: null\nname: x\n",
    "anchors of our names": (
        "definitions:\n"
        "  rule: &rule {work_pool: {name: mine}}   # ours is another\n"
        "  routes: &routes [a]\n"
        "deployments:\n"
        "  - <<: *rule\n    name: a\n    tags: *routes\n"
    ),
    "definitions of their own": (
        "definitions:\n    team: &team\n        tags: [x]\n\n# all\ndeployments:\n"
        "    -   <<: *team\n        name: a\n"
    ),
    "definitions behind the deployments": "deployments:\n- name: a\ndefinitions: {b: 1}\n",
    "definitions in braces": (
        "definitions: {team: &team [x]}\ndeployments:\n- {name: a, tags: *team}\n"
    ),
    "definitions that are nothing": "definitions:\ndeployments:\n- name: a\n",
    "an alias as the last word": (
        "x: &list\n  - a\ndeployments:\n  - name: a\n    tags:\n      *list\n\n\n"
    ),
    "a list that ends in an alias": (
        "x: &one t\ndeployments:\n  - name: a\n    tags:\n      - *one\n      - *one\n# end\n"
    ),
    "a text that keeps its blank lines": (
        "deployments:\n  - name: a\n    description: |+\n      Two lines.\n\n\n"
    ),
    "a folded text at the end": (
        "deployments:\n  - name: a\n    description: >-\n      One\n      # two\n"
    ),
    "a text before the deployments": "x: |+\n  a\n\n# theirs\ndeployments:\n- name: a\n",
    "a document with marks": "%YAML 1.1\n---\ndeployments:\n  - name: a\n...\n",
    "indented as a whole": "  name: x\n  deployments:\n  - name: a\n  pull: null\n",
    "words of YAML 1.1": "deployments:\n- name: a\n  on: off\n  tags: [NO, 22:30, .nan, 0700]\n",
    "items in braces over lines": "deployments:\n- {name: a,\n   tags: [x,\n  y]}   # odd\n",
    "quoted keys": '"deployments":\n- \'name\': "a"\n  ? entrypoint\n  : f.py:f\n',
    "the template itself, shortened": TEMPLATE[: TEMPLATE.index("  - <<: *rule\n")],
}
REFUSED = {
    "a flow list": (
        "name: x\ndeployments: [{name: a}]\n",
        "prefect.yaml:2: deployments: expected a list",
    ),
    "an empty list with an anchor": (
        "deployments: &none []\n",
        "prefect.yaml:1: deployments: expected a list",
    ),
    "an empty list with a comment in it": (
        "deployments: [ # none yet\n  ]\n",
        "prefect.yaml:1: deployments: expected a list",
    ),
    "a mapping": ("deployments:\n  a: {}\n", "prefect.yaml:1: deployments: expected a list"),
    "an alias": (
        "x: &x\n- name: a\ndeployments: *x\n",
        "prefect.yaml:3: deployments: expected a list",
    ),
    "a file in braces": ("{deployments: [{name: a}]}\n", "expected keys on lines of their own"),
    "a list": ("- name: a\n", "expected keys on lines of their own"),
    "a tab": ("deployments:\n\t- name: a\n", "prefect.yaml:2: not YAML: .*cannot start any token"),
    "broken YAML": ("deployments:\n  - name: [a\n", "prefect.yaml:\\d: not YAML"),
    "two documents": ("a: 1\n---\nb: 1\n", "prefect.yaml:2: not YAML: .*another document"),
    "deployments by a merge": (
        "x: &x {deployments: [{name: a}]}\n<<: *x\n",
        "is written in a way to which nothing can be added",
    ),
}


def readings(text: str) -> list[Any]:
    """What PyYAML and ruamel.yaml make of a text, by YAML 1.1 and 1.2."""
    ruamel = YAML(typ="safe", pure=True)
    return [yaml.safe_load(text) or {}, ruamel.load(text) or {}]


OURS = readings(TEMPLATE)
ALL = list(deployments().values())


def assert_added(old: str, new: str, first: int = 0, last: int | None = None) -> None:
    """Nothing but lines were added, and every reader finds the old values and then ours."""
    steps = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    assert {tag for tag, *_ in steps.get_opcodes()} <= {"equal", "insert"}
    for before, after, ours in zip(readings(old), readings(new), OURS, strict=True):
        listed = [*(before.get("deployments") or []), *ours["deployments"][first:last]]
        assert repr(after["deployments"]) == repr(listed)
        for key in before.keys() - {"deployments", "definitions"}:
            assert repr(after[key]) == repr(before[key])
        if "definitions" in before and not before["definitions"]:
            assert after["definitions"] == before["definitions"]
        for key, value in (before.get("definitions") or {}).items():
            assert after["definitions"][key] == value


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_what_was_there_stays_and_ours_is_behind_it(text: str) -> None:
    assert_added(text, merged(HERE, text, ALL))


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_a_file_to_which_nothing_can_be_added_is_refused(text: str, why: str) -> None:
    with pytest.raises((ProjectError, RuleFileError), match=why):
        merged(HERE, text, ALL)


@pytest.mark.parametrize(
    "text",
    [
        "name: x\ndeployments: {}\npull: null\n",
        "deployments: {}",
        "deployments:   {} # none yet\r\n\r\nname: x\r\n",
        "deployments:\n  {}\n",
    ],
)
@pytest.mark.parametrize("nothing", ["[]", "[ ]", "[\n  ]", "null", "~", "NULL"])
def test_a_word_for_nothing_gives_way_to_the_list(text: str, nothing: str) -> None:
    new = merged(HERE, text.replace("{}", nothing), ALL)
    assert_added(re.sub(" *{}", "", text), new)
    assert ("# none yet" in new) is ("# none yet" in text)


@pytest.mark.parametrize("end", ["|", ">", "|+"])
def test_a_text_at_the_end_gets_its_last_line_ended(end: str) -> None:
    text = f"deployments:\n- description: {end}\n    a"
    assert_added(f"{text}\n", merged(HERE, text, ALL))


@pytest.mark.parametrize("end", ["|", ">", "|+"])
def test_a_text_at_the_end_stays_as_it_is_behind_the_deployments(end: str) -> None:
    text = f"deployments:\n- name: a\nx: {end}\n  a"
    assert_added(text, merged(HERE, text, ALL))


@pytest.mark.parametrize("text", ["\t\n \t\n", "  \n   \n", "\n"])
def test_a_file_of_blanks_is_an_empty_one(text: str) -> None:
    assert merged(HERE, text, ALL) == merged(HERE, "", ALL)


def test_an_empty_file_becomes_the_template_but_for_its_head() -> None:
    text = merged(HERE, "", list(deployments().values()))
    assert text == TEMPLATE[TEMPLATE.index("definitions:") :]


def test_the_anchor_of_an_earlier_time_is_used_again() -> None:
    first = merged(HERE, PREFECT_INIT, ALL[:5])
    second = merged(HERE, first, ALL[5:])
    assert second.count("&rule") == 1
    assert_added(PREFECT_INIT, second)


# A prefect.yaml put together from what people write.
_comments = st.lists(st.sampled_from(["", "# note", "#", "   ", "# - name: old"]), max_size=3)
_values = st.sampled_from(
    [
        *("", "~", "plain", "plain # comment", "'it''s'", '"a: \\n b"', "'# no comment'"),
        *("{a: 1, b: [x, y]}", "[]", "&v_{n} 1", "ü ✓ 日本", "!!str 12"),
        *("|\n{i}  line\n{i}\n{i}  # no comment", ">-\n{i}  folded\n{i}  text"),
        *("|+\n{i}  kept\n", "\n{i}  deep:\n{i}    - er", "\n{i}  - a\n{i}  - b  # c"),
    ]
)
_definitions = st.sampled_from(
    [
        *(
            "",
            "{}",
            "{rule: 1}",
            "{a: &rule 1}",
            "&named\n  a: 1",
            "\n    team: &team [x]  # of all",
        ),
        *(
            "\n  rule: &rule {a: 1}\n  # routes",
            "\n  sentinel-rule: &rule x",
            "\n  rule: |+\n    x\n",
        ),
    ]
)
_fields = st.lists(st.tuples(_values, _comments), max_size=4)


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    dash, column = draw(st.sampled_from([0, 1, 2, 4])), draw(st.sampled_from([2, 4]))
    lines = [line.strip() for line in draw(_comments)]
    number = 0

    def add(key: str, value: str, indent: int) -> None:
        nonlocal number
        number += 1
        value = value.replace("{i}", " " * indent).replace("{n}", str(number))
        lines.extend(f"{key} {value}".splitlines())

    keys = ["before", "deployments", "definitions", "after"]
    for key in draw(st.permutations(keys[: draw(st.integers(2, 4))])):
        if key != "deployments":
            add(f"{key}:", draw(_definitions if key == "definitions" else _values), 0)
            lines += draw(_comments)
            continue
        lines.append("deployments:")
        lines += draw(_comments)
        for item in range(draw(st.integers(0, 3))):
            lines.append(f"{' ' * dash}-{' ' * (column - 1)}name: n{item}")
            indent = dash + column
            for field, (value, comments) in enumerate(draw(_fields)):
                add(f"{' ' * indent}f{field}:", value, indent)
                lines += comments
    end = draw(st.sampled_from(["\n", "\n\n\n", "\n# end\n"]))
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, *end.split("\n")[:-1], ""])


@settings(deadline=None)
@given(rule_files())
def test_a_file_put_together_from_anything_gets_ours_and_loses_nothing(text: str) -> None:
    assert_added(text, merged(HERE, text, ALL[3:5]), 3, 5)  # housekeeping, and a rule
