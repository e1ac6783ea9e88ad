"""`sentinel rules deploy`: prints the changes, asks, deploys, updates the event store."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import (
    SchemaBehindError,
    SetupError,
    StoreUnavailableError,
    UsageError,
)
from sentinel_core.cli.rules.gate import Gate, pass_gate
from sentinel_core.cli.rules.replay import period
from sentinel_core.cli.store import opened, settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.rulefile.check import Report
from sentinel_core.rulefile.deploy.apply import apply, prune
from sentinel_core.rulefile.deploy.compare import make_plan
from sentinel_core.rulefile.deploy.plan import Action, Deployed, Plan, Step


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command; `since` is None without the gate."""

    prune: bool = False
    dry_run: bool = False
    yes: bool = False
    since: str | None = None
    budget: int | None = None


def run(report: Report, options: Options) -> int:
    """Deploy a checked file; the exit code.

    Raises DeployError, GateError, UsageError, PrefectUnreachableError.
    """
    assert report.file is not None
    gate = _gate(options)
    with prefect_api() as client:
        plan = make_plan(client, report.file, report.declared)
        _print_plan(plan, pruning=options.prune)
        gone = plan.gone if options.prune else ()
        if gate is None:
            _say("no gate: no rule tests were run, nothing was replayed")
        else:
            pass_gate(gate, report, plan, _say)
        if options.dry_run:
            _say(f"dry run: {_count(plan, gone)}; nothing was changed")
            return 0
        if not options.yes and not _agreed(plan, gone):
            _say("nothing was changed")
            return 1
        apply(client, report.file, plan, _say)
        prune(client, gone, _say)
        _update_store(client)
    _say(_count(plan, gone))
    return 0


def _gate(options: Options) -> Gate | None:
    if options.since is None:
        if options.budget is not None:
            raise UsageError("--budget needs the gate: leave out --no-gate")
        return None
    return Gate(*period(options.since, None), options.budget)


def _say(line: str) -> None:
    print(clean_text(line), flush=True)


def _print_plan(plan: Plan, *, pruning: bool) -> None:
    for step in plan.steps:
        _print_step(step)
    for item in plan.gone:
        fate = "will be removed" if pruning else "still deployed and running; --prune removes it"
        _say(f"{item.name}: not in the file, {fate}")
    for item in plan.foreign:
        _say(f"{item.name}: not in the file, from another project: left alone")


def _print_step(step: Step) -> None:
    kept = _kept(step)
    if step.action is Action.UNCHANGED:
        _say(f"{step.name}: unchanged{kept}")
    elif step.action is Action.CREATE:
        _say(f"{step.name}: new")
    else:
        why = step.wanted.incomparable
        _say(f"{step.name}: {f'deployed again, it {why}' if why else 'changes'}{kept}")
        for change in step.changes:
            _say(f"  {change}")


def _kept(step: Step) -> str:
    """Pauses that stay although plain `prefect deploy` would undo them."""
    if step.keep_paused:
        return ", stays paused (resume it in Prefect, or write `paused: false`)"
    if step.keep_inactive:
        return ", a paused schedule stays paused (resume it in Prefect, or write `active: true`)"
    return ""


def _agreed(plan: Plan, gone: Sequence[Deployed]) -> bool:
    """Ask before something in Prefect is overwritten or removed, if somebody is there to answer."""
    overwritten = any(step.changes for step in plan.to_deploy)
    if not (overwritten or gone) or not sys.stdin.isatty():
        return True
    return input("Deploy? [y/N] ").strip().lower() in ("y", "yes")


def _update_store(client: SyncPrefectClient) -> None:
    """Record the rules in the event store now, not at their first run.

    Prefect has them already, so an unreachable store is no failure: hooks and reconcile fill it in.
    """
    from datetime import UTC, datetime

    from sentinel_core.store.db.schema import ensure_schema
    from sentinel_core.store.state.rules import deactivate_missing, sync

    facts = [rule_facts(item, flow) for item, flow in all_deployments(client) if is_rule(item)]
    try:
        with opened(settings().database_url) as engine:
            ensure_schema(engine)
            sync(engine, facts, datetime.now(UTC))
            deactivate_missing(engine, [rule.deployment_id for rule in facts])
    except (StoreUnavailableError, SchemaBehindError, SetupError) as error:
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
