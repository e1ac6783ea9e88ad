"""What `import sentinel_core` gives to authors of triggers, rules and flows, and what it costs."""

import json
import os
import subprocess
import sys
import tomllib
from typing import Any

import pytest

import sentinel_core
from sentinel_core.base import errors
from sentinel_core.flow import rule_flow as flow_module
from sentinel_core.model import alert, trigger
from tests.support.processes import ROOT

REAL: dict[str, Any] = {
    "AlertOutput": alert.AlertOutput,
    "History": trigger.History,
    "Importance": alert.Importance,
    "NoHistory": trigger.NoHistory,
    "SentinelError": errors.SentinelError,
    "Trigger": trigger.Trigger,
    "rule_flow": flow_module.rule_flow,
}


def test_every_public_name_is_the_real_object() -> None:
    assert sorted(sentinel_core.__all__) == sorted(REAL)
    for name, real in REAL.items():
        assert getattr(sentinel_core, name) is real
    assert set(REAL) <= set(dir(sentinel_core))


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        sentinel_core.nothing  # noqa: B018


def in_a_fresh_process(code: str, **environment: str) -> Any:
    """What the code prints as JSON."""
    clean = {k: v for k, v in os.environ.items() if k != "PREFECT__FLOW_RUN_ID"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


OLD = """
import json
import sentinel_core
from sentinel_core.alert import AlertOutput, Importance
from sentinel_core.trigger import History, NoHistory, Trigger
from sentinel_core.rule_flow import history_of, rule_flow

for name in ("AlertOutput", "Importance", "History", "NoHistory", "Trigger"):
    assert globals()[name] is getattr(sentinel_core, name), name

class Tide(Trigger):
    "Nothing."

print(json.dumps([rule_flow(Tide).name, sentinel_core.rule_flow(Tide).name]))
"""


def test_the_old_modules_have_their_public_names_and_hide_none_of_the_new_ones() -> None:
    assert in_a_fresh_process(OLD) == ["tide", "tide"]


def test_importing_the_package_imports_none_of_its_modules() -> None:
    loaded = in_a_fresh_process(
        "import json, sys, sentinel_core\n"
        "print(json.dumps([m for m in sys.modules if m.startswith(('sentinel_core.', 'prefect'))]))"
    )
    assert loaded == []


FROZEN = """
import gc, json, sentinel_core, sentinel_core.flow.rule_flow
print(json.dumps(gc.get_freeze_count() > 0))
"""


def test_importing_leaves_the_garbage_collector_as_it_is() -> None:
    assert in_a_fresh_process(FROZEN) is False


def test_a_process_that_serves_one_run_freezes_what_it_has_imported() -> None:
    run = "00000000-0000-0000-0000-000000000000"
    assert in_a_fresh_process(FROZEN, PREFECT__FLOW_RUN_ID=run) is True


def test_the_wheel_has_the_mark_of_a_typed_package() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert "sentinel_core" in build["targets"]["wheel"]["packages"]
    assert not {"exclude", "only-include"} & {*build, *build["targets"]["wheel"]}
    tracked = subprocess.run(
        ["git", "ls-files", "sentinel_core/py.typed"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert tracked.stdout.strip() == "sentinel_core/py.typed"
