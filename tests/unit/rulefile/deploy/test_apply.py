"""The file that Prefect is given is the rule file with what changes, and nothing of the rest."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_core.rulefile.deploy.apply import _copy_for_prefect
from sentinel_core.rulefile.deploy.plan import Action, Step, Wanted
from sentinel_core.rulefile.source import read

HOURLY = {"cron": "0 * * * *", "timezone": "UTC"}


def a_step(index: int, **keys: Any) -> Step:
    wanted = Wanted(
        index=index,
        name=f"rule-{index}",
        flow_name="disk-usage",
        fields={},
        schedules=(),
        paused=None,
        pull_steps=[],
        entrypoint="flows/system.py:disk_usage",
        is_rule=True,
    )
    return Step(wanted, Action.UPDATE, **keys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prefect.yaml"
    rules = [
        {"name": "rule-0", "schedule": HOURLY, "sla": [{"name": "time", "duration": 60}]},
        {"name": "rule-1", "schedules": [HOURLY, HOURLY]},
        {"name": "rule-2", "schedules": []},
    ]
    top = {"name": "shop", "definitions": {"rule": {}}, "pull": []}
    path.write_text(yaml.safe_dump({**top, "deployments": rules}))
    return path


def test_what_changes_is_copied_with_one_form_of_schedules(file: Path) -> None:
    given = _copy_for_prefect(read(file), [a_step(0), a_step(2)], slas=True)
    assert given == {
        "name": "shop",
        "pull": [],
        "deployments": [
            {"name": "rule-0", "schedules": [HOURLY], "sla": [{"name": "time", "duration": 60}]},
            {"name": "rule-2", "schedules": []},
        ],
    }


def test_without_cloud_the_lists_of_slas_are_left_out(file: Path) -> None:
    [rule] = _copy_for_prefect(read(file), [a_step(0)], slas=False)["deployments"]
    assert rule == {"name": "rule-0", "schedules": [HOURLY]}


def test_what_somebody_paused_stays_paused(file: Path) -> None:
    source = read(file)
    steps = [a_step(0, keep_paused=True), a_step(1, keep_inactive=(1,))]
    whole, part = _copy_for_prefect(source, steps, slas=False)["deployments"]
    assert whole["paused"] is True
    assert part["schedules"] == [HOURLY, {**HOURLY, "active": False}]
    assert "paused" not in part
    assert "active" not in source.entries[1].raw["schedules"][1]  # the file itself stays
