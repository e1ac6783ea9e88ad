"""Rule tests in YAML: what they say, what fails them, and how their mistakes are named."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_core.base.errors import RuleTestError
from sentinel_core.cli import main
from sentinel_core.model.alert import Importance
from sentinel_core.ruletest import FOLDER, run_tests
from sentinel_core.ruletest.form import known_keys
from sentinel_core.ruletest.reading import find_files, read_tests
from sentinel_core.ruletest.report import RuleTestReport, timeline
from sentinel_core.ruletest.values import (
    Mark,
    RunOutcome,
    flags,
    importances,
    moment,
    numbers,
    offset_words,
    outcomes,
)

PROJECT = Path(__file__).parents[3]
DISK = {
    "entrypoint": "flows/system.py:disk_usage",
    "work_pool": {"name": "sentinel"},
    "schedules": [{"cron": "*/5 * * * *", "timezone": "UTC"}],
}
CHECK = {"path": "/", "threshold": 90}
ROUTES = {"high": ["slack-webhook/a"], "critical": ["slack-webhook/a", "slack-webhook/b"]}


def rule(name: str, **parameters: Any) -> dict[str, Any]:
    given = {"check": CHECK, "importance": "high", "notify": ROUTES, **parameters}
    return {**DISK, "name": name, "parameters": given}


RULES: list[dict[str, Any]] = [
    rule("plain"),
    rule("twice", policy={"breaches": 2, "notify_resolved": True}),
    rule(
        "window",
        conditions=[
            {"op": "gte", "value": 85, "clear": 80, "aggregate": "avg", "over_seconds": 300}
        ],
        policy={"breaches": 2},
    ),
    {**rule("host-down", inhibits=["plain"]), "tags": ["net"]},
    rule("reminding", policy={"repeat_seconds": 600}),
    rule(
        "reacting",
        on_open=[
            {"run": "repair/now", "parameters": {"t": "{{ event.ticker }}"}, "times_per_hour": 1}
        ],
        on_resolve=[{"resume": "ingest/hourly", "approval": True}],
    ),
    rule("wrong", check={"path": "/", "treshold": 5}),
    rule("templated", policy={"breaches": "{{ prefect.variables.breaches }}"}),
    {
        **rule(
            "cpu-high",
            check={"source": {"kind": "psutil", "metric": "cpu_percent"}},
            conditions=[
                {
                    "op": "gte",
                    "value": 85,
                    "aggregate": "avg",
                    "over_seconds": 300,
                    "minimum_points": 3,
                }
            ],
            policy={"breaches": 2},
            notify={"high": ["slack-incoming-webhook/alerts"]},
        ),
        "entrypoint": "flows/metric.py:metric_threshold",
    },
    {
        "name": "reconcile",
        "entrypoint": "flows/reconcile.py:reconcile",
        "work_pool": {"name": "sentinel"},
    },
]
TEST: dict[str, Any] = {
    "name": "it fires",
    "rule": "plain",
    "every_seconds": 300,
    "series": {"db-1": {"value": "80 95 95 70", "triggered": "0 1 1 0"}},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with rules of its own, beside which tests can be written."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "flows", folder / "flows")
    (folder / "prefect.yaml").write_text(yaml.safe_dump({"deployments": RULES}))
    (folder / "tests" / "rules").mkdir(parents=True)
    return folder


@pytest.fixture
def tests(project: Path) -> Iterator[Path]:
    """Where the project's rule tests are; empty again afterwards."""
    folder = project / "tests" / "rules"
    yield folder
    for file in folder.iterdir():
        file.unlink()


Ran = Callable[..., RuleTestReport]


@pytest.fixture
def ran(tests: Path, project: Path) -> Ran:
    """Writes a file with one test (TEST with changes), or with several, and runs it."""

    def run(*several: Any, **changes: Any) -> RuleTestReport:
        items = list(several) or [{**TEST, **changes}]
        (tests / "a.yaml").write_text(yaml.safe_dump({"tests": items}))
        return run_tests([project / FOLDER], rule_file=project / "prefect.yaml")

    return run


def told(report: RuleTestReport) -> list[str]:
    """All differences, in lines, with the part they are of."""
    found = (d for result in report.results for d in result.differences)
    return [f"{difference.part}: {line}" for difference in found for line in difference.lines]


def wrong(report: RuleTestReport) -> list[str]:
    """All mistakes, as `field: message`."""
    own = [problem for result in report.results for problem in result.case.problems]
    return [f"{problem.field}: {problem.message}" for problem in [*report.problems, *own]]


