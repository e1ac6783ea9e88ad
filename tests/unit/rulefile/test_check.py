"""A rule file is judged as a whole: every problem at once, each with its place and what to do."""

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sentinel_core.base.errors import RuleFileError
from sentinel_core.cli import main
from sentinel_core.rulefile.check import check
from sentinel_core.rulefile.check_parameters import as_written
from sentinel_core.rulefile.check_schedules import wrong_cron, wrong_timezone
from sentinel_core.rulefile.source import Problem, Where, read, work_pools
from sentinel_core.wording.schedules import cron_words, interval_words

DISK = "flows/system.py:disk_usage"
GOOD: dict[str, Any] = {
    "name": "disk",
    "entrypoint": DISK,
    "work_pool": {"name": "sentinel"},
    "schedules": [{"cron": "*/5 * * * *", "timezone": "UTC"}],
    "parameters": {"check": {"path": "/", "threshold": 90}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prefect.yaml"


def problems(file: Path, content: str | bytes) -> list[Problem]:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return check(file, ask_prefect=False).problems


def told(file: Path, *deployments: Any, **top: Any) -> list[str]:
    """The problems of a file with these deployments, without file and line."""
    found = problems(file, yaml.safe_dump({**top, "deployments": list(deployments)}))
    return [f"{p.level}: {p.field}: {p.message}" for p in found]


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in keys}


def test_a_good_rule_has_no_problems(file: Path) -> None:
    assert told(file, GOOD) == []


def test_merge_keys_anchors_and_definitions_are_understood(file: Path) -> None:
    content = """
definitions:
  rule: &rule
    work_pool: {name: sentinel}
    schedules: [{cron: "0 * * * *"}]
  routes: &routes {high: [slack-webhook/alerts]}
deployments:
  - <<: *rule
    name: a
    entrypoint: flows/system.py:disk_usage
    parameters: {check: {threshold: 5}, notify: *routes}
  - <<: *rule
    name: b
    entrypoint: flows/system.py:disk_usage
    work_pool: {name: other}
    parameters: {check: {threshold: many}}
"""
    (problem,) = problems(file, content)
    assert (problem.line, problem.deployment) == (16, "b")
    assert problem.field == "parameters.check.threshold"
    assert str(problem).startswith(f"{file}:16: b: parameters.check.threshold: expected")
    assert work_pools(file) == ["sentinel", "other"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"concurency_limit": 1}, "concurency_limit: unknown deployment key; did you mean concurr"),
        ({"name": 5}, "name: expected text, got a number (5): put it in quotes"),
        ({"name": "a/b"}, "name: expected a name without any of /"),
        ({"name": "a\nb"}, "name: expected a name without line breaks"),
        ({"name": "a\x1b[2Jb"}, "name: expected a name without line breaks"),
        ({"name": "  "}, "name: expected text without spaces around it"),
        ({"name": "x" * 201}, "name: expected at most 200 characters, got 201"),
        ({"name": "disk.py"}, "name: expected a name that does not end in .py"),
        ({"entrypoint": ["a"]}, "entrypoint: expected flows/<family>.py:<flow>"),
        ({"entrypoint": "flows/nope.py:x"}, "entrypoint: there is no file flows/nope.py"),
        ({"entrypoint": "flows/system.py:disc_usage"}, "did you mean disk_usage?"),
        ({"entrypoint": "flows/system.py:rule_flow"}, "entrypoint: rule_flow is not a flow"),
        ({"work_pool": "sentinel"}, "work_pool: expected `work_pool: {name: sentinel}`"),
        ({"work_pool": {"nam": "x"}}, "work_pool.nam: unknown work pool key; did you mean name?"),
        ({"tags": "market"}, "tags: expected a list of texts, got 'market'"),
        ({"paused": "yes please"}, "paused: expected true or false, got 'yes please'"),
        ({"parameters": [1]}, "parameters: expected a mapping of parameters"),
        ({"concurrency_limit": 0}, "concurrency_limit: expected a whole number from 1 up, got 0"),
        (
            {"concurrency_limit": {"limit": 1, "collision_strategy": "DROP"}},
            "concurrency_limit.collision_strategy: expected ENQUEUE or CANCEL_NEW, got 'DROP'",
        ),
        ({"schedules": {"cron": "* * * * *"}}, "schedules: expected a list of schedules"),
        ({"schedules": ["* * * * *"]}, "schedules[0]: expected a mapping with cron"),
        ({"schedules": [{}]}, "schedules[0]: expected exactly one of cron, interval, rrule; got n"),
        (
            {"schedules": [{"cron": "* * * * *", "interval": 5}]},
            "schedules[0]: expected exactly one of cron, interval, rrule; got cron and interval",
        ),
        (
            {"schedules": [{"corn": "* * * * *"}]},
            "schedules[0].corn: unknown schedule key; did you mean cron?",
        ),
        ({"schedules": [{"interval": -5}]}, "schedules[0].interval: expected seconds above 0"),
        ({"schedules": [{"rrule": "EVERY DAY"}]}, "schedules[0].rrule: expected an iCalendar rule"),
        (
            {"schedules": [{"cron": "* * * * *", "timezone": "America/NewYork"}]},
            "did you mean America/New_York?",
        ),
        ({"description": "{{ $NOT_SET_ANYWHERE }}"}, "variable NOT_SET_ANYWHERE is not set"),
        (
            {"name": "{{ prefect.variables.x }}"},
            "name: expected text or {{ $VARIABLES }}, got",
        ),
        ({"version": float("nan")}, "expected a finite number, got nan"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(
    file: Path, changed: dict[str, Any], expected: str
) -> None:
    found = told(file, {**GOOD, **changed})
    assert any(expected in line and line.startswith("error") for line in found), found


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "parameters.check: missing: this parameter is required"),
        ({"check": {"treshold": 5}}, "check.treshold: unknown parameter; did you mean threshold?"),
        ({"check": {"threshold": "abc"}}, "check.threshold: expected a valid number"),
        ({"check": {"threshold": "90"}}, "check.threshold: expected number, got '90'"),
        ({"check": {"threshold": 900}}, "check.threshold: expected less than or equal to 100"),
        ({"check": {"threshold": True}}, "check.threshold: expected number, got True"),
        ({"check": "threshold"}, "parameters.check: expected a mapping"),
        ({"check": {}, "importence": "high"}, "importence: unknown parameter; did you mean import"),
        ({"check": {}, "importance": "urgent"}, "importance: expected 'low', 'medium', 'high' or"),
        ({"check": {}, "notify": {"high": ["alerts"]}}, "notify.high[0]: expected a notification"),
        (
            {"check": {}, "notify": {"hihg": []}},
            "notify.hihg: unknown parameter; did you mean hi",
        ),
    ],
)
def test_a_wrong_parameter_is_named_by_its_path(
    file: Path, parameters: dict[str, Any], expected: str
) -> None:
    found = told(file, {**GOOD, "parameters": parameters})
    assert any(expected in line for line in found), found
    scheduled = {"cron": "0 * * * *", "parameters": parameters}
    if parameters:  # Prefect's deploy never looks into these
        nested = told(file, {**GOOD, "schedules": [scheduled]})
        assert any(expected.removeprefix("parameters.") in line for line in nested), nested


