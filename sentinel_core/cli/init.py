"""`sentinel init`."""

import difflib
import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import Flag, Json
from sentinel_core.cli.output import one_line, print_json
from sentinel_core.model.cleaning import clean_text
from sentinel_core.project.plan import Change, ProjectPlan, make_plan
from sentinel_core.project.write import write


def init(
    folder: Annotated[
        Path, Parameter(help="The project's folder; it need not exist. The current one by default.")
    ] = Path(),
    *,
    dry_run: Annotated[
        bool, Flag, Parameter(help="Show what would be written, and write nothing.")
    ] = False,
    yes: Annotated[
        bool, Flag, Parameter(help="Don't ask before adding to an existing project.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Write a project: a rule file, flows, a trigger of your own, tests, and a CI workflow.

    In a folder with a prefect.yaml it adds what is missing: deployments behind those that are
    there, and files. Nothing that exists is overwritten; what will be added is shown first, with a
    question. Without a terminal, that needs --yes. All is written, or nothing. A second time
    changes nothing.

    Then, in the folder: `sentinel rules check`, and `sentinel up`.
    """
    plan = make_plan(folder)
    if not as_json:
        _print_plan(plan)
    if plan.changes and not dry_run:
        if plan.is_project and not yes and not _agreed(as_json=as_json):
            print("nothing was written")
            return 1
        write(plan)
    if as_json:
        _print_json(plan, written=bool(plan.changes) and not dry_run)
    elif dry_run:
        print("dry run: nothing was written")
    else:
        _print_next(plan)
    return 0


def _print_plan(plan: ProjectPlan) -> None:
    folder = one_line(plan.folder)
    print(f"{folder}:" if plan.changes else f"{folder}: nothing to add")
    for change in sorted(plan.changes, key=lambda change: change.before is not None):
        print(f"  {'new      ' if change.before is None else 'changed  '}{change.path}")
        if change.before is not None:
            _print_diff(change)
    for kept in plan.kept:
        print(clean_text(f"kept: {kept.name}: {kept.why}"))
    for note in plan.notes:
        print(clean_text(f"note: {note}"))


def _print_diff(change: Change) -> None:
    before, after = ((part or b"").decode("utf-8-sig") for part in (change.before, change.after))
    names = (f"{change.path} (now)", f"{change.path} (then)")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    for line in lines:
        print(clean_text(f"    {line}").rstrip())


def _agreed(*, as_json: bool) -> bool:
    """The answer of whoever sits at the terminal. Raises UsageError when nobody does."""
    if as_json or not sys.stdin.isatty():
        raise UsageError(
            "this adds to an existing project, and there is nobody to ask: nothing was written. "
            "Look at `sentinel init --dry-run`, then use --yes"
        )
    return input("Add this? [y/N] ").strip().lower() in ("y", "yes")


def _print_json(plan: ProjectPlan, *, written: bool) -> None:
    print_json(
        {
            "folder": str(plan.folder),
            "written": written,
            "new": [change.path for change in plan.changes if change.before is None],
            "changed": [change.path for change in plan.changes if change.before is not None],
            "deployments": plan.added,
            "kept": [{"name": kept.name, "why": kept.why} for kept in plan.kept],
            "notes": plan.notes,
        }
    )


def _print_next(plan: ProjectPlan) -> None:
    if not plan.changes:
        return
    print("next:")
    if plan.folder.resolve() != Path.cwd():
        print(clean_text(f"  cd {shlex.quote(str(plan.folder))}"))
    print("  sentinel rules check    # every mistake in prefect.yaml at once")
    if not plan.is_project:
        print(
            "  sentinel up             # Prefect's server, a worker and the blotter on this machine"
        )
        return
    print("  sentinel db upgrade     # creates the event store; SENTINEL_DATABASE_URL says where")
    print("  prefect work-pool create sentinel --type sentinel")
    print("  sentinel rules deploy")
    print("  prefect worker start --pool sentinel")
    print("  sentinel doctor         # in another terminal: looks at all of it")
