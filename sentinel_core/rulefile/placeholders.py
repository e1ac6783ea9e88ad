"""Prefect's `{{ placeholders }}`: filled from the environment, kept out of message templates."""

import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = re.compile(r"{{\s*([\w.\-\[\]$]+)\s*}}")
TEMPLATES = "templates"
REACTIONS = ("on_open", "on_resolve", "on_escalate")
# A placeholder that is neither the environment's nor one of Prefect's blocks and variables.
_BARE = re.compile(r"{{\s*(?!\$|prefect\.(?:blocks|variables)\.)([\w.\-\[\]$]+)\s*}}")


def has_placeholder(value: Any) -> bool:
    """True if the value, or a value anywhere in it, has a placeholder."""
    if isinstance(value, dict):
        return any(map(has_placeholder, value.values()))
    return PLACEHOLDER.search(str(value)) is not None


def keep_templates(deployment: dict[str, Any]) -> dict[str, Any]:
    """A deployment whose templates, of messages and reactions, Prefect leaves as they are.

    To Prefect `{{ event.rule }}` is a placeholder of its own and, as it knows no such value, empty
    text in what it deploys. `{{ (event.rule) }}` is none, and the same to a template.
    """
    parts = [deployment, *_mappings(deployment.get("schedules"))]
    for part in [*parts, *_mappings([deployment.get("schedule")])]:
        parameters = part.get("parameters")
        if isinstance(parameters, dict):
            for name in parameters.keys() & {TEMPLATES, *REACTIONS}:
                parameters[name] = _kept(parameters[name])
    return deployment


def _kept(value: Any) -> Any:
    """The value, in whose texts Prefect finds no placeholder of its own."""
    if isinstance(value, str):
        return _BARE.sub(r"{{ (\1) }}", value)
    if isinstance(value, dict):
        return {key: _kept(part) for key, part in value.items()}
    return [_kept(part) for part in value] if isinstance(value, list) else value


def taken_by_prefect(template: str) -> list[str]:
    """The placeholders that plain `prefect deploy` replaces with nothing, as written."""
    return [match[0] for match in _BARE.finditer(template)]


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fill(value: Any, environment: Mapping[str, str]) -> Any:
    """`{{ $NAME }}` replaced from the environment, as Prefect does; unset ones stay as written."""
    if isinstance(value, str):

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            return environment.get(name[1:], match[0]) if name.startswith("$") else match[0]

        return PLACEHOLDER.sub(replaced, value)
    if isinstance(value, dict):
        return {key: fill(part, environment) for key, part in value.items()}
    if isinstance(value, list):
        return [fill(part, environment) for part in value]
    return value