# -- rows and moments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("80 91x3 70", [80, 91, 91, 91, 70]),
        ("80 91 x3 70", [80, 91, 91, 91, 70]),
        ("80+5x3", [80, 85, 90]),
        ("1e1-2.5x3", [10, 7.5, 5]),
        ("-1--1x2", None),
        ("-3+1x2 .5", [-3, -2, 0.5]),
        (91, [91]),
        ([80, 91.5, "70x2"], [80, 91.5, 70, 70]),
        ("_x2 - ! ?", [Mark.ABSENT, Mark.ABSENT, Mark.MISSING, Mark.ERROR, Mark.NO_DATA]),
    ],
)
def test_a_row_of_numbers_repeats_ramps_and_has_marks(row: Any, values: Any) -> None:
    if values is None:
        with pytest.raises(ValueError, match="expected numbers, ramps"):
            numbers(row)
    else:
        assert numbers(row) == values


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("eighty", "expected numbers, ramps like 80\\+2x5, or one of _ - ! \\?, got 'eighty'"),
        ("nan", "expected numbers"),
        ("1e999", "expected finite numbers"),
        ("80+2", "a ramp says how many values it has"),
        ("91x1000000000", "'91x1000000000': a test has at most 10,000 runs"),
        ("91x" + "9" * 5000, "a test has at most 10,000 runs"),
        ("1x6000 2x6000", "a test has at most 10,000 runs"),
        ("91x0", "expected a value and how often"),
        ("x3", "expected a value and how often"),
        ("", "expected at least one value"),
        (True, "expected values as text"),
        (None, "expected values as text"),
        ([[1]], "expected values as text"),
    ],
)
def test_a_row_that_is_no_row_of_numbers_is_named(row: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numbers(row)


def test_other_rows_are_words_and_marks() -> None:
    assert flags("0 1x2 _ ! ?") == [False, True, True, Mark.ABSENT, Mark.ERROR, Mark.NO_DATA]
    assert importances("high _ low") == [Importance.HIGH, None, Importance.LOW]
    assert outcomes("ok failed _") == [RunOutcome.OK, RunOutcome.FAILED, RunOutcome.NONE]
    for read, row in ((flags, "-"), (flags, "2"), (importances, "urgent"), (outcomes, "fine")):
        with pytest.raises(ValueError, match="expected"):
            read(row)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(0, 0), (90, 90), ("10m", 600), ("1h30m", 5400), ("1d 2h", 93_600), ("45s", 45), (1.5, 1.5)],
)
def test_a_moment_is_an_offset_from_the_start(written: Any, seconds: float) -> None:
    assert moment(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "10",
        True,
        None,
        -1,
        "-5m",
        "2026-11-02T09:00:00",
        float("inf"),
        10**400,
        "9" * 99,
    ],
)
def test_what_is_no_moment_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|before the start"):
        moment(written)


def test_offsets_are_told_as_they_are_written() -> None:
    seconds = (0, 45, 600, 5400, 93_600, 90_061)
    words = ["0", "45s", "10m", "1h30m", "1d2h", "1d1h1m1s"]
    assert [offset_words(timedelta(seconds=one)) for one in seconds] == words


# -- what holds and what does not ----------------------------------------------------------


def test_a_test_whose_expectations_hold_passes(ran: Ran) -> None:
    report = ran(
        events=[{"ticker": "db-1", "opened_at": "5m", "resolved_at": 900, "occurrences": 2}],
        notifications=[{"at": "5m", "reason": "opened", "channels": ["slack-webhook/a"]}],
        reasons=[{"at": "5m", "ticker": "db-1", "code": "started", "reason": "opened: *"}],
    )
    assert (told(report), wrong(report)) == ([], [])
    assert (report.passed, report.failed) == (1, [])
    assert report.text().splitlines()[-1] == "1 rule test passed"


def test_an_empty_expectation_is_checked(ran: Ran) -> None:
    report = ran(events=[], notifications=[])
    assert [line.partition(": opened_at")[0].partition(": at")[0] for line in told(report)] == [
        "events: + not expected",
        "notifications: + not expected",
    ]
    assert "opened_at 5m" in told(report)[0]
    assert "reason opened" in told(report)[1]