NUMBER = "flows/metric.py:metric_threshold"
HTTP = {"kind": "http", "url": "http://127.0.0.1/load"}
CPU = {"kind": "psutil", "metric": "cpu_percent"}


def number(check: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule about a number."""
    return {**GOOD, "entrypoint": NUMBER, "parameters": {"check": check, **more}}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "http", "url": "ftp://x/"}, "check.source.url: expected http://"),
        ({"kind": "http", "uri": "http://x/"}, "check.source.uri: unknown parameter; did you mean"),
        ({"kind": "http"}, "check.source.url: missing: this parameter is required (string: http"),
        (
            {"kind": "sql", "query": "select 1"},
            "url: missing: this parameter is required (string: a",
        ),
        ({"kind": "htpp"}, "check.source: input tag 'htpp' found using 'kind'"),
        ({}, "check.source: unable to extract tag using discriminator 'kind'"),
        (
            {"kind": "cache_hit_rate", "hits": {"kind": "http", "url": 5}, "misses": HTTP},
            "check.source.hits.url: expected a valid string, got 5",
        ),
        (
            {
                "kind": "cache_hit_rate",
                "hits": HTTP,
                "misses": {"kind": "http", "uri": "http://x/"},
            },
            "check.source.misses.uri: unknown parameter; did you mean url?",
        ),
    ],
)
def test_what_is_wrong_in_one_of_several_sources_is_named_where_it_was_written(
    file: Path, source: dict[str, Any], expected: str
) -> None:
    found = told(file, number({"source": source, "threshold": 1}))
    assert any(expected in line for line in found), found
    assert not any(f"source.{kind}" in line for kind in ("http", "sql") for line in found)


OVER = [{"op": "gt", "value": 90}]


def test_a_number_that_is_compared_with_nothing_is_warned_of(file: Path) -> None:
    for lonely in (
        number({"source": CPU}),
        number({"source": CPU, "threshold": None}, conditions=[]),
    ):
        (warning,) = told(file, lonely)
        assert warning == (
            "warning: parameters.check: no conditions and no threshold: the number is recorded, "
            "and this rule never triggers"
        )
    assert told(file, number({"source": CPU, "threshold": 0})) == []
    assert told(file, number({"source": CPU}, conditions=OVER)) == []


def test_a_schedule_may_bring_what_a_number_is_compared_with_or_take_it_away(file: Path) -> None:
    good = number({"source": CPU}, conditions=OVER)
    without_any = {"cron": "0 * * * *", "parameters": {"conditions": []}}
    (warning,) = told(file, {**good, "schedules": [without_any]})
    assert warning.startswith("warning: schedules[0].parameters.check: no conditions")


def wrong(kind: Any, value: Any) -> list[tuple[Where, str]]:
    """Where pydantic's errors were written, and what type they are."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        located = [(item["loc"], item) for item in error.errors()]
        return [(path, item["type"]) for path, item in as_written(located, value)]
    return []


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int
    y: int


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")
    centre: Point
    radius: float


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Point, {"x": 1, "y": "a"}, [(("y",), "int_parsing")]),
        (Point, {"x": 1}, [(("y",), "missing")]),
        (list[Point], [{"x": 1, "y": 2}, {"x": 1, "y": []}], [((1, "y"), "int_type")]),
        (dict[str, int], {"a": "b"}, [(("a",), "int_parsing")]),
        # one of several: only what is wrong with it as the nearest of them
        (Circle | Point, {"x": 1, "y": "a"}, [(("y",), "int_parsing")]),
        (Circle | Point, {"centre": {"x": 1}, "radius": 2}, [(("centre", "y"), "missing")]),
        (list[Circle | Point], [{"x": 1, "z": 1, "y": 3}], [((0, "z"), "extra_forbidden")]),
        (int | Point, {"x": 1, "y": None}, [(("y",), "int_type")]),
        (int | Point, "a", [((), "int_parsing")]),
        (
            Circle | None,
            {"centre": {"x": 1, "y": 1}, "radius": "a"},
            [(("radius",), "float_parsing")],
        ),
        # a wrong item isn't told once more as one that is missing
        (Annotated[list[int], Field(min_length=1)], ["a"], [((0,), "int_parsing")]),
        (Annotated[list[int], Field(min_length=1)], [], [((), "too_short")]),
        (Point, {"x": 1, "y": 2}, []),
    ],
)
def test_errors_are_told_by_where_their_author_wrote_them(
    kind: Any, value: Any, expected: list[tuple[Where, str]]
) -> None:
    assert wrong(kind, value) == expected


