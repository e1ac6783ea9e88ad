"""What `sentinel init` would do in a folder: files to write, and what stays as it is and why.

Reads; writes nothing.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentinel_core.base.errors import ProjectError
from sentinel_core.project.merge import DEPLOYMENTS, load, merged
from sentinel_core.project.template import RULE_FILE, Piece, deployments, files
from sentinel_core.rulefile.yaml_lines import read_text

_BOM = b"\xef\xbb\xbf"
_TESTS = "tests/rules/"
# Files that most projects have: a text that shows that nothing is missing in them, and what to add.
_ADVICE = {
    ".gitignore": (".venv", "ignore .venv/, .env, *.log and *.db in it, as far as you have them"),
    "requirements.txt": ("prefect-sentinel", "add the line `{requirement}` to it"),
    "pyproject.toml": (
        "sentinel_rule_tests",
        "to run the rule tests with pytest, add `sentinel_rule_tests = true` and "
        '`pythonpath = ["."]` to [tool.pytest.ini_options]',
    ),
}
_PYTEST = ("pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")  # a pyproject.toml would hide them


@dataclass(frozen=True, slots=True)
class Change:
    """A file to write, by its path in the folder; `before` is None for a new one."""

    path: str
    before: bytes | None
    after: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A name of the template that the folder uses already: left as it is, and what to do."""

    name: str
    why: str


@dataclass(slots=True)
class ProjectPlan:
    """What to write into `folder`. `is_project` is true where there is a rule file already."""

    folder: Path
    is_project: bool
    changes: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)  # deployments


def make_plan(folder: Path) -> ProjectPlan:
    """The plan for a folder, which need not exist. Raises ProjectError or UnreadableError."""
    try:
        return _plan(folder)
    except OSError as error:
        reason = error.strerror or error
        raise ProjectError(f"{folder} can't be a project's folder: {reason}") from error


def _plan(folder: Path) -> ProjectPlan:
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file: name a folder, which need not exist")
    _refuse_pipes(folder)
    rule_file = folder / RULE_FILE
    exists = rule_file.exists() or rule_file.is_symlink()
    text = read_text(rule_file) if exists else ""
    data = load(rule_file, text)
    plan = ProjectPlan(folder, exists)
    new = _deployments(plan, data)
    plan.added = [piece.name for piece in new]
    _rule_file(plan, rule_file, text, new)
    named = {str(item.get("name")): item.get("entrypoint") for item in _entries(data)}
    rules = {
        piece.name for piece in deployments().values() if named.get(piece.name) == piece.entrypoint
    }
    _other_files(plan, rules | set(plan.added))
    _note_steps(plan, data)
    _note_hidden(plan)
    return plan


def _refuse_pipes(folder: Path) -> None:
    """Raise ProjectError for a name of the template whose reading might never end."""
    for path in (folder / name for name in files()):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ProjectError(
                f"{path} is a pipe, a socket or a device, and Sentinel needs a file of this name: "
                "rename it, and run `sentinel init` again"
            )