def test_what_is_not_mentioned_is_not_checked(ran: Ran) -> None:
    assert ran(reasons=[{"at": 0, "code": "ok"}]).passed == 1


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (
            {"opened_at": "5m", "importance": "low"},
            [
                "- expected, did not happen: opened_at 5m, importance low",
                "importance is high, not low",
            ],
        ),
        ({"opened_at": "10m"}, ["opened_at is 5m, not 10m", "+ not expected: opened_at 5m"]),
        ({"opened_at": "5m", "resolved_at": None}, ["resolved_at is 15m, not none"]),
        ({"opened_at": "5m", "ticker": "db-2"}, ["ticker is db-1, not db-2"]),
        ({"opened_at": "5m", "message": "Disk*"}, ["message is Triggered., not Disk*"]),
        ({"opened_at": "5m", "kind": "failure"}, ["kind is alert, not failure"]),
        ({"opened_at": "5m", "occurrences": 3}, ["occurrences is 2, not 3"]),
        ({"opened_at": "5m", "acknowledged_by": "anna"}, ["acknowledged_by is none, not anna"]),
        ({"opened_at": "5m", "resolution": "by-*"}, ["resolution is recovered, not by-*"]),
    ],
)
def test_a_failure_names_what_was_expected_and_what_came_nearest(
    ran: Ran, expected: dict[str, Any], lines: list[str]
) -> None:
    report = ran(events=[expected])
    text = report.text()
    assert report.failed == [report.results[0].case.id]
    for line in lines:
        assert line in text
    assert "1 failed" in text.splitlines()[-1]


def test_a_failure_shows_every_decision_in_time(ran: Ran) -> None:
    report = ran(
        events=[], actions=[{"at": "12m", "action": "acknowledge", "ticker": "db-1", "by": "anna"}]
    )
    assert timeline(report.results[0]) == [
        ("0", "db-1", "80", "quiet", "ok: not triggered"),
        ("5m", "db-1", "95", "open", "opened: the series started to fire"),
        ("10m", "db-1", "95", "continue", "continued: still firing"),
        ("12m", "db-1", "", "person", "acknowledge by anna"),
        ("15m", "db-1", "70", "resolve", "resolved: Not triggered."),
    ]
    assert "opened: the series started to fire" in report.text()


def test_two_vague_expectations_find_two_events_whatever_their_order(ran: Ran) -> None:
    row = {"value": "95", "triggered": "1"}
    series = {"a": row, "b": row}
    for expected in ([{"opened_at": 0}, {"opened_at": 0, "ticker": "a"}],) * 2:
        assert ran(series=series, events=expected).passed == 1
        expected.reverse()
    both = [{"opened_at": 0, "ticker": "a"}, {"opened_at": 0, "ticker": "a"}]
    assert len(told(ran(series=series, events=both))) == 3  # missing, its nearest, unexpected


def test_a_rule_gone_wild_does_not_fill_pages(ran: Ran) -> None:
    series = {f"t{n}": {"value": 95, "triggered": "1x100"} for n in range(50)}
    lines = ran(series=series, events=[]).text().splitlines()
    assert any("+ and 30 more" in line for line in lines)
    assert any("and 4,800 more" in line for line in lines)
    assert len(lines) < 240


def test_a_rule_with_conditions_is_judged_by_them_over_its_window(ran: Ran) -> None:
    report = ran(
        rule="window",
        every_seconds=60,
        series={"db-1": {"value": "50 50 95x6 82x5 40x4"}},
        events=[
            {
                "ticker": "db-1",
                "opened_at": "6m",
                "resolved_at": "13m",
                "message": "avg(value) over 5 min*",
            }
        ],
        reasons=[
            {"at": "5m", "code": "pending", "reason": "pending: 1 of 2 breaches"},
            {"at": "13m", "code": "recovered"},
        ],
    )
    assert (told(report), report.passed) == ([], 1)


def test_a_metric_that_is_missing_is_an_error_and_a_ticker_that_is_absent_is_none(
    ran: Ran,
) -> None:
    report = ran(
        rule="window",
        series={"db-1": {"value": "50 - 50", "other": 1}, "db-2": {"value": "50 _ 50"}},
        events=[
            {
                "ticker": "db-1",
                "kind": "error",
                "opened_at": "5m",
                "resolved_at": "10m",
                "message": "*asks for the metric 'value'; measured: other*",
            }
        ],
    )
    assert told(report) == []


def test_problems_of_one_ticker_are_events_of_their_own(ran: Ran) -> None:
    report = ran(
        series={"db-1": {"triggered": "0 ! ? 0", "message": ["ok", "refused", "no rows", "ok"]}},
        events=[
            {"kind": "error", "opened_at": "5m", "resolved_at": "15m", "message": "refused"},
            {"kind": "no_data", "opened_at": "10m", "resolved_at": "15m", "message": "no rows"},
        ],
    )
    assert told(report) == []