def test_all_problems_of_all_deployments_are_told_at_once(file: Path) -> None:
    other = {**GOOD, "name": "other", "schedules": [{"cron": "61 * * * *"}], "paramters": {}}
    found = told(file, without("name"), other, {**GOOD, "name": "other"}, 5, deployment={})
    for expected in (
        "name: missing",
        "schedules[0].cron",
        "paramters",
        "a deployment of this name",
    ):
        assert any(expected in line for line in found), found
    assert any("deployments[3]: expected a mapping" in line for line in found)
    assert any("deployment: unknown key; did you mean deployments?" in line for line in found)


def test_a_rule_that_would_never_run_is_an_error_unless_that_is_written(file: Path) -> None:
    (never,) = told(file, without("schedules"))
    assert never.startswith("error: schedules: missing: without a schedule")
    for meant in ({"schedules": []}, {"paused": True}):
        (warning,) = told(file, {**without("schedules"), **meant})
        assert warning.startswith("warning: schedules: no schedule")


def test_what_a_schedules_own_parameters_lack_is_said_to_have_been_replaced(file: Path) -> None:
    rule = {**GOOD, "entrypoint": "flows/custom.py:sql_query"}
    whole = {"url": "sqlite:///x.db", "query": "SELECT 1 AS value"}
    schedule = {"cron": "0 * * * *", "parameters": {"check": {"url": whole["url"]}}}
    rule |= {"schedules": [schedule], "parameters": {"check": whole}}
    replaced = " (a schedule's own `check` replaces the rule's as a whole)"
    [problem] = [line for line in told(file, rule) if line.startswith("error")]
    assert problem.startswith("error: schedules[0].parameters.check.query: missing: this")
    assert problem.endswith(replaced)
    rule |= {"schedules": GOOD["schedules"], "parameters": {"check": {"url": whole["url"]}}}
    [problem] = [line for line in told(file, rule) if line.startswith("error")]
    assert "missing: this parameter is required" in problem
    assert replaced not in problem


