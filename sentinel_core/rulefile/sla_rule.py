"""The rule that is made of the `sla` lists of a file: one for all deployments of the file.

Prefect refuses these lists on a server without Cloud, after it has deployed the deployment.
"""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from os import environ
from typing import Any

from prefect import Flow

from sentinel_core.model.sla import Sla
from sentinel_core.prefect_io.client import default_work_pool
from sentinel_core.rulefile.check_sla import SLA, read_slas
from sentinel_core.rulefile.phrases import kind
from sentinel_core.rulefile.placeholders import fill
from sentinel_core.rulefile.source import DEFINITIONS, Entry, RuleFile

FLOW_NAME = "prefect-sla"
ENTRYPOINT = "triggers.pipelines.sla_flow.prefect_sla"
_KEYS = ("name", "description", "tags", "work_pool", "schedules", "paused", "parameters")
_EVERY_MINUTE = [{"cron": "* * * * *", "timezone": "UTC"}]
_POOL = "sentinel"
_USUAL_STEM = "prefect"

Load = Callable[[str], Flow[..., Any] | str]


def has_slas(file: RuleFile) -> bool:
    """True if a deployment of the file has a `sla` list that is not empty."""
    return any(entry.config.get(SLA) for entry in file.entries)


def deployment_names(file: RuleFile) -> list[str]:
    """The names of the file's deployments and, where there are SLAs, of the rule made of them."""
    return [entry.name for entry in file.entries] + [sla_rule_name(file)] * has_slas(file)


def sla_rule_name(file: RuleFile) -> str:
    """The name of the rule: that in `definitions.sla`, or one made of the project's."""
    given = _settings(file).get("name")
    if isinstance(given, str) and given:
        return given
    project = file.data.get("name")
    parts = ["sla", project if isinstance(project, str) and project else file.folder.name]
    if file.path.stem != _USUAL_STEM:
        parts.append(file.path.stem)
    return "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", p.lower()).strip("-") for p in parts)))


def sla_rule(file: RuleFile, load: Load, pools: Sequence[str] = ()) -> Entry | None:
    """The rule as one more deployment of the file; None where nothing is promised.

    `load` gives the flow of an entrypoint; `pools` are the work pools of the file's rules, of
    which the rule gets the first.
    """
    watched = [
        {"deployment": f"{flow}/{entry.name}", **_written(sla)}
        for entry in file.entries
        if (slas := read_slas(file, entry)) and (flow := _flow_name(file, entry, load))
        for sla in slas
    ]
    if not watched:
        return None
    own = deepcopy(_settings(file))
    pool = next(iter(pools), None) or default_work_pool() or _POOL
    parameters = own.pop("parameters", None)
    raw = {
        "name": sla_rule_name(file),
        "entrypoint": ENTRYPOINT,
        "description": f"The `{SLA}` keys of {file.path.name}: written by `sentinel sla deploy`.",
        "tags": ["sla"],
        "work_pool": {"name": pool},
        # A check that is still running is not started a second time.
        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
        "schedules": _EVERY_MINUTE,
        **own,
        "parameters": {
            "policy": {"on_missing": "ok"},  # an SLA that is removed ends its event
            **(parameters if isinstance(parameters, dict) else {}),
            "check": {"slas": watched},
        },
    }
    return Entry(_next_index(file), raw, fill(raw, environ))


def check_settings(file: RuleFile) -> None:
    """Note what is wrong with `definitions.sla`, the settings of the rule."""
    definitions = file.data.get(DEFINITIONS)
    given = definitions.get(SLA) if isinstance(definitions, dict) else None
    if given is None or not has_slas(file):
        return
    path = (DEFINITIONS, SLA)
    if not isinstance(given, dict):
        file.complain(None, path, f"expected a mapping, got {kind(given)}")
        return
    file.check_keys(None, path, given, _KEYS, "key of the SLA rule")
    parameters = given.get("parameters")
    if isinstance(parameters, dict) and "check" in parameters:
        message = "not here: what is checked is said by the `sla` lists of the deployments"
        file.complain(None, (*path, "parameters", "check"), message)


def _settings(file: RuleFile) -> dict[str, Any]:
    definitions = file.data.get(DEFINITIONS)
    given = definitions.get(SLA) if isinstance(definitions, dict) else None
    if not isinstance(given, dict):
        return {}
    return {key: value for key, value in given.items() if key in _KEYS}


def _written(sla: Sla) -> dict[str, Any]:
    return sla.model_dump(mode="json", exclude_none=True)


def _flow_name(file: RuleFile, entry: Entry, load: Load) -> str | None:
    """The name of the flow that an entry deploys; None when it can't be loaded."""
    entrypoint = entry.config.get("entrypoint")
    flow = load(entrypoint) if isinstance(entrypoint, str) and entrypoint else "there is none"
    if isinstance(flow, Flow):
        return flow.name
    message = f"its flow is needed for the SLAs: {flow}"
    if not any(one.field == "entrypoint" and one.deployment == entry.name for one in file.problems):
        file.complain(entry, ("entrypoint",), message)
    return None


def _next_index(file: RuleFile) -> int:
    deployments = file.data.get("deployments")
    return len(deployments) if isinstance(deployments, list) else 0