def test_runs_that_do_not_complete_are_failures_and_no_run_is_nothing(ran: Ran) -> None:
    report = ran(
        runs="ok failed crashed _ skipped ok cancelled",
        series={"db-1": {"value": 80, "triggered": 0}},
        events=[
            {"kind": "failure", "opened_at": "5m", "resolved_at": "25m", "importance": "high"},
            {"kind": "failure", "opened_at": "30m", "resolved_at": None, "importance": "low"},
        ],
        reasons=[{"at": "20m", "kind": "skipped", "code": "skipped"}],
    )
    assert told(report) == []
    assert "15m" not in [row[0] for row in timeline(report.results[0])]


def test_policy_and_routes_are_those_of_the_rule_file(ran: Ran) -> None:
    report = ran(
        rule="twice",
        series={"db-1": {"triggered": "1 1 0", "importance": "critical"}},
        events=[{"opened_at": "5m", "resolved_at": "10m", "importance": "critical"}],
        notifications=[
            {"at": "5m", "reason": "opened", "channels": ["slack-webhook/b", "slack-webhook/a"]},
            {"at": "10m", "reason": "resolved", "channel": "*/b"},
        ],
    )
    assert told(report) == []


def test_a_rule_without_a_channel_tells_nobody_and_the_failure_says_so(ran: Ran) -> None:
    report = ran(
        series={"db-1": {"triggered": "1", "importance": "low"}},
        notifications=[{"at": 0, "reason": "opened"}],
    )
    assert "    nearest: it has no channel" in report.text()
    assert "the rule's `notify` names no channel for low" in report.text()
    assert ran(series={"db-1": {"triggered": "1", "importance": "low"}}, notifications=[]).passed


def test_acknowledging_stops_reminders_until_its_time_is_over(ran: Ran) -> None:
    series = {"db-1": {"triggered": "1x9"}}
    reminded = [{"at": 0, "reason": "opened"}] + [
        {"at": f"{minute}m", "reason": "reminder"} for minute in (10, 20, 30, 40)
    ]
    assert told(ran(rule="reminding", series=series, notifications=reminded)) == []
    report = ran(
        rule="reminding",
        series=series,
        actions=[
            {"at": 0, "action": "acknowledge", "ticker": "db-1", "by": "anna", "until": "20m"},
            {"at": "31m", "action": "resolve", "ticker": "db-1", "by": "bob"},
        ],
        notifications=[
            {"at": 0, "reason": "opened"},
            {"at": "20m", "reason": "acknowledgement-ended"},
            {"at": "30m", "reason": "reminder"},
            {"at": "35m", "reason": "opened"},
        ],
        events=[
            {"opened_at": 0, "resolved_at": "31m", "resolution": "by-hand"},
            {"opened_at": "35m", "resolved_at": None, "acknowledged_by": None},
        ],
    )
    assert told(report) == []


def test_acknowledging_until_a_value_ends_when_it_is_crossed(ran: Ran) -> None:
    act = {"at": "1m", "action": "acknowledge", "ticker": "db-1", "by": "anna", "above": 95}
    report = ran(
        series={"db-1": {"triggered": "1x5", "value": "91 95 96 97 98"}},
        actions=[act],
        notifications=[{"at": 0, "reason": "opened"}, {"at": "10m", "reason": "value-crossed"}],
        events=[{"opened_at": 0, "resolved_at": None, "acknowledged_by": None}],
    )
    assert told(report) == []


def test_taking_an_acknowledgement_back_lets_reminders_go_on(ran: Ran) -> None:
    report = ran(
        rule="reminding",
        series={"db-1": {"triggered": "1x4"}},
        actions=[
            {"at": 0, "action": "acknowledge", "ticker": "db-1", "by": "anna"},
            {"at": "12m", "action": "unacknowledge", "ticker": "db-1"},
        ],
        events=[{"opened_at": 0, "acknowledged_by": None}],
        notifications=[{"at": 0}, {"at": "15m", "reason": "reminder"}],
    )
    assert told(report) == []


def test_an_action_on_nothing_fails_the_test(ran: Ran) -> None:
    report = ran(
        events=[],
        series={"db-1": {"triggered": "0"}},
        actions=[{"at": "1m", "action": "resolve", "ticker": "db-9"}],
    )
    assert told(report) == ["actions: 1m: nothing to resolve: no open event (kind alert) of 'db-9'"]


def test_a_silence_mutes_for_its_time_and_what_was_muted_is_told_afterwards(ran: Ran) -> None:
    silence = {
        "matchers": {"rule": "pl*", "ticker": "db-*"},
        "from": 0,
        "to": "10m",
        "author": "anna",
        "comment": "maintenance",
    }
    report = ran(
        silences=[silence],
        series={"db-1": {"triggered": "1 1 1 0"}},
        events=[{"opened_at": 0, "resolved_at": "15m"}],
        notifications=[
            {"at": 0, "suppressed": "silenced by anna until *: maintenance"},
            {"at": "10m", "reason": "opened"},
        ],
    )
    assert told(report) == []
    assert (
        told(ran(silences=[silence], series={"db-1": {"triggered": "1"}}, notifications=[])) == []
    )