def test_what_prefect_logs_of_a_flows_parameters_is_kept_back_only_meanwhile(file: Path) -> None:
    (file.parent / "plain.py").write_text(
        "from prefect import flow\n\n@flow\ndef plain(number: int): ...\n"
    )
    rule = {**GOOD, "entrypoint": "plain.py:plain", "parameters": {"number": "many"}}
    [problem] = [line for line in told(file, rule) if line.startswith("error")]
    assert "number" in problem
    assert not logging.getLogger("prefect.flows").disabled


def test_values_from_the_environment_are_checked_and_never_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHED", "/")
    good = {**GOOD, "parameters": {"check": {"path": "{{ $WATCHED }}"}}}
    assert told(file, good) == []
    monkeypatch.setenv("LEVEL", "geheim")
    (line,) = told(file, {**GOOD, "parameters": {"check": {}, "importance": "{{ $LEVEL }}"}})
    assert "got {{ $LEVEL }}" in line
    assert "geheim" not in line


def test_a_flow_file_that_cannot_be_imported_is_reported_with_its_last_line(
    file: Path, tmp_path: Path
) -> None:
    for name, code, expected in (
        ("broken_a", "import no_such_package\n", "ModuleNotFoundError: No module named 'no_such"),
        ("broken_b", "def f(:\n", "SyntaxError"),
        ("broken_c", "raise SystemExit(3)\n", "it exits (3)"),
    ):
        flow = tmp_path / f"{name}.py"
        flow.write_text(code)
        (line,) = told(file, {**GOOD, "entrypoint": f"{flow}:x"})
        assert expected in line


def test_a_plain_flow_needs_no_schedule_and_is_checked_by_prefect(
    file: Path, tmp_path: Path
) -> None:
    flow = tmp_path / "plain_flow.py"
    flow.write_text("from prefect import flow\n\n@flow\ndef tidy(days: int) -> None: ...\n")
    plain = {**without("schedules", "parameters"), "entrypoint": f"{flow}:tidy"}
    assert told(file, plain) == []
    (line,) = told(file, {**plain, "parameters": {"days": "many"}})
    assert "parameters: " in line
    assert "days" in line


