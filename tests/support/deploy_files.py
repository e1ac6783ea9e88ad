"""What the files of deploy/ say: commands, variables and images."""

import re
import shlex
from typing import Any

import yaml
from prefect.cli._app import _app as prefect
from prefect.settings import Settings as PrefectSettings

from sentinel_core.base.settings import Settings
from sentinel_core.cli import app as sentinel
from tests.support.processes import ROOT

_PROGRAMS = {"sentinel": sentinel, "prefect": prefect}


def load(name: str) -> Any:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def read_env(name: str) -> dict[str, str]:
    """An example of a file of environment variables."""
    lines = (ROOT / "deploy/env" / f"{name}.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def assert_commands_exist(script: str) -> int:
    """Every `sentinel …` and `prefect …` of a shell script can be parsed; returns their number."""
    found = 0
    script = re.sub(r"(?m)(^|\s)#.*$", "", script)
    for line in re.split(r"\|\||&&|;|\n", script):
        program, *words = shlex.split(re.sub(r">/dev/null|2>&1", "", line)) or [""]
        if program.rpartition("/")[2] in _PROGRAMS:
            app = _PROGRAMS[program.rpartition("/")[2]]
            app.parse_args(words, exit_on_error=False, print_error=False)
            found += 1
    return found


def assert_variables_exist(names: set[str]) -> None:
    """The variables are settings of Prefect, of its Redis messaging, or of Sentinel."""
    known = {f"SENTINEL_{name.upper()}" for name in Settings.model_fields}
    known |= set(PrefectSettings().to_environment_variables(include_secrets=True))
    known |= _prefect_names(PrefectSettings, "PREFECT_")
    free = ("POSTGRES_", "PREFECT_REDIS_MESSAGING_", "SENTINEL_RULE_")
    assert {name for name in names if not name.startswith(free)} <= known


def _prefect_names(model: Any, prefix: str) -> set[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        aliases = getattr(field.validation_alias, "choices", [])
        names |= {str(alias).upper() for alias in aliases}
        names.add(f"{prefix}{name.upper()}")
        kind = field.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields"):
            names |= _prefect_names(kind, str(kind.model_config.get("env_prefix", prefix)))
    return names
