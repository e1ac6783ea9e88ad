"""`sentinel rules deploy`: prints the changes, asks, deploys, updates the event store."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, validators
from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import RULE_FILE, Flag, Json, RuleFilePath
from sentinel_core.cli.rules.checked import checked
from sentinel_core.cli.rules.deploying import deploying, update_store
from sentinel_core.cli.rules.gate import pass_gate
from sentinel_core.cli.rules.plan_output import (
    counts,
    print_plan,
    print_plan_as_json,
    say_aside,
    say_here,
)
from sentinel_core.cli.rules.replay import period
from sentinel_core.cli.store import settings
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.deploy.apply import apply
from sentinel_core.rulefile.deploy.apply import prune as remove
from sentinel_core.rulefile.deploy.compare import make_plan
from sentinel_core.rulefile.deploy.plan import Deployed, Plan


def deploy(
    file: RuleFilePath = RULE_FILE,
    *,
    prune: Annotated[
        bool,
        Flag,
        Parameter(help="Remove deployments of this project that are not in the file."),
    ] = False,
    dry_run: Annotated[
        bool, Flag, Parameter(help="Print what would change, and change nothing.")
    ] = False,
    yes: Annotated[
        bool, Flag, Parameter(help="Don't ask. Without a terminal nothing is asked anyway.")
    ] = False,
    since: Annotated[
        str,
        Parameter(
            help="How far back changed rules are replayed: 24h, 7d, or a time like "
            "2026-11-20T18:00 (UTC)."
        ),
    ] = "7d",
    wait: Annotated[
        float,
        Parameter(
            validator=validators.Number(gte=0),
            help="Wait this many seconds for another deploy to end; by default none is waited for.",
        ),
    ] = 0,
    budget: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=0),
            help="Deploy nothing if the change would have sent more than this many additional "
            "notifications.",
        ),
    ] = None,
    gate: Annotated[
        bool,
        Parameter(
            negative="--no-gate",
            show_default=False,
            help="Run rule tests and replay first if rules of the file change; --no-gate deploys "
            "without.",
        ),
    ] = True,
    as_json: Json = False,
) -> int:
    """Check a rule file, run its rule tests, and deploy all of it, or nothing.

    Prints first what will change in Prefect, field by field, and for rules whose settings change a
    replay over the recorded past. Pauses made in Prefect's UI are kept (unless the file
    says `paused:` or `active:`); other edits made there give way to the file. One deploy at a time
    may change something; one that was killed is named by the next, which deploys what is missing.
    With --json nothing is asked, and what is said meanwhile goes to stderr.
    """
    say = say_aside if as_json else say_here
    report = checked(file)
    rule_file = report.file
    assert rule_file is not None
    if budget is not None and not gate:
        raise UsageError("--budget needs the gate: leave out --no-gate")
    past = period(since, None) if gate else None

    def planned(client: SyncPrefectClient) -> tuple[Plan, Sequence[Deployed]]:
        plan = make_plan(client, rule_file, report.declared)
        print_plan(plan, say, pruning=prune)
        if past is None:
            say("without a gate (--no-gate): no rule tests were run, nothing was replayed")
        else:
            pass_gate(report, plan, say, since=past[0], until=past[1], budget=budget)
        return plan, plan.gone if prune else ()

    with prefect_api() as client:
        if dry_run:
            if note := unfinished_note(client, settings().store_variable):
                say(note)
            plan, gone = planned(client)
            say(f"dry run: {counts(plan, gone)}; nothing was changed")
            if as_json:
                print_plan_as_json(plan, gone, dry_run=True)
            return 0
        # Before the plan is made: it must hold until it is carried out.
        with deploying(client, file, wait, say) as deployment:
            plan, gone = planned(client)
            if not yes and not as_json and not _agreed(plan, gone):
                say("nothing was changed")
                return 1
            with deployment.changing(len(plan.to_deploy) + len(gone)) as done:
                apply(client, rule_file, plan, say, done)
                remove(client, gone, say, done)
            update_store(client, [item.id for item in gone], say)
    say(counts(plan, gone))
    if as_json:
        print_plan_as_json(plan, gone, dry_run=False)
    return 0


def _agreed(plan: Plan, gone: Sequence[Deployed]) -> bool:
    """Ask before something in Prefect is overwritten or removed, if somebody is there to answer."""
    overwritten = any(step.changes for step in plan.to_deploy)
    if not (overwritten or gone) or not sys.stdin.isatty():
        return True
    return input("Deploy? [y/N] ").strip().lower() in ("y", "yes")