@pytest.mark.parametrize(
    ("content", "line", "expected"),
    [
        ("", None, "is empty"),
        ("just words", 1, "expected a mapping with the key `deployments`"),
        ("- a\n- b\n", 1, "expected a mapping with the key `deployments`"),
        ("deployments:\n  - name: [\n", 3, "not YAML"),
        ("deployments:\n\t- name: a\n", 2, "not YAML"),
        ("a: *nowhere\n", 1, "not YAML: found undefined alias"),
        ("a: &a [*a]\n", 1, "an anchor that contains itself"),
        ("a: 2026-99-99\n", None, "does not match its type"),
        ("? [a]\n: b\n", 1, "not YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "not YAML: could not determine"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", 1, "expected text in UTF-8, found the byte 0x89"),
        (b"a: \x00b\n", None, "not YAML"),
        ("[" * 100 + "]" * 100, 1, "nested deeper"),
        ("[" * 100_000, 1, "nested deeper"),
        ("x" * (11 * 2**20), None, "has 11.0 MB"),
        ("deployments: 5\n", 1, "expected a list, got a number (5)"),
        ("name: x\n", None, "expected a list of deployments, found none"),
        ("deployments:\n  - name: a\n    name: b\n", 3, "written twice (line 2 and here)"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_a_sentence(
    file: Path, content: str | bytes, line: int | None, expected: str
) -> None:
    found = problems(file, content)
    match = [problem for problem in found if expected in problem.message]
    assert match, found
    assert match[0].line == line


def test_an_alias_bomb_is_refused_at_once(file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    merges = ["m0: &m0 {k: v}"]
    for n in range(1, 12):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
        merges.append(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}")
    for bomb in (lines, merges):
        (problem,) = problems(file, "\n".join(bomb))
        assert "its aliases stand for" in problem.message


def test_a_missing_file_and_a_folder_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="Name the rule file, or run this in the folder"):
        read(tmp_path / "prefect.yaml")
    with pytest.raises(RuleFileError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [[]], {"a": {"b": []}}, True, -1.5])
@pytest.mark.parametrize("key", [*GOOD, "schedule", "tags", "concurrency_limit", "paused"])
def test_a_wrong_type_anywhere_is_never_a_crash(file: Path, key: str, value: Any) -> None:
    for problem in problems(file, yaml.safe_dump({"deployments": [{**GOOD, key: value}]})):
        assert problem.message
    nested = {**GOOD, "schedules": [{"cron": "* * * * *", "parameters": {"check": value}}]}
    assert isinstance(told(file, nested), list)


def test_an_emoji_is_a_good_name(file: Path) -> None:
    assert told(file, {**GOOD, "name": "disk 🔥 [red]"}) == []


def test_the_report_is_machine_readable(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(yaml.safe_dump({"deployments": [{**GOOD, "tags": 5}]}))
    with pytest.raises(SystemExit) as exit_:
        main(["rules", "check", str(file), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert exit_.value.code == 1
    assert found["ok"] is False
    (problem,) = found["problems"]
    assert (problem["deployment"], problem["field"], problem["level"]) == ("disk", "tags", "error")


def test_a_cron_line_that_limits_both_days_is_warned_of_unless_it_says_which_is_meant(
    file: Path,
) -> None:
    both = {"cron": "0 9 1-7 * 1", "timezone": "UTC"}
    (warning,) = told(file, {**GOOD, "schedules": [both]})
    assert warning.startswith(
        "warning: schedules[0].cron: runs on days 1-7 of the month and on weekdays 1, whichever"
    )
    for meant in (True, False):
        assert told(file, {**GOOD, "schedules": [{**both, "day_or": meant}]}) == []
    for one in ("0 9 * * 1", "0 9 1 * *", "* * * * *"):
        assert told(file, {**GOOD, "schedules": [{"cron": one, "timezone": "UTC"}]}) == []


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "@hourly", "60 * * * *", "* * * * * *", "0 0 30 2 *", "R * * * *", 5]
)
def test_a_cron_that_prefect_or_coverage_cannot_read_is_refused(cron: object) -> None:
    assert "expected" in str(wrong_cron(cron))


def test_crons_and_zones_that_both_can_read_pass() -> None:
    for cron in ("* * * * *", "*/5 9-16 * * 1-5", "0 0 29 2 *", "0 9 * * MON-FRI", "0 0 L * *"):
        assert wrong_cron(cron) is None, cron
    assert wrong_timezone("Europe/London") is None


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("*/5 9-16 * * 1-5", "every 5 minutes, Mon-Fri 9-16 New York"),
        ("* * * * *", "every minute"),
        ("0 * * * *", "every hour"),
        ("15 */2 * * *", "every 2 hours at :15 New York"),
        ("0 9 * * *", "every day at 9:00 New York"),
        ("0 9,17 * * 1-5", "Mon-Fri at 9:00, 17:00 New York"),
        ("30 6 * * 0", "Sun at 6:30 New York"),
        ("0 0 1 1 *", "on Jan 1 at 0:00 New York"),
        ("0 7 1 * *", "on day 1 of the month at 7:00 New York"),
        ("* 9 * * SAT,SUN", "every minute, Sat,Sun 9 New York"),
        # forms a short sentence would get wrong stay as they are
        ("*/7 * * * *", "*/7 * * * * New York"),
        ("*/5 */2 * * *", "*/5 */2 * * * New York"),
        ("0 9 1 * 1", "0 9 1 * 1 New York"),
        ("5,35 * * * *", "5,35 * * * * New York"),
    ],
)
def test_common_schedules_have_words(cron: str, words: str) -> None:
    assert cron_words(cron, "America/New_York") == words


def test_intervals_have_words() -> None:
    words = [interval_words(seconds) for seconds in (1, 90, 300, 3600, 172_800)]
    assert words[:3] == ["every second", "every 90 seconds", "every 5 minutes"]
    assert words[3:] == ["every hour", "every 2 days"]


# -- routes, escalation, suggestions, templates ----------------------------------------------------


def rule_with(**parameters: Any) -> dict[str, Any]:
    return {**GOOD, "parameters": {"check": {"path": "/", "threshold": 90}, **parameters}}


EVERY_FORM: dict[str, Any] = {
    "notify": {
        "critical": [
            "pager-duty-webhook/primary",
            {"channel": "slack-credentials/bot", "to": "#alerts", "acknowledged": False},
            {"channel": "email-server-credentials/mail", "to": "a@example.org, b@example.org"},
        ],
        "high": [
            {
                "channel": "slack-incoming-webhook/alerts",
                "resolved": True,
                "reminders": False,
                "repeat_seconds": 3600,
                "group_by": ["rule", "ticker"],
                "group_wait_seconds": 30,
                "group_interval_seconds": 300,
                "storm": {"events": 20, "window_seconds": 120},
            },
            {"channel": "email-server-credentials/mail", "to": ["a@example.org"], "storm": None},
        ],
    },
    "escalation": {
        "critical": [
            {"after_seconds": 300, "channels": ["slack-incoming-webhook/lead"]},
            {"after_seconds": 900, "channels": [{"channel": "pager-duty-webhook/primary"}]},
        ]
    },
    "suggestions": {"timeout": "raise the timeout", "401|403": "check the credentials"},
    "templates": {"slack": {"title": "{{ event.rule|upper }}"}},
}


def test_every_form_of_routes_escalation_suggestions_and_templates_is_understood(
    file: Path,
) -> None:
    assert told(file, rule_with(**EVERY_FORM)) == []
    listed = {
        "escalation": [{"after_seconds": 60, "channels": ["slack-webhook/a"]}],
        "suggestions": [{"pattern": "timeout", "action": "raise it"}],
    }
    assert told(file, rule_with(**listed)) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            {"notify": {"high": ["ops@example.org"]}},
            "notify.high[0]: expected a notification block as type/name, like "
            "slack-incoming-webhook/alerts; email is {channel: email-server-credentials/NAME",
        ),
        (
            {"notify": {"high": [{"channel": "ops@example.org"}]}},
            "notify.high[0].channel: expected a notification block as type/name",
        ),
        (
            {"notify": {"high": [7]}},
            "notify.high[0]: expected a notification block as type/name, or a mapping with",
        ),
        (
            {"notify": {"high": [{"to": "a@example.org"}]}},
            "notify.high[0].channel: missing: this parameter is required",
        ),
        (
            {"notify": {"high": [{"channel": "slack-webhook/a", "group_wait": 3}]}},
            "notify.high[0].group_wait: unknown parameter; did you mean group_wait_seconds?",
        ),
        (
            {"notify": {"high": [{"channel": "slack-webhook/a", "group_wait_seconds": "3"}]}},
            "notify.high[0].group_wait_seconds: expected number, got '3'",
        ),
        (
            {"notify": {"high": [{"channel": "slack-webhook/a", "group_by": ["rulle"]}]}},
            "notify.high[0].group_by[0]: expected 'rule', 'ticker', 'category'",
        ),
        (
            {"notify": {"high": [{"channel": "slack-webhook/a", "storm": {"events": 1}}]}},
            "notify.high[0].storm.events: expected greater than or equal to 2, got 1",
        ),
        (
            {"notify": {"high": [{"channel": "email-server-credentials/mail"}]}},
            "notify.high[0]: email-server-credentials/mail needs the email addresses",
        ),
        (
            {"notify": {"high": [{"channel": "slack-credentials/bot", "to": "#a,#b"}]}},
            "notify.high[0]: one Slack channel for each route",
        ),
        (
            {"escalation": {"high": [{"after_seconds": 60}]}},
            "escalation.high[0].channels: missing: this parameter is required",
        ),
        (
            {"escalation": [{"after_seconds": 60, "channels": ["alerts"]}]},
            "escalation[0].channels[0]: expected a notification block as type/name",
        ),
        (
            {"escalation": {"hihg": []}},
            "escalation.hihg: unknown parameter; did you mean hi",
        ),
        (
            {
                "escalation": {
                    "high": [
                        {"after_seconds": 60, "channels": ["slack-webhook/a"]},
                        {"after_seconds": 60, "channels": ["slack-webhook/b"]},
                    ]
                }
            },
            "escalation: the steps are not in order: `after_seconds` must grow",
        ),
        ({"suggestions": {"(": "close it"}}, "suggestions: not a regular expression: missing )"),
        (
            {"suggestions": [{"pattern": "a", "action": "b", "to": "c"}]},
            "suggestions[0].to: unknown parameter",
        ),
        (
            {"templates": {"slack": {"title": "{{ event.rle|upper }}"}}},
            "templates.slack.title: line 1: there is no 'rle' here",
        ),
        (
            {"templates": {"slack": {"boddy": "x"}}},
            "templates.slack.boddy: there is no such part; there are title, body",
        ),
        ({"templates": {"slck": {"title": "x"}}}, "templates.slck.title: there is no such medium"),
        ({"templates": {"slack": "x"}}, "templates.slack: expected a mapping, got 'x'"),
        (
            {"templates": {"slack": {"title": "{% set a = 1 %}"}}},
            "templates.slack.title: line 1: ",
        ),
        (
            {"templates": {"email": {"html": "<a href='{{ (event.message) }}'>x</a>"}}},
            "templates.email.html: a value",
        ),
    ],
)
def test_each_mistake_about_who_is_told_is_named_with_its_place(
    file: Path, parameters: dict[str, Any], expected: str
) -> None:
    found = told(file, rule_with(**parameters))
    assert len(found) == 1, found
    assert found[0].startswith(f"error: parameters.{expected}"), found