def test_a_message_that_was_suppressed_is_not_one_that_was_sent(ran: Ran) -> None:
    silence = {"matchers": {"rule": "*"}, "to": "10m"}
    report = ran(
        silences=[silence],
        series={"db-1": {"triggered": "1"}},
        notifications=[{"at": 0, "reason": "opened"}],
    )
    assert any("nearest: it was suppressed (silenced by somebody" in line for line in told(report))


def test_a_recurring_silence_knows_its_calendar(ran: Ran) -> None:
    silence = {
        "matchers": {"rule": "*"},
        "to": "30d",
        "recurrence": {"calendar": "NYSE", "days": "holidays", "timezone": "America/New_York"},
    }
    common = {"silences": [silence], "series": {"db-1": {"triggered": "1"}}}
    independence_day = ran(**common, start="2026-07-03T15:00:00Z", notifications=[])
    assert told(independence_day) == []
    the_day_before = ran(**common, start="2026-07-02T15:00:00Z", notifications=[{"at": 0}])
    assert told(the_day_before) == []


def test_another_rule_that_fires_inhibits_what_it_names(ran: Ran) -> None:
    firing = [{"rule": "host-down", "ticker": "db-1", "from": 0, "to": "10m"}]
    series = {"db-1": {"triggered": "1 1 1"}, "db-2": {"triggered": "1 0 0"}}
    report = ran(
        firing=firing,
        series=series,
        notifications=[
            {"at": 0, "ticker": "db-1", "suppressed": "inhibited: host-down fires on db-1"},
            {"at": 0, "ticker": "db-2"},
            {"at": "10m", "ticker": "db-1", "reason": "opened"},
        ],
    )
    assert told(report) == []


def test_a_silence_of_a_tag_mutes_the_rules_that_have_it(ran: Ran) -> None:
    common: dict[str, Any] = {
        "silences": [{"matchers": {"tag": "net"}, "to": "10m"}],
        "series": {"db-1": {"triggered": "1"}},
    }
    assert told(ran(**common, rule="host-down", notifications=[])) == []
    assert told(ran(**common, rule="plain", notifications=[{"at": 0}])) == []


REACTING = {"rule": "reacting", "series": {"db-1": {"value": "1", "triggered": "0 1 1 0 1"}}}
STARTS = {"occasion": "open", "action": "run", "target": "repair/*", "parameters": {"t": "db-1"}}


def test_a_reaction_is_expected_like_a_notification(ran: Ran) -> None:
    held = {"at": "20m", "status": "skipped", "code": "bound"}
    waits = {"at": "15m", "status": "waiting"}
    assert told(ran(**REACTING, reactions=[{"at": "5m", **STARTS}, waits])) == []
    assert told(ran(**REACTING, reactions=[{"at": "5m"}, waits, held])) == []


def test_a_reaction_that_differs_or_does_not_start_is_told(ran: Ran) -> None:
    assert told(ran(**REACTING, reactions=[]))[0].startswith(
        "reactions: + not expected: at 5m, occasion open, action run, target repair/now"
    )
    waits = {"at": "15m", "status": "waiting"}
    assert told(ran(**REACTING, reactions=[{"at": "5m"}, waits, {"at": "20m"}])) == [
        "reactions: - expected, did not happen: at 20m",
        "reactions:     nearest: it does not start (bound)",
    ]


def test_one_decision_may_be_looked_at_twice(ran: Ran) -> None:
    twice = [{"at": "5m", "code": "started"}, {"at": "5m", "action": "open"}]
    assert told(ran(reasons=twice)) == []
    missing = told(ran(reasons=[{"at": "5m", "code": "pending"}, {"at": "7m", "code": "ok"}]))
    assert missing == [
        "reasons: - expected, did not happen: at 5m, code pending",
        "reasons:     nearest: code is started, not pending",
        "reasons: - expected, did not happen: at 7m, code ok",
    ]


def test_people_act_after_the_run_of_the_same_moment(ran: Ran) -> None:
    resolve = {"at": "5m", "action": "resolve", "ticker": "db-1"}
    report = ran(actions=[resolve], events=[{"opened_at": "5m", "resolved_at": "5m"}])
    assert told(report) == [
        "events: + not expected: opened_at 10m, ticker db-1, kind alert, resolved_at 15m, "
        "importance high, message Triggered., occurrences 1, resolution recovered"
    ]
    assert [row[3] for row in timeline(report.results[0]) if row[0] == "5m"] == ["open", "person"]


