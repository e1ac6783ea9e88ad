"""What a deploy would change or has changed, for people and as JSON."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sentinel_core.cli.output import print_changes
from sentinel_core.cli.rules.deploying import Say
from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.deploy.plan import Action, Deployed, Plan
from sentinel_core.wording.text import listed

_NAMED = 8


def say_here(line: str) -> None:
    print(clean_text(line), flush=True)


def say_aside(line: str) -> None:
    print(clean_text(line), file=sys.stderr, flush=True)


def print_plan_as_json(plan: Plan, gone: Sequence[Deployed], *, dry_run: bool) -> None:
    """What was deployed and removed, or would have been; the rest as unchanged."""
    changed: list[dict[str, Any]] = [
        {
            "name": step.name,
            "sentence": "new" if step.action is Action.CREATE else "changed",
            "fields": [asdict(change) for change in step.changes],
        }
        for step in plan.to_deploy
    ]
    changed += [{"name": item.name, "sentence": "removed", "fields": []} for item in gone]
    left = [step.name for step in plan.steps if step.action is Action.UNCHANGED]
    kept = [item.name for item in plan.gone if item not in gone]
    print_changes(
        changed,
        [
            *({"name": name, "code": "already", "sentence": "unchanged"} for name in left),
            *(
                {"name": name, "code": "not-in-file", "sentence": "still deployed and running"}
                for name in kept
            ),
        ],
        dry_run=dry_run,
    )


def print_plan(plan: Plan, say: Say, *, pruning: bool) -> None:
    """Each deployment that changes, field by field; the names of the others."""
    unchanged = []
    for step in plan.steps:
        # Pauses stay although plain `prefect deploy` would undo them.
        kept = ""
        if step.keep_paused:
            kept = ", stays paused (resume it in Prefect, or write `paused: false`)"
        elif step.keep_inactive:
            advice = "resume it in Prefect, or write `active: true`"
            kept = f", a paused schedule stays paused ({advice})"
        if step.action is Action.CREATE:
            say(f"{step.name}: new")
        elif step.action is Action.UNCHANGED and kept:
            say(f"{step.name}: unchanged{kept}")
        elif step.action is Action.UNCHANGED:
            unchanged.append(step.name)
        else:
            why = step.wanted.incomparable
            say(f"{step.name}: {f'deployed again, it {why}' if why else 'changes'}{kept}")
            for change in step.changes:
                say(f"  {change}")
    for item in plan.gone:
        fate = "will be removed" if pruning else "still deployed and running; --prune removes it"
        say(f"{item.name}: not in the file, {fate}")
    if unchanged:
        say(f"unchanged: {listed(unchanged, _NAMED)}")
    if plan.foreign:
        names = listed([item.name for item in plan.foreign], _NAMED)
        say(f"left alone (rules of another project, not in this file): {names}")
    if taken := [step.name for step in plan.to_deploy if step.from_elsewhere]:
        say(
            f"warning: deployed with other pull steps before: {listed(taken, _NAMED)}. They get "
            "their code as this file says; if another project has rules of these names, rename "
            "them in one of the two"
        )


def counts(plan: Plan, gone: Sequence[Deployed]) -> str:
    """`1 new, 2 changed, 3 unchanged, 1 removed`"""
    actions = [step.action for step in plan.steps]
    each = [
        (actions.count(Action.CREATE), "new"),
        (actions.count(Action.UPDATE), "changed"),
        (actions.count(Action.UNCHANGED), "unchanged"),
        (len(gone), "removed"),
    ]
    return ", ".join(f"{number} {word}" for number, word in each if number)
