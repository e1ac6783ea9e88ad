"""`sentinel rules run`: a run in Prefect now, recorded like any other."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from prefect.states import Scheduled

from sentinel_core.base.errors import RuleFileError
from sentinel_core.cli.options import RULE_FILE
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule
from sentinel_core.rulefile.source import read
from sentinel_core.wording.text import counted

SPREAD = timedelta(seconds=1)  # Prefect's own SQLite does not like many at once


def run(
    *names: Annotated[str, Parameter(help="Rules to run.")],
    every: Annotated[
        bool,
        Parameter("--all", negative="", help="Every rule of the file that is not paused."),
    ] = False,
    file: Annotated[Path, Parameter(help="The rule file, for --all.")] = RULE_FILE,
) -> None:
    """Start one run of each rule in Prefect now, recorded like any other."""
    wanted = [entry.name for entry in read(file).entries] if every else list(dict.fromkeys(names))
    if not wanted:
        raise RuleFileError("name the rules to run, or say --all for every rule of the file")
    with prefect_api() as client:
        found = {d.name: d for d, _flow in all_deployments(client) if d.name in wanted}
        if missing := [name for name in wanted if name not in found]:
            raise RuleFileError(
                f"not deployed: {', '.join(missing)}. Deploy the file first: sentinel rules deploy"
            )
        chosen = [found[name] for name in wanted]
        if every:
            chosen = [item for item in chosen if is_rule(item) and not item.paused]
        for place, deployment in enumerate(chosen):
            at = datetime.now(UTC) + place * SPREAD
            client.create_flow_run_from_deployment(
                deployment.id, state=Scheduled(scheduled_time=at)
            )
            print(f"started {deployment.name}")
    apart = f", {SPREAD.total_seconds():g} s apart" if len(chosen) > 1 else ""
    print(f"{counted(len(chosen), 'run')} started{apart}")
