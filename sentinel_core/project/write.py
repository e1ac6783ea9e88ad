"""Writes a plan into its folder: all of it, or nothing."""

import contextlib
import secrets
import shutil
from pathlib import Path

from sentinel_core.base.errors import ProjectError
from sentinel_core.project.plan import Change, ProjectPlan

_PART = ".sentinel-init"  # behind the names of files that are not in place yet


def write(plan: ProjectPlan) -> None:
    """Write the files of the plan. Raises ProjectError after removing what was written."""
    made: list[Path] = []
    waiting: dict[Path, tuple[Path, Change]] = {}
    placed: list[tuple[Path, Change]] = []
    try:
        for change in plan.changes:
            target = _target(plan.folder, change)
            made += _make_folders(target.parent)
            part = target.with_name(f"{target.name}.{secrets.token_hex(8)}{_PART}")
            with part.open("xb") as file:  # neither a file that exists nor one behind a link
                waiting[part] = (target, change)
                if change.before is not None:
                    shutil.copymode(target, part)
                file.write(change.after)
        for part, (target, change) in waiting.items():
            _place(part, target, change)
            placed.append((target, change))
    except BaseException as error:
        _undo(list(waiting), placed, made)
        if not isinstance(error, OSError):
            raise
        place = error.filename or plan.folder
        raise ProjectError(
            f"{place} can't be written: {error.strerror or error}. Nothing was changed in "
            f"{plan.folder}"
        ) from error


def _target(folder: Path, change: Change) -> Path:
    """Where to write; behind a symbolic link for a file that exists."""
    path = folder / change.path
    return path.resolve() if change.before is not None else path


def _make_folders(folder: Path) -> list[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    made = []
    for path in reversed(missing):
        path.mkdir()
        made.append(path)
    return made


def _place(part: Path, target: Path, change: Change) -> None:
    if (target.read_bytes() if target.exists() else None) != change.before:
        raise ProjectError(
            f"{target} has changed in the meantime, and nothing was written: run `sentinel init` "
            "again"
        )
    part.replace(target)


def _undo(waiting: list[Path], placed: list[tuple[Path, Change]], made: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for target, change in placed:
            if change.before is None:
                target.unlink()
            else:
                target.write_bytes(change.before)
    for path in waiting:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    for folder in reversed(made):
        with contextlib.suppress(OSError):
            folder.rmdir()
