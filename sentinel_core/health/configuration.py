"""The settings of this process: each value without its secrets, and where it comes from."""

import difflib
import os
from collections.abc import Mapping

from prefect.context import get_settings_context
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from sentinel_core.base.settings import Settings
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.store.db.engine import masked
from sentinel_core.wording.text import flat, without_userinfo

COMPONENT = "settings"
_finding = Reporter(COMPONENT)
PREFIX = "SENTINEL_"
ENVIRONMENT, DEFAULT = "environment", "default"
# A variable spelled nearly like a setting is a mistake; others belong to rules and channels.
_ALIKE = 0.85
_OF_CHANNELS = ("SLACK_", "EMAIL_", "PAGERDUTY_")  # `sentinel channels setup` reads them


def look(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """A finding for each setting, and one for each variable that looks like a misspelled one."""
    found = [_prefect(environment)]
    given = {name.upper() for name, value in environment.items() if value}
    try:
        settings = Settings()
    except ValidationError as error:
        return [*found, *_invalid(error)]
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name.upper()}"
        source = ENVIRONMENT if variable in given else DEFAULT
        found.append(_setting(variable, _shown(name, getattr(settings, name)), source))
    return [*found, *_misspelled(environment)]


def invalid() -> list[Finding]:
    """A finding for each setting that is not valid; none when the settings can be read."""
    try:
        Settings()
    except ValidationError as error:
        return _invalid(error)
    return []


def _prefect(environment: Mapping[str, str]) -> Finding:
    """Prefect's own setting without which nothing works."""
    url = PREFECT_API_URL.value()
    if not url:
        return _setting("PREFECT_API_URL", "not set", DEFAULT)
    profile = get_settings_context().profile
    if environment.get("PREFECT_API_URL"):
        source = ENVIRONMENT
    elif profile.settings.get(PREFECT_API_URL) == url:
        source = f"profile {profile.name}"
    else:
        source = "a file here: .env, prefect.toml or pyproject.toml"
    return _setting("PREFECT_API_URL", without_userinfo(url), source)


def _shown(name: str, value: object) -> str:
    if name == "database_url":
        return masked(str(value))
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"
    if value is None or value == "":
        return "none"
    return without_userinfo(flat(str(value), 300))


def _invalid(error: ValidationError) -> list[Finding]:
    found = []
    for item in error.errors(include_input=False, include_url=False):
        place = "_".join(str(part) for part in item["loc"]).upper()
        found.append(
            _finding(
                f"{PREFIX}{place}" if place else "all",
                State.DOWN,
                f"not valid: {item['msg'].removeprefix('Value error, ')}",
                "correct the variable: nothing of Sentinel starts with it",
            )
        )
    return found


def _misspelled(environment: Mapping[str, str]) -> list[Finding]:
    known = {name.upper() for name in Settings.model_fields}
    found = []
    for name in environment:
        rest = name.upper().removeprefix(PREFIX)
        if rest == name.upper() or rest in known or rest.startswith(_OF_CHANNELS):
            continue
        if near := difflib.get_close_matches(rest, known, 1, _ALIKE):
            found.append(
                _finding(
                    flat(name, 80),
                    State.DEGRADED,
                    f"no such setting; did you mean {PREFIX}{near[0]}?",
                    "correct the variable's name, or remove it",
                )
            )
    return found


def _setting(variable: str, value: str, source: str) -> Finding:
    return _finding(variable, State.OK, f"{value} ({source})", value=value, source=source)