# -- mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evnts": []}, "tests[0].evnts"),
        ({"evnts": []}, "evnts: unknown key; did you mean events?"),
        ({"events": [{"opend_at": 0}]}, "events[0].opend_at: unknown key; did you mean opened_at?"),
        ({"events": [{}]}, "events[0].opened_at: missing"),
        ({"events": []} | {"rule": "plian"}, "has no rule 'plian'; did you mean plain?"),
        ({"events": [], "rule": "wrong"}, "check.treshold: unknown parameter; did you mean thr"),
        ({"events": [], "rule": "reconcile"}, "reconcile is a plain flow, not a rule"),
        ({"events": [], "rule": "templated"}, "parameters.policy of templated has a placeholder"),
        (
            {"events": [], "series": {"a": {"b\x07": 1, "triggered": 0}}},
            "without control characters",
        ),
        (
            {"events": [], "series": {f"t{n}": {"triggered": "0x9000"} for n in range(60)}},
            "has more than 500,000 values",
        ),
        ({"events": [], "firing": [{"rule": "host-up"}]}, "firing[0].rule: "),
        ({"events": [], "every_seconds": 0}, "every_seconds: expected greater than 0"),
        ({"events": [], "every_seconds": float("inf")}, "every_seconds: "),
        ({"events": [], "every_seconds": "often"}, "every_seconds: expected a valid number"),
        ({"events": [], "start": "2026-01-01T00:00:00"}, "start: "),
        ({"events": [], "start": "1066-10-14T00:00:00Z"}, "start: expected a time between 1970"),
        ({"events": [{"opened_at": "-5m"}]}, "events[0].opened_at: '-5m' is before the start"),
        ({"events": [{"opened_at": "2020-01-01T00:00:00Z"}]}, "opened_at: is before the start"),
        ({"events": [], "series": {"a": {"value": "80 xyz"}}}, "series.a.value: expected numbers"),
        ({"events": [], "series": {"a": {"value": "1x1000000000"}}}, "at most 10,000 runs"),
        ({"events": [], "series": {"a": {"value": "1 2 3", "triggered": "0 1"}}}, "has 2 values"),
        ({"events": [], "series": {"a": {"value": "1 2"}}}, "missing `triggered`: plain has no"),
        ({"events": [], "series": {"a": {}}}, "series.a: has no values"),
        ({"events": [], "series": {"a  b": {"triggered": 0}}}, "as it is stored: 'a b'"),
        ({"events": [], "series": {"x" * 201: {"triggered": 0}}}, "at most 200 characters"),
        ({"events": [], "series": {False: {"triggered": 0}}}, "put it in quotes"),
        ({"events": [], "series": ["a"]}, "series: expected a mapping, got a list"),
        ({"events": [], "series": {}}, "no measurements"),
        ({"events": [], "rule": "window"}, "triggered: window has conditions, which decide"),
        ({}, "expects nothing"),
        ({"reasons": []}, "reasons: an empty list checks nothing"),
        ({"reasons": [{"at": 0}]}, "reasons[0]: compares nothing"),
        (
            {"events": [], "silences": [{"matchers": {"rule": "*"}, "from": "9m", "to": "5m"}]},
            "silences[0].to: is not after `from`",
        ),
        (
            {"events": [], "silences": [{"matchers": {"rul": "*"}, "to": "5m"}]},
            "silences[0].matchers.rul: unknown key; did you mean rule?",
        ),
        (
            {
                "events": [],
                "silences": [
                    {"matchers": {"rule": "*"}, "to": 60, "recurrence": {"start": 22 * 60}}
                ],
            },
            'put `start` in quotes, like "22:00"',
        ),
        (
            {"events": [], "actions": [{"at": 0, "action": "resolve", "until": "5m"}]},
            "actions[0].until: belongs to",
        ),
        (
            {"events": [], "actions": [{"at": 0, "action": "resolve", "above": 5}]},
            "actions[0].above: belongs to",
        ),
        (
            {"events": [], "actions": [{"at": 0, "action": "acknowledge", "above": "high"}]},
            "actions[0].above: ",
        ),
        (
            {
                "events": [],
                "actions": [{"at": 0, "action": "acknowledge", "above": 1, "below": 2}],
            },
            "actions[0].below: every value is above 1 or below 2",
        ),
        (
            {"events": [], "actions": [{"at": 0, "action": "aknowledge"}]},
            "actions[0].action: expected 'acknowledge', 'unacknowledge' or 'resolve'",
        ),
        ({"events": [], "name": ""}, "name: "),
        ({"events": [], "name": 5}, "name: expected a valid string"),
        ({"events": [], "every_seconds": 366 * 86_400, "runs": "ok x9000"}, "after the year 9000"),
        ({"events": [{"opened_at": 0}] * 301}, "at most 300 items"),
    ],
)
def test_a_mistake_in_a_test_is_named_with_its_place(
    ran: Ran, changes: dict[str, Any], message: str
) -> None:
    report = ran(**changes)
    problems = [problem for result in report.results for problem in result.case.problems]
    assert any(message in f"tests[0].{p.field}: {p.message}" for p in problems), problems
    assert all(problem.line for problem in problems)
    assert report.failed == [report.results[0].case.id]
    assert report.passed == 0