def _entries(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = data.get(DEPLOYMENTS)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _deployments(plan: ProjectPlan, data: Mapping[str, Any]) -> list[Piece]:
    """The deployments to add; what hinders the others goes to `plan.kept`."""
    entries = _entries(data)
    entrypoints = {str(item.get("name")): item.get("entrypoint") for item in entries}
    new: list[Piece] = []
    for piece in deployments().values():
        if not piece.is_rule and piece.entrypoint in entrypoints.values():
            continue
        if piece.name in entrypoints:
            if entrypoints[piece.name] != piece.entrypoint:
                plan.kept.append(Kept(piece.name, _name_taken(piece)))
        elif piece.is_rule and (missing := _missing_flow(plan.folder, piece)):
            plan.kept.append(Kept(piece.name, missing))
        else:
            new.append(piece)
    return new


def _name_taken(piece: Piece) -> str:
    what = f"{RULE_FILE} has a deployment of this name with another entrypoint"
    if piece.is_rule:
        return f"{what}: this example is left out"
    return (
        f"{what}: unless that is Sentinel's own, rename it and run `sentinel init` again, or add a "
        f"deployment with `entrypoint: {piece.entrypoint}` under another name"
    )


def _missing_flow(folder: Path, piece: Piece) -> str | None:
    """Why a rule's flow is not in a file that exists already; None when nothing is missing."""
    path, _, flow = piece.entrypoint.rpartition(":")
    if not (folder / path).exists():
        return None
    try:
        tree = ast.parse((folder / path).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path} exists and can't be read ({error}): this example is left out"
    names = {getattr(target, "id", None) for node in tree.body for target in _targets(node)}
    if flow in names:
        return None
    lines = files()[path].decode().splitlines()
    wanted = [line for line in lines if line.startswith(("from triggers", f"{flow} ="))]
    return (
        f"{path} exists and has no flow `{flow}`: add `{'` and `'.join(wanted)}` to it (and "
        "`from sentinel_core import rule_flow`), and run `sentinel init` again"
    )


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _rule_file(plan: ProjectPlan, path: Path, text: str, new: list[Piece]) -> None:
    if not plan.is_project and len(new) == len(deployments()):
        plan.changes.append(Change(RULE_FILE, None, files()[RULE_FILE]))
        return
    after = merged(path, text, new)
    before = path.read_bytes() if plan.is_project else None
    mark = _BOM if before and before.startswith(_BOM) else b""
    if (content := mark + after.encode()) != before:
        plan.changes.append(Change(RULE_FILE, before, content))


def _other_files(plan: ProjectPlan, rules: set[str]) -> None:
    """The other files that are missing; those of rule tests only for rules that are ours."""
    for name, content in files().items():
        if name == RULE_FILE:
            continue
        if name.startswith(_TESTS) and Path(name).stem not in rules:
            continue
        if not _exists(plan.folder, name):
            plan.changes.append(Change(name, None, content))
        elif (advice := _advice(plan.folder, name)) is not None:
            plan.kept.append(Kept(name, f"exists and is left as it is: {advice}"))


def _exists(folder: Path, name: str) -> bool:
    """True if the file need not be written. Raises ProjectError where no file can be."""
    path = folder / name
    for parent in Path(name).parents:
        if (folder / parent).exists() and not (folder / parent).is_dir():
            raise ProjectError(
                f"{folder / parent} is a file, and {name} needs a folder of this name"
            )
    if path.is_dir():
        raise ProjectError(f"{path} is a folder, and Sentinel needs a file of this name: rename it")
    if name == "pyproject.toml" and any((folder / other).exists() for other in _PYTEST):
        return True
    return path.exists() or path.is_symlink()


def _advice(folder: Path, name: str) -> str | None:
    """What to do about a file that exists; None when nothing is needed."""
    if name not in _ADVICE:
        return None
    sign, advice = _ADVICE[name]
    try:
        content = (folder / name).read_text("utf-8", errors="replace")
    except OSError:
        content = ""
    requirement = files()["requirements.txt"].decode().splitlines()[-1]
    return None if sign in content else advice.format(requirement=requirement)


def _note_steps(plan: ProjectPlan, data: Mapping[str, Any]) -> None:
    """Notes about steps at the top of the rule file, which the new deployments inherit."""
    if not plan.added:
        return
    if steps := _steps(data.get("pull")):
        plan.notes.append(
            f"the new rules get their code by the `pull` steps of {RULE_FILE} "
            f"({', '.join(steps)}): the new files must be where these lead before the first run, "
            "so commit and push them. Reconcile and the other housekeeping need no code of the "
            "project (`pull: []`)"
        )
    if steps := [*_steps(data.get("build")), *_steps(data.get("push"))]:
        plan.notes.append(
            f"{RULE_FILE} has steps that run with every deployment ({', '.join(steps)}): rules run "
            "on the workers' machines and need no image, so give the new deployments `build: []`"
        )


def _note_hidden(plan: ProjectPlan) -> None:
    """A note about files by which Python would not find the installed triggers."""
    for name in ("triggers/__init__.py", "triggers.py", "flows/triggers.py"):
        if (plan.folder / name).exists():
            how = "delete it if it is empty; else `sentinel rules check` says which line it needs"
            if "__init__" not in name:
                how = "rename it"
            plan.notes.append(f"{name} hides Sentinel's own triggers from the new rules: {how}")


def _steps(value: object) -> list[str]:
    steps = value if isinstance(value, list) else [value]
    return [
        str(name).rpartition(".")[2] for step in steps if isinstance(step, dict) for name in step
    ]
