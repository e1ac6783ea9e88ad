"""Settings of a rule that are valid and can do nothing: each is a warning with its line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_core.rulefile.check import check
from sentinel_core.rulefile.source import Problem

CHANNEL = "slack-incoming-webhook/alerts"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prefect.yaml"


def rule(name: str = "disk", *, entry: str = "system.py:disk_usage", **more: Any) -> dict[str, Any]:
    schedules = more.pop("schedules", [{"cron": "*/5 * * * *", "timezone": "UTC"}])
    return {
        "name": name,
        "entrypoint": f"flows/{entry}",
        "work_pool": {"name": "sentinel"},
        "schedules": schedules,
        "parameters": {"check": {"path": "/"}, **more},
    }


def warnings(file: Path, *rules: dict[str, Any]) -> list[Problem]:
    file.write_text(yaml.safe_dump({"deployments": list(rules)}), "utf-8")
    report = check(file, ask_prefect=False)
    assert report.errors == []
    return report.problems


def only(file: Path, *rules: dict[str, Any]) -> Problem:
    """The one warning of a file; its line is that of the value which it names."""
    [problem] = warnings(file, *rules)
    assert problem.level == "warning"
    last = problem.field.rpartition(".")[2].partition("[")[0]
    assert problem.line is not None
    near = file.read_text().splitlines()[problem.line - 2 : problem.line]
    assert any(last in line or line.lstrip().startswith("-") for line in near), near
    return problem


# -- whom it tells -------------------------------------------------------------------------


def test_routes_without_the_rules_importance_are_a_warning(file: Path) -> None:
    found = only(file, rule(importance="high", notify={"low": [CHANNEL]}))
    assert found.field == "parameters.notify"
    assert "nobody is notified of its events" in found.message
    assert "Add `high:`" in found.message


def test_the_importance_may_be_the_triggers_own(file: Path) -> None:
    assert "nothing for high" in only(file, rule(notify={"medium": [CHANNEL]})).message
    assert warnings(file, rule(notify={"high": [CHANNEL]})) == []
    assert warnings(file, rule(notify={})) == []


def test_a_schedules_own_importance_is_looked_up_in_the_rules_routes(file: Path) -> None:
    schedule = {"cron": "0 * * * *", "parameters": {"importance": "critical"}}
    given = rule(notify={"high": [CHANNEL]}, schedules=[schedule])
    [found] = warnings(file, given)
    assert "nothing for critical" in found.message


# -- what it mutes -------------------------------------------------------------------------


def test_inhibiting_an_unknown_rule_is_a_warning_with_a_near_name(file: Path) -> None:
    found = only(file, rule(inhibits=["checkout-slw"]), rule("checkout-slow"))
    assert found.field == "parameters.inhibits[0]"
    assert "this file has no rule checkout-slw; did you mean checkout-slow?" in found.message


@pytest.mark.parametrize("pattern", ["disk", "dis*"])
def test_inhibiting_itself_is_a_warning(file: Path, pattern: str) -> None:
    found = only(file, rule(inhibits=[pattern]), rule("other"))
    assert "a rule never mutes itself" in found.message


def test_inhibiting_other_rules_is_none(file: Path) -> None:
    assert warnings(file, rule(inhibits=["d*", "ch?ck"]), rule("disc"), rule("check")) == []


# -- what it can decide --------------------------------------------------------------------


def window(**more: Any) -> dict[str, Any]:
    return {"op": "gt", "value": 1, "aggregate": "avg", **more}


def test_a_window_shorter_than_the_schedule_is_a_warning(file: Path) -> None:
    found = only(file, rule(conditions=[window(over_seconds=60)]))
    assert found.field == "parameters.conditions[0]"
    assert "the window of 1 min is shorter than the 5 min between two checks" in found.message
    assert warnings(file, rule(conditions=[window(over_seconds=300)])) == []


@pytest.mark.parametrize("points", [1, 2, 3])
def test_as_many_points_as_a_window_can_hold_are_none(file: Path, points: int) -> None:
    condition = window(over_seconds=900, minimum_points=points)
    assert warnings(file, rule(conditions=[condition])) == []


def test_more_points_than_a_window_can_hold_are_a_warning(file: Path) -> None:
    found = only(file, rule(conditions=[window(over_seconds=900, minimum_points=4)]))
    assert "it needs 4 values, and in 15 min there are at most 3" in found.message


def test_the_growth_of_one_value_is_a_warning(file: Path) -> None:
    condition = window(over_seconds=60) | {"aggregate": "rate"}
    assert "it needs 2 values" in only(file, rule(conditions=[condition])).message


def test_points_without_a_window_are_a_warning(file: Path) -> None:
    condition = {"op": "gt", "value": 1, "minimum_points": 3}
    assert "`last` looks at one value" in only(file, rule(conditions=[condition])).message


@pytest.mark.parametrize(
    "schedule",
    [
        {"interval": 60},
        {"interval": "PT1M"},
        {"rrule": "FREQ=MINUTELY"},
        {"cron": "* 9-17 * * mon-fri", "timezone": "Europe/Berlin"},
    ],
)
def test_the_shortest_time_between_two_checks_counts(file: Path, schedule: dict[str, Any]) -> None:
    fits = window(over_seconds=300, minimum_points=5)
    assert warnings(file, rule(conditions=[fits], schedules=[schedule])) == []
    too_many = window(over_seconds=300, minimum_points=6)
    [found] = warnings(file, rule(conditions=[too_many], schedules=[schedule]))
    assert "it needs 6 values" in found.message


def test_a_condition_within_a_group_is_named_by_the_group(file: Path) -> None:
    found = only(file, rule(conditions=[{"any": [window(over_seconds=60)]}]))
    assert found.field == "parameters.conditions[0]"


# -- what it reads -------------------------------------------------------------------------


def test_a_disk_path_that_is_missing_here_is_a_warning(file: Path) -> None:
    found = only(file, rule(check={"path": "/no/such/disk"}))
    assert found.field == "parameters.check.path"
    assert "there is no path /no/such/disk on this machine" in found.message
    assert "where the worker has none" in found.message


def test_a_csv_that_is_missing_here_is_a_warning(file: Path) -> None:
    check = {"ticker": "AAPL", "threshold": 5, "source": "no/quotes.csv"}
    found = only(file, rule(entry="market.py:price_surge", check=check))
    assert found.field == "parameters.check.source"
    assert "there is no file no/quotes.csv" in found.message
    check["source"] = "https://quotes.example/today.csv"
    assert warnings(file, rule(entry="market.py:price_surge", check=check)) == []


def test_a_script_that_is_missing_here_is_a_warning(file: Path, tmp_path: Path) -> None:
    check = {"path": "check.py", "working_directory": str(tmp_path)}
    found = only(file, rule(entry="custom.py:script", check=check))
    assert (found.field, "no script" in found.message) == ("parameters.check.path", True)
    (tmp_path / "check.py").touch()
    assert warnings(file, rule(entry="custom.py:script", check=check)) == []
    check["working_directory"] = str(tmp_path / "away")
    found = only(file, rule(entry="custom.py:script", check=check))
    assert found.field == "parameters.check.working_directory"


WRITES = [
    "DELETE FROM orders",
    "  delete from orders where id = 1",
    "-- tidy up\nUPDATE orders SET old = 1",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    "DROP TABLE orders",
]
READS = [
    "SELECT 'DELETE FROM x' AS text",
    "SELECT updated FROM orders",
    "WITH o AS (SELECT id FROM orders) SELECT id FROM o",
    "(SELECT 1)",
    "SELECT /* DELETE FROM x */ 1",
]


@pytest.mark.parametrize("query", WRITES)
def test_a_query_that_changes_data_is_a_warning_wherever_it_stands(file: Path, query: str) -> None:
    by_sql = {"url": "sqlite:///x.db", "query": query}
    found = only(file, rule(entry="custom.py:sql_query", check=by_sql))
    assert found.field == "parameters.check.query"
    assert "changes data, and a check only reads" in found.message
    source = {"kind": "sql", **by_sql}
    metric = {"source": source, "threshold": 1}
    found = only(file, rule(entry="metric.py:metric_threshold", check=metric))
    assert "changes data" in found.message
    source = {"database": "env:SENTINEL_RULE_X", "query": query}
    quotes = {"ticker": "A", "threshold": 1, "source": source}
    found = only(file, rule(entry="market.py:price_surge", check=quotes))
    assert "changes data" in found.message


@pytest.mark.parametrize("query", READS)
def test_a_query_that_reads_is_none(file: Path, query: str) -> None:
    check = {"url": "sqlite:///x.db", "query": query}
    assert warnings(file, rule(entry="custom.py:sql_query", check=check)) == []


# -- what is not known ---------------------------------------------------------------------


def test_values_that_only_prefect_can_fill_are_not_warned_of(file: Path) -> None:
    hidden = "{{ prefect.variables.hidden }}"
    assert warnings(file, rule(check={"path": hidden}, inhibits=[hidden])) == []


def test_the_rules_of_this_project_have_no_warnings() -> None:
    assert check(Path("prefect.yaml"), ask_prefect=False).problems == []


def test_what_rules_may_not_read_is_a_warning(file: Path, tmp_path: Path) -> None:
    headers = {"X-Token": "env:SHOP_TOKEN"}
    health = {"url": "https://shop.example", "headers": headers}
    found = only(file, rule(entry="service.py:health_check", check=health))
    assert found.field == "parameters.check.headers"
    assert "X-Token: the environment variable SHOP_TOKEN may not be read" in found.message
    quotes = {"ticker": "A", "threshold": 1, "source": "/etc/passwd"}
    found = only(file, rule(entry="market.py:price_surge", check=quotes))
    assert "/etc/passwd may not be read by rules" in found.message
    source = {"kind": "http", "url": "http://169.254.169.254/latest"}
    metric = {"source": source, "threshold": 1}
    found = only(file, rule(entry="metric.py:metric_threshold", check=metric))
    assert "169.254.169.254 may not be asked by rules" in found.message
    script = {"path": "examples/scripts/load_average.py", "pass_environment": ["PGPASSWORD"]}
    found = only(file, rule(entry="custom.py:script", check=script))
    assert "PGPASSWORD" in found.message


def test_a_password_in_a_database_url_is_a_warning(file: Path) -> None:
    check = {"url": "postgresql://shop:hunter2@db.example/shop", "query": "SELECT 1"}
    found = only(file, rule(entry="custom.py:sql_query", check=check))
    assert found.field == "parameters.check.url"
    assert "a password does not belong in a rule" in found.message
    assert "hunter2" not in found.message
    check = {**check, "url": "block:secret/shop-database"}
    assert warnings(file, rule(entry="custom.py:sql_query", check=check)) == []


# -- how long it is waited for -------------------------------------------------------------


@pytest.mark.parametrize(("grace", "said"), [(89, "up to 90 s"), (90, None), (14_400, None)])
def test_a_grace_shorter_than_a_run_needs_is_a_warning(
    file: Path, grace: float, said: str | None
) -> None:
    given = rule(policy={"grace_seconds": grace})
    if said is None:
        assert warnings(file, given) == []
    else:
        found = only(file, given)
        assert found.field == "parameters.policy.grace_seconds"
        assert found.message.startswith("the rule is reported as silent 89 s after it was due")
        assert said in found.message


def test_a_grace_without_a_due_time_has_no_effect(file: Path) -> None:
    found = warnings(file, rule(schedules=[], policy={"grace_seconds": 600}))
    assert any("without a schedule the rule is never due" in one.message for one in found)


def test_a_grace_of_one_schedule_alone_has_no_effect(file: Path) -> None:
    schedule = {"cron": "0 * * * *", "parameters": {"policy": {"grace_seconds": 600}}}
    found = only(file, rule(schedules=[schedule]))
    assert found.field == "schedules[0].parameters.policy.grace_seconds"
    assert found.message == (
        "has no effect: a rule has one grace for all its schedules. Write it in the rule's own "
        "`parameters`"
    )


@pytest.mark.parametrize("grace", [0, -5, "soon", 1e12])
def test_a_grace_that_can_not_be_is_an_error(file: Path, grace: object) -> None:
    file.write_text(yaml.safe_dump({"deployments": [rule(policy={"grace_seconds": grace})]}))
    [error] = check(file, ask_prefect=False).errors
    assert error.field == "parameters.policy.grace_seconds"


# -- when it starts ------------------------------------------------------------------------


def spread(spread: object, **more: Any) -> dict[str, Any]:
    """A rule of every five minutes that says how it is spread."""
    pool = {"name": "sentinel", "job_variables": {"spread": spread}}
    return {**rule(**more), "work_pool": pool}


DAILY = [{"cron": "0 9 * * *", "timezone": "UTC"}]
SECONDS = [{"interval": 10}]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ("interval", {}),
        ("interval", {"schedules": SECONDS}),
        ("interval", {"schedules": DAILY, "policy": {"grace_seconds": 600}}),
        ("none", {}),
        ("none", {"schedules": SECONDS}),
        (0, {}),
        (240, {}),
        (3600, {"schedules": DAILY}),
        (3600, {"schedules": DAILY, "policy": {"grace_seconds": 3690}}),
        (None, {}),
    ],
)
def test_a_spread_that_does_what_it_says(file: Path, given: object, more: dict[str, Any]) -> None:
    assert warnings(file, spread(given, **more)) == []


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (241, {}, "only 4 min of it count: a run starts within 80 % of the time until the next"),
        (3600, {}, "(5 min)"),
        (60, {"schedules": SECONDS}, "only 8 s of it count"),
        (86_400, {"schedules": DAILY}, "(at most a day)"),
        (3600, {"schedules": DAILY, "policy": {"grace_seconds": 600}}, "only 510 s of it count"),
        (30, {"policy": {"grace_seconds": 90}}, "has no effect: the rule is reported as silent 90"),
        ("interval", {"policy": {"grace_seconds": 90}}, "has no effect"),
    ],
)
def test_a_spread_that_is_cut_is_a_warning(
    file: Path, given: object, more: dict[str, Any], said: str
) -> None:
    found = only(file, spread(given, **more))
    assert found.field == "work_pool.job_variables.spread"
    assert said in found.message


def test_a_spread_without_a_due_time_has_no_effect(file: Path) -> None:
    found = warnings(file, spread("interval", schedules=[]))
    assert any("without a schedule nothing is due" in one.message for one in found)
    assert len(warnings(file, spread("none", schedules=[]))) == len(found) - 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("intervall", "got 'intervall'; did you mean interval?"),
        ("weekly", "expected interval, none or 0 to 86400 seconds, got 'weekly'"),
        ("30", "got '30'"),
        (True, "got True"),
        (-1, "got -1"),
        (86_401, "got 86401"),
        ([5], "got [5]"),
        (float("nan"), "expected a finite number, got nan"),
        (float("inf"), "expected a finite number, got inf"),
    ],
)
def test_a_spread_that_can_not_be_is_an_error(file: Path, given: object, said: str) -> None:
    file.write_text(yaml.safe_dump({"deployments": [spread(given)]}))
    [error] = check(file, ask_prefect=False).errors
    assert error.field.endswith("work_pool.job_variables.spread")
    assert said in error.message
    assert error.line is not None
    assert "spread:" in file.read_text().splitlines()[error.line - 1]


def test_a_spread_that_prefect_fills_in_is_not_judged(file: Path) -> None:
    assert warnings(file, spread("{{ prefect.variables.spread }}")) == []