def test_people_who_are_named_in_vain_are_a_warning(file: Path) -> None:
    escalation = [
        {"after_seconds": 60, "channels": [{"channel": "slack-webhook/a", "to": "a@example.org"}]}
    ]
    assert told(file, rule_with(escalation=escalation)) == [
        "warning: parameters.escalation[0].channels[0].to: has no effect: a slack-webhook block "
        "has its own recipients. `to` is for email-server-credentials and "
        "slack-credentials"
    ]


def test_a_template_keeps_its_placeholders_although_prefect_has_the_same(file: Path) -> None:
    """Prefect's deploy puts nothing in the place of every `{{ name }}` it does not know."""
    from prefect.utilities.templating import apply_values

    title = "{{ event.rule }}: {{event.ticker}} {{ event.value|round(1) }}"
    found = told(file, rule_with(templates={"slack": {"title": title}}))
    assert found == [
        "warning: parameters.templates.slack.title: plain `prefect deploy` would replace "
        "{{ event.rule }} with nothing: deploy with `sentinel rules deploy`, or "
        "write {{ (event.rule) }}"
    ]
    [entry] = read(file).entries
    kept = entry.raw["parameters"]["templates"]["slack"]["title"]
    assert kept == "{{ (event.rule) }}: {{ (event.ticker) }} {{ event.value|round(1) }}"
    assert apply_values(kept, {}) == kept
    assert apply_values(title, {}) == ":  {{ event.value|round(1) }}"
    assert told(file, rule_with(templates={"slack": {"title": kept}})) == []


def test_a_template_may_still_take_values_from_where_it_is_deployed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", "night watch")
    title = "{{ $TEAM }}: {{ prefect.variables.site }}"
    assert told(file, rule_with(templates={"slack": {"title": title}})) == []
    [entry] = read(file).entries
    assert entry.raw["parameters"]["templates"]["slack"]["title"] == title
    filled = entry.config["parameters"]["templates"]["slack"]["title"]
    assert filled == "night watch: {{ prefect.variables.site }}"


@pytest.mark.parametrize("key", ["schedules", "schedule"])
def test_templates_of_a_schedule_are_kept_from_prefects_placeholders(
    tmp_path: Path, key: str
) -> None:
    templates = {"slack": {"title": "{{ event.rule }} on {{ $HOST }}"}}
    own = {"cron": "0 * * * *", "parameters": {"templates": templates}}
    entry = {"name": "disk", key: [own] if key == "schedules" else own}
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump({"deployments": [entry]}))
    [read_entry] = read(tmp_path / "prefect.yaml").entries
    [schedule] = [read_entry.raw[key]] if key == "schedule" else read_entry.raw[key]
    title = schedule["parameters"]["templates"]["slack"]["title"]
    assert title == "{{ (event.rule) }} on {{ $HOST }}"
