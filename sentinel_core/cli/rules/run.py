"""`sentinel rules run`: a run in Prefect now, recorded like any other."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from prefect.client.schemas.responses import DeploymentResponse

from sentinel_core.base.errors import RuleFileError, ScheduleError
from sentinel_core.cli.options import RULE_FILE, Json
from sentinel_core.cli.output import print_changes
from sentinel_core.flow.operate import SPREAD, start_run
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.due import next_due
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.rulefile.sla_rule import deployment_names
from sentinel_core.rulefile.source import read
from sentinel_core.wording.text import counted


def run(
    *names: Annotated[str, Parameter(help="Rules to run.")],
    every: Annotated[
        bool,
        Parameter("--all", negative="", help="Every rule of the file that is not paused."),
    ] = False,
    not_due_within: Annotated[
        float,
        Parameter(
            validator=validators.Number(gte=0),
            help="Seconds; a rule of --all that is due by then is left to its schedule.",
        ),
    ] = 0,
    file: Annotated[Path, Parameter(help="The rule file, for --all.")] = RULE_FILE,
    as_json: Json = False,
) -> None:
    """Start one run of each rule in Prefect now, recorded like any other."""
    wanted = deployment_names(read(file)) if every else list(dict.fromkeys(names))
    if not wanted:
        raise RuleFileError("name the rules to run, or say --all for every rule of the file")
    with prefect_api() as client:
        found = {d.name: d for d, _flow in all_deployments(client) if d.name in wanted}
        if missing := [name for name in wanted if name not in found]:
            raise RuleFileError(
                f"not deployed: {', '.join(missing)}. Deploy the file first: sentinel rules deploy"
            )
        chosen = [found[name] for name in wanted]
        due_anyway: list[DeploymentResponse] = []
        if every:
            chosen = [item for item in chosen if is_rule(item) and not item.paused]
            due_later = _due_later(chosen, timedelta(seconds=not_due_within))
            due_anyway = [item for item in chosen if item not in due_later]
            chosen = due_later
        started = []
        for place, deployment in enumerate(chosen):
            at = datetime.now(UTC) + place * SPREAD
            run_id = start_run(client, deployment.id, at)
            started.append({"name": deployment.name, "sentence": "started", "flow_run_id": run_id})
            if not as_json:
                print(f"started {deployment.name}")
    soon = f"due within {not_due_within:g} s anyway"
    if as_json:
        print_changes(
            started,
            [{"name": item.name, "code": "due", "sentence": soon} for item in due_anyway],
        )
        return
    if due_anyway and not chosen:
        print(f"no run needed: {counted(len(due_anyway), 'rule')} {soon}")
        return
    apart = f", {SPREAD.total_seconds():g} s apart" if len(chosen) > 1 else ""
    rest = f"; {counted(len(due_anyway), 'rule')} {soon}" if due_anyway else ""
    print(f"{counted(len(chosen), 'run')} started{apart}{rest}")


def _due_later(
    deployments: Sequence[DeploymentResponse], margin: timedelta
) -> list[DeploymentResponse]:
    """The rules that are due no sooner than `margin` after the run that they get here."""
    now = datetime.now(UTC)
    found: list[DeploymentResponse] = []
    for deployment in deployments:
        due = _next_due(deployment, now)
        if due is None or due >= now + len(found) * SPREAD + margin:
            found.append(deployment)
    return found


def _next_due(deployment: DeploymentResponse, now: datetime) -> datetime | None:
    """When a rule is due by itself; None if it never is, or its schedule can't be read."""
    try:
        return next_due(rule_facts(deployment, "").schedules, now)
    except ScheduleError:
        return None