def test_the_mistake_of_one_test_does_not_stop_the_others(ran: Ran) -> None:
    good = {**TEST, "reasons": [{"at": 0, "code": "ok"}]}
    report = ran({**good, "every_seconds": -1}, {**good, "name": "good"}, "no mapping")
    assert (report.passed, len(report.failed)) == (1, 2)
    assert "expected a mapping with name and rule, got text ('no mapping')" in report.text()


def test_two_tests_of_a_file_have_two_names(ran: Ran) -> None:
    good = {**TEST, "reasons": [{"at": 0, "code": "ok"}]}
    report = ran(good, good)
    assert len(report.failed) == 1
    assert "name: expected a unique name: line " in report.text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n", "expected a mapping with the key `tests`, got a list"),
        ("", "is empty: expected a mapping with the key `tests`"),
        ("tests: [", "not YAML"),
        ("tests: []\n", "tests: list should have at least 1 item"),
        ("tests: 5\n", "tests: "),
        ("{}\n", "tests: missing"),
        ("test: []\ntests: [{}]\n", "test: unknown key; did you mean tests?"),
        ("rule_file: 5\ntests: [{}]\n", "rule_file: expected a valid string"),
        ("tests: [{}]\ntests: [{}]\n", "written twice (line 1 and here)"),
        ("tests: &a [*a]\n", "an anchor that contains itself"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n"
                for n in range(8)
            ),
            "its aliases stand for",
        ),
    ],
)
def test_a_file_that_is_no_file_of_tests_fails_with_its_line(
    tests: Path, project: Path, content: str, message: str
) -> None:
    (tests / "a.yaml").write_text(content)
    report = run_tests([project / FOLDER], rule_file=project / "prefect.yaml")
    assert message in "\n".join(str(problem) for problem in report.problems)
    assert len(report.failed) == 1
    assert report.failed[0].endswith("a.yaml")


def test_a_mistake_is_told_with_its_line(tests: Path, project: Path) -> None:
    (tests / "a.yaml").write_text(
        "tests:\n  - name: a\n    rule: plain\n    every_seconds: 60\n    series:\n"
        "      db-1:\n        value: 80 abc\n        triggered: 0\n    events: []\n"
    )
    report = run_tests([project / FOLDER], rule_file=project / "prefect.yaml")
    assert "a.yaml:7: a: series.db-1.value: expected numbers" in report.text()


def test_a_rule_file_that_can_not_be_read_fails_its_tests(tests: Path) -> None:
    test = {**TEST, "events": []}
    (tests / "a.yaml").write_text(yaml.safe_dump({"rule_file": "../../no.yaml", "tests": [test]}))
    (tests / "b.yaml").write_text(
        yaml.safe_dump({"rule_file": "../../no/such/prefect.yaml", "tests": [test]})
    )
    report = run_tests([tests])
    assert len(report.failed) == 2
    assert "the rule file has errors: no.yaml" in report.text()
    assert "there is no folder" in report.text()


# -- finding -------------------------------------------------------------------------------


def test_tests_about_another_rule_file_are_left_out(tests: Path, project: Path) -> None:
    test = {**TEST, "reasons": [{"at": 0, "code": "ok"}]}
    (tests / "a.yaml").write_text(yaml.safe_dump({"rule_file": "../../b.yaml", "tests": [test]}))
    (tests / "b.yaml").write_text(
        yaml.safe_dump({"rule_file": "../../prefect.yaml", "tests": [test]})
    )
    assert read_tests(tests / "a.yaml", project / "prefect.yaml") is None
    assert run_tests([project / FOLDER], rule_file=project / "prefect.yaml").passed == 1


def test_no_tests_is_said_with_the_place_that_was_looked_at(tests: Path, project: Path) -> None:
    report = run_tests([project / FOLDER], rule_file=project / "prefect.yaml")
    assert (report.passed, report.failed) == (0, [])
    assert report.text() == f"no rule tests found: looked for *.yaml in {tests}"


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleTestError, match=r"there is no file .*gone\.yaml"):
        find_files([tmp_path / "gone.yaml"])
    assert find_files([tmp_path / "gone"]) == []


