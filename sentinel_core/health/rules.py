"""Rules: whether what the file has is deployed, and whether what is deployed is checked on time."""

from collections.abc import Sequence
from typing import Any

from sentinel_core.base.settings import Settings
from sentinel_core.flow import opening
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.health.installation import Installation
from sentinel_core.model.run import Schedule
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.prefect_io.due import schedule_status
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.check_housekeeping import WITHOUT
from sentinel_core.rulefile.sla_rule import deployment_names
from sentinel_core.store.db.failure import explained
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.system_rule import DEPLOYMENT_ID
from sentinel_core.wording.text import counted, flat, listed

COMPONENT = "rules"
_finding = Reporter(COMPONENT)
_NAMED = 5


def look(installation: Installation) -> list[Finding]:
    """The findings on the deployed rules, and on the file beside them."""
    deployed = [one.item for one in installation.deployed() if one.is_rule]
    paused = [
        item.name
        for item in deployed
        if item.paused or not any(schedule.active for schedule in item.schedules)
    ]
    sentence = f"{counted(len(deployed), 'rule')} deployed"
    if paused:
        sentence += f", {len(paused)} paused or without a schedule: {_names(paused)}"
    if not deployed:
        sentence = "no rule is deployed, so nothing is checked"
    checked = len(deployed) > len(paused)
    advice = "sentinel rules resume NAME" if deployed else "sentinel rules deploy"
    found = [
        _finding(
            "deployed",
            State.OK if checked else State.DEGRADED,
            sentence,
            "" if checked else advice,
            deployed=len(deployed),
            paused=paused,
        )
    ]
    found += _not_deployed(installation)
    with prefect_api() as client:
        note = unfinished_note(client, installation.settings.store_variable)
    if note is not None:
        found.append(_finding("deploy", State.DEGRADED, note))
    return found


def _not_deployed(installation: Installation) -> list[Finding]:
    if installation.file is None:
        return []
    # The file may also have deployments of the team's own flows.
    names = {one.item.name for one in installation.every()} | set(WITHOUT)
    missing = [name for name in deployment_names(installation.file) if name not in names]
    if not missing:
        return []
    return [
        _finding(
            "file",
            State.DEGRADED,
            f"in {installation.file.path} and not deployed: {_names(missing)}",
            "sentinel rules deploy",
            not_deployed=missing,
        )
    ]


def unreadable(sentence: str, advice: str) -> Finding:
    """The finding on a rule file that is there and can't be read."""
    return _finding("file", State.DOWN, sentence, advice)


def look_at_record(installation: Installation) -> list[Finding]:
    """Whether the active rules are evaluated on time, by what is on record; nothing for none."""
    active = [row for row in _recorded(installation.settings) if row["is_active"]]
    overdue = {}
    for row in active:
        known = (row["last_evaluated_at"], row["changed_at"], row["first_seen_at"])
        since = max(time for time in known if time is not None)
        policy = row["parameters"].get("policy")
        grace = policy.get("grace_seconds") if isinstance(policy, dict) else None
        schedules = [Schedule(**item) for item in row["schedules"]]
        status = schedule_status(schedules, since, installation.now, grace)
        if status.overdue:
            overdue[row["name"]] = status.sentence
    if overdue:
        first = next(iter(overdue))
        return [
            _finding(
                "on time",
                State.DOWN,
                f"{len(overdue)} of {counted(len(active), 'active rule')} not checked on time: "
                f"{_names(list(overdue))}. {first} was {flat(overdue[first], 200)}",
                "see the late runs in Prefect, and what is said about work pools",
                overdue=overdue,
            )
        ]
    if not active:
        return []
    return [_finding("on time", State.OK, f"{counted(len(active), 'active rule')} on time")]


def _recorded(settings: Settings) -> Sequence[Any]:
    with explained(settings.database_url):
        engine, _ = opening.look(settings.database_url)
        rows = all_rules(engine) if engine is not None else []
    return [row for row in rows if row["deployment_id"] != DEPLOYMENT_ID]


def _names(names: Sequence[str]) -> str:
    return listed(names, _NAMED)
