"""`sentinel triggers list` and `show`: what rules can measure, by the classes of the triggers."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import RULE_FILE, Json
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.parse import quoted
from sentinel_core.rulefile.catalogue import Catalogue, CatalogueEntry, catalogue
from sentinel_core.rulefile.phrases import did_you_mean

File = Annotated[Path, Parameter(help="The rule file; the project's own flows are beside it.")]


def list_triggers(*, file: File = RULE_FILE, as_json: Json = False) -> None:
    """List the triggers that rules can use: Sentinel's, and those of the project's own flows.

    `entrypoint` is what a rule in prefect.yaml names; where it is missing, `sentinel triggers show`
    has the lines to add.
    """
    found = _catalogue(file)
    if as_json:
        print_json([_plain(entry) for entry in found.entries])
        return
    print_table(
        ("trigger", "entrypoint", "measures"),
        ((entry.name, entry.entrypoint or "–", entry.description) for entry in found.entries),
        least=("entrypoint",),
    )


def show(
    name: Annotated[str, Parameter(help="The trigger, as `sentinel triggers list` shows it.")],
    *,
    file: File = RULE_FILE,
    as_json: Json = False,
) -> None:
    """Show one trigger: what it measures, its parameters with types and defaults, its page.

    `sentinel triggers show disk-usage`
    """
    found = _catalogue(file)
    wanted = name.strip().lower().replace("_", "-")
    entry = next((one for one in found.entries if one.name == wanted), None)
    if entry is None:
        names = [one.name for one in found.entries]
        raise UsageError(f"there is no trigger {quoted(name)}{did_you_mean(wanted, names)}")
    if as_json:
        print_json(_plain(entry))
        return
    trigger = entry.trigger
    print(f"{entry.name}  ({one_line(trigger.display_name or trigger.__name__)})")
    print(f"\n{one_line(entry.description, 1_000)}\n")
    for label, value in (
        ("entrypoint", entry.entrypoint),
        ("importance", trigger.default_importance.value),
        ("category", trigger.default_category),
        ("timeout", f"{trigger.timeout_seconds:g} s"),
        ("page", entry.page and f"sentinel docs {entry.page}"),
    ):
        if value:
            print(f"{label:12}{one_line(value)}")
    if not entry.entrypoint:
        file_name, lines = entry.missing_lines
        print(f"\nno flow of this project has it: add to {file_name}\n")
        print("\n".join(f"    {line}".rstrip() for line in lines))
        print(f"\nthen a rule names {file_name}:{lines[-1].partition(' ')[0]}")
    print("\nparameters of `check`")
    print_table(
        ("name", "type", "default", "description"),
        (
            (
                one.name,
                one.type,
                "required" if one.required else json.dumps(one.default, ensure_ascii=False),
                one.description,
            )
            for one in entry.parameters()
        ),
        folded={"type", "default", "description"},
        indent=2,
    )


def _catalogue(file: Path) -> Catalogue:
    if file != RULE_FILE and not file.is_file():
        raise UsageError(f"there is no rule file {file}: correct --file, or leave it out")
    found = catalogue(file.resolve().parent)
    for problem in found.problems:
        print(f"note: {one_line(problem, 400)}", file=sys.stderr)
    return found


def _plain(entry: CatalogueEntry) -> dict[str, Any]:
    trigger = entry.trigger
    return {
        "name": entry.name,
        "display_name": trigger.display_name,
        "description": entry.description,
        "entrypoint": entry.entrypoint or None,
        "importance": trigger.default_importance.value,
        "category": trigger.default_category,
        "timeout_seconds": trigger.timeout_seconds,
        "page": f"docs/{entry.page}.md" if entry.page else None,
        "parameters": [asdict(one) for one in entry.parameters()],
    }