# -- the command ---------------------------------------------------------------------------


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["rules", "unittest", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_runs_the_tests_beside_the_rule_file(
    tests: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    good = {**TEST, "reasons": [{"at": 0, "code": "ok"}]}
    bad = {**good, "name": "never", "events": []}
    (tests / "a.yaml").write_text(yaml.safe_dump({"tests": [good, bad]}))
    assert command() == 1
    printed = capsys.readouterr().out
    assert printed.startswith("tests/rules/a.yaml\n  ok      plain: it fires\n  FAILED  plain: nev")
    assert printed.endswith("1 rule test passed, 1 failed\n")
    assert command("-k", "it fires") == 0
    assert command("tests/rules", "--file", "prefect.yaml", "--name", "FIRES") == 0
    capsys.readouterr()
    assert command("--json", "tests/rules/a.yaml") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"]) == (1, ["tests/rules/a.yaml: never"])
    assert [test["ok"] for test in found["tests"]] == [True, False]
    assert found["tests"][1]["differences"]["events"]
    assert found["tests"][1]["timeline"][1]["action"] == "open"


def test_the_command_fails_when_there_is_nothing_to_run(
    tests: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert command() == 1
    assert capsys.readouterr().out == "no rule tests found: looked for *.yaml in tests/rules\n"
    assert command("gone.yaml") == 1
    assert "there is no file gone.yaml" in capsys.readouterr().err


def test_entrypoints_are_found_from_wherever_the_tests_are_run(
    tests: Path, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = {**TEST, "reasons": [{"at": 0, "code": "ok"}]}
    (tests / "a.yaml").write_text(yaml.safe_dump({"tests": [good]}))
    monkeypatch.chdir(tmp_path)
    assert command(str(tests)) == 0
    assert Path.cwd() == tmp_path


# -- the documentation ---------------------------------------------------------------------

DOCS = (PROJECT / "docs" / "testing-rules.md").read_text()


def test_the_tests_in_the_documentation_pass(tests: Path, project: Path) -> None:
    [example] = re.findall(r"```yaml\n(# tests/rules/.*?)```", DOCS, re.DOTALL)
    (tests / "cpu-high.yaml").write_text(example)
    report = run_tests([project / FOLDER], rule_file=project / "prefect.yaml")
    assert (report.passed, report.failed) == (2, [])


def test_the_failure_in_the_documentation_is_how_failures_look(tests: Path, project: Path) -> None:
    [example] = re.findall(r"```yaml\n(# tests/rules/.*?)```", DOCS, re.DOTALL)
    (tests / "cpu-high.yaml").write_text(example.replace("opened_at: 9m", "opened_at: 10m"))
    lines = run_tests([project / FOLDER], rule_file=project / "prefect.yaml").text().splitlines()
    [shown] = re.findall(r"```\n(tests/rules/.*?)```", DOCS, re.DOTALL)
    for line in shown.splitlines()[1:]:
        start = line.removesuffix("…")
        assert not start.strip() or any(one.startswith(start) for one in lines), line


def test_what_else_may_happen_is_as_the_documentation_writes_it(ran: Ran) -> None:
    [block] = re.findall(r"```yaml\n(    actions:.*?)```", DOCS, re.DOTALL)
    meanwhile = yaml.safe_load(block)
    meanwhile["silences"][0]["matchers"] = {"rule": "plain"}
    report = ran(
        **meanwhile,
        series={"web-1": {"triggered": "1x13"}},
        events=[
            {"opened_at": 0, "resolved_at": "50m", "acknowledged_by": None},
            {"opened_at": "50m", "resolved_at": None},
        ],
    )
    assert wrong(report) == []
    assert [line for line in told(report) if "opened_at is 55m, not 50m" in line]


def test_the_documentation_names_every_key_of_a_test() -> None:
    for path in ((), ("actions",), ("silences",), ("firing",), ("events",), ("notifications",)):
        for key in known_keys(path):
            assert re.search(rf"\b{key}\b", DOCS), f"{'.'.join(path)}: {key}"


def test_an_error_about_a_word_of_yaml_1_1_says_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("tests:\n- {name: NO, rule: 0700, events: []}\n")
    found = read_tests(file)
    assert found is not None
    said = [problem.message for case in found.cases for problem in case.problems]
    assert any(
        'the file says `NO`, which YAML 1.1 reads as false: quote it ("NO")' in m for m in said
    )
    assert any("the file says `0700`, which YAML 1.1 reads as 448: quote it" in m for m in said)
