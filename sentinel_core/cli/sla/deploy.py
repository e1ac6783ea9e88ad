"""`sentinel sla deploy` and `remove`: the rule that watches the SLAs of a file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.cli.options import RULE_FILE, Flag, Json
from sentinel_core.cli.rules.checked import without_errors
from sentinel_core.cli.rules.deploying import deploying, update_store
from sentinel_core.cli.rules.plan_output import (
    counts,
    print_plan,
    print_plan_as_json,
    say_aside,
    say_here,
)
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.rulefile.check import Report, check_slas
from sentinel_core.rulefile.check_housekeeping import missing_housekeeping
from sentinel_core.rulefile.deploy.apply import apply, prune
from sentinel_core.rulefile.deploy.compare import deployed, make_plan
from sentinel_core.rulefile.deploy.plan import Deployed, Plan
from sentinel_core.rulefile.sla_rule import FLOW_NAME, has_slas, sla_rule_name
from sentinel_core.rulefile.source import read
from sentinel_core.wording.text import counted

SlaFile = Annotated[Path, Parameter(help="The file with the `sla` lists.")]
DryRun = Annotated[bool, Flag, Parameter(help="Print what would change, and change nothing.")]
_NOTHING = "nothing was changed"


def deploy(file: SlaFile = RULE_FILE, *, dry_run: DryRun = False, as_json: Json = False) -> int:
    """Watch the SLAs that the deployments of a file declare: `sla` lists, as Prefect takes them.

    Makes or updates one rule for all of them, and removes it where the file has none any more.
    Deploys nothing else of the file. `sentinel rules deploy` does the same beside the rules.
    """
    say = say_aside if as_json else say_here
    report = without_errors(file, check_slas(file))
    rule_file = report.file
    assert rule_file is not None
    name = sla_rule_name(rule_file)
    with prefect_api() as client:
        _print_notes(report, client)

        def planned() -> tuple[Plan, Sequence[Deployed]]:
            whole = make_plan(client, rule_file, report.declared)
            plan = Plan(whole.steps, (), ())
            gone = () if report.declared else _of_name((*whole.gone, *whole.foreign), {name})
            print_plan(plan, say, pruning=True)
            if not report.declared and not gone:
                say(f"{file} has no SLAs: {_NOTHING}")
            return plan, gone

        if dry_run:
            plan, gone = planned()
            if plan.steps or gone:
                say(f"dry run: {counts(plan, gone)}; {_NOTHING}")
        else:
            with deploying(client, file, 0, say) as deployment:
                plan, gone = planned()
                with deployment.changing(len(plan.to_deploy) + len(gone)) as done:
                    apply(client, rule_file, plan, say, done)
                    prune(client, gone, say, done)
                update_store(client, [item.id for item in gone], say)
            if plan.steps or gone:
                say(counts(plan, gone))
    if as_json:
        print_plan_as_json(plan, gone, dry_run=dry_run)
    return 0


def remove(
    *names: Annotated[str, Parameter(help="Rules as `sentinel sla list` shows them.")],
    file: Annotated[Path, Parameter(help="The file whose rule is removed if none is named.")] = (
        RULE_FILE
    ),
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Watch the SLAs of a file no longer: its rule is removed, and its open events end.

    The file stays as it is. Removing a rule that is not deployed is no error.
    """
    say = say_aside if as_json else say_here
    wanted = set(names) or {sla_rule_name(read(file))}
    nothing = Plan((), (), ())
    with prefect_api() as client:
        if dry_run:
            gone = _deployed(client, wanted)
            say(f"dry run: {_would(gone, wanted)}; {_NOTHING}")
        else:
            with deploying(client, file, 0, say) as deployment:
                gone = _deployed(client, wanted)
                with deployment.changing(len(gone)) as done:
                    prune(client, gone, say, done)
                update_store(client, [item.id for item in gone], say)
            for missing in sorted(wanted - {item.name for item in gone}):
                say(f"{missing}: is not deployed")
    if as_json:
        print_plan_as_json(nothing, gone, dry_run=dry_run)
    return 0


def _deployed(client: SyncPrefectClient, names: set[str]) -> Sequence[Deployed]:
    """The SLA rules of these names that Prefect has."""
    return _of_name(deployed(client), names)


def _of_name(items: Sequence[Deployed], names: set[str]) -> Sequence[Deployed]:
    return [item for item in items if item.flow_name == FLOW_NAME and item.name in names]


def _would(gone: Sequence[Deployed], wanted: set[str]) -> str:
    if not gone:
        return f"{', '.join(sorted(wanted))}: not deployed"
    return f"{counted(len(gone), 'rule')} would be removed: {', '.join(i.name for i in gone)}"


def _print_notes(report: Report, client: SyncPrefectClient) -> None:
    """What keeps the SLAs from being watched, or anybody from being notified."""
    assert report.file is not None
    if not has_slas(report.file) or not report.declared:
        return
    parameters = report.declared[0].entry.config["parameters"]
    found = all_deployments(client)
    there = {f"{flow}/{item.name}" for item, flow in found}
    watched = dict.fromkeys(sla["deployment"] for sla in parameters["check"]["slas"])
    notes = [
        f"{name} is not deployed yet, so its SLAs are not checked: deploy it (docs/sla.md)"
        for name in watched
        if name not in there
    ]
    if not parameters.get("notify"):
        notes.append(
            "nobody is notified: name channels in definitions.sla.parameters.notify (docs/sla.md)"
        )
    for note in [*notes, *missing_housekeeping({flow for _, flow in found})]:
        print(f"note: {note}", file=sys.stderr)
