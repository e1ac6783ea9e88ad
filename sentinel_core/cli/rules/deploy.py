"""`sentinel rules deploy`: prints the changes, asks, deploys, updates the event store."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter, validators
from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import (
    SetupError,
    StoreRefusedError,
    StoreUnavailableError,
    UsageError,
)
from sentinel_core.cli.options import RULE_FILE, Flag, RuleFilePath
from sentinel_core.cli.rules.checked import checked
from sentinel_core.cli.rules.deploying import deploying
from sentinel_core.cli.rules.gate import pass_gate
from sentinel_core.cli.rules.replay import period
from sentinel_core.cli.store import explained, settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.deploy.apply import apply
from sentinel_core.rulefile.deploy.apply import prune as remove
from sentinel_core.rulefile.deploy.compare import make_plan
from sentinel_core.rulefile.deploy.plan import Action, Deployed, Plan


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
            help="Deploy without rule tests and replay, which a file whose rules change goes "
            "through first.",
        ),
    ] = True,
) -> int:
    """Check a rule file, run its rule tests, and deploy all of it, or nothing.

    Prints first what will change in Prefect, field by field, and for rules whose settings change a
    replay over the recorded past. Pauses made in Prefect's UI are kept (unless the file
    says `paused:` or `active:`); other edits made there give way to the file. One deploy at a time
    may change something; one that was killed is named by the next, which deploys what is missing.
    """
    report = checked(file)
    rule_file = report.file
    assert rule_file is not None
    if budget is not None and not gate:
        raise UsageError("--budget needs the gate: leave out --no-gate")
    past = period(since, None) if gate else None

    def planned(client: SyncPrefectClient) -> tuple[Plan, Sequence[Deployed]]:
        plan = make_plan(client, rule_file, report.declared)
        _print_plan(plan, pruning=prune)
        if past is None:
            _say("no gate: no rule tests were run, nothing was replayed")
        else:
            pass_gate(report, plan, _say, since=past[0], until=past[1], budget=budget)
        return plan, plan.gone if prune else ()

    with prefect_api() as client:
        if dry_run:
            if note := unfinished_note(client, settings().store_variable):
                _say(note)
            plan, gone = planned(client)
            _say(f"dry run: {_count(plan, gone)}; nothing was changed")
            return 0
        # Before the plan is made: it must hold until it is carried out.
        with deploying(client, file, wait, _say) as deployment:
            plan, gone = planned(client)
            if not yes and not _agreed(plan, gone):
                _say("nothing was changed")
                return 1
            with deployment.changing(len(plan.to_deploy) + len(gone)) as done:
                apply(client, rule_file, plan, _say, done)
                remove(client, gone, _say, done)
            _update_store(client, [item.id for item in gone])
    _say(_count(plan, gone))
    return 0


def _say(line: str) -> None:
    print(clean_text(line), flush=True)


def _print_plan(plan: Plan, *, pruning: bool) -> None:
    for step in plan.steps:
        # Pauses stay although plain `prefect deploy` would undo them.
        kept = ""
        if step.keep_paused:
            kept = ", stays paused (resume it in Prefect, or write `paused: false`)"
        elif step.keep_inactive:
            advice = "resume it in Prefect, or write `active: true`"
            kept = f", a paused schedule stays paused ({advice})"
        if step.action is Action.CREATE:
            _say(f"{step.name}: new")
        elif step.action is Action.UNCHANGED:
            _say(f"{step.name}: unchanged{kept}")
        else:
            why = step.wanted.incomparable
            _say(f"{step.name}: {f'deployed again, it {why}' if why else 'changes'}{kept}")
            for change in step.changes:
                _say(f"  {change}")
    for item in plan.gone:
        fate = "will be removed" if pruning else "still deployed and running; --prune removes it"
        _say(f"{item.name}: not in the file, {fate}")
    for item in plan.foreign:
        _say(f"{item.name}: not in the file, from another project: left alone")


def _agreed(plan: Plan, gone: Sequence[Deployed]) -> bool:
    """Ask before something in Prefect is overwritten or removed, if somebody is there to answer."""
    overwritten = any(step.changes for step in plan.to_deploy)
    if not (overwritten or gone) or not sys.stdin.isatty():
        return True
    return input("Deploy? [y/N] ").strip().lower() in ("y", "yes")


def _update_store(client: SyncPrefectClient, removed: Sequence[UUID]) -> None:
    """Record the rules in the event store now, not at their first run; end events of removed ones.

    Prefect has them already, so an unreachable store is no failure: hooks and reconcile fill it in.
    """
    from sentinel_core.flow.opening import open_store
    from sentinel_core.flow.removed import end_events_of
    from sentinel_core.store.state.rules import deactivate_missing, sync

    facts = [rule_facts(item, flow) for item, flow in all_deployments(client) if is_rule(item)]
    try:
        with explained(settings().database_url):
            engine = open_store(settings())
            sync(engine, facts, datetime.now(UTC))
            deactivate_missing(engine, [rule.deployment_id for rule in facts])
            end_events_of(engine, removed, datetime.now(UTC), say=_say)
    except (StoreUnavailableError, StoreRefusedError, SetupError) as error:
        print(f"note: the rules are deployed, but {error}", file=sys.stderr)


def _count(plan: Plan, gone: Sequence[Deployed]) -> str:
    actions = [step.action for step in plan.steps]
    counts = [
        (actions.count(Action.CREATE), "new"),
        (actions.count(Action.UPDATE), "changed"),
        (actions.count(Action.UNCHANGED), "unchanged"),
        (len(gone), "removed"),
    ]
    return ", ".join(f"{number} {word}" for number, word in counts if number)
