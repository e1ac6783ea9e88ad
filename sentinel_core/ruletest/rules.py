"""Finds the rules under test, checked as `sentinel rules check` does."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel_core.base.errors import RuleFileError
from sentinel_core.model.rule import RuleSettings
from sentinel_core.rulefile.phrases import did_you_mean

if TYPE_CHECKING:
    from sentinel_core.rulefile.check import Declared, Report


@dataclass(frozen=True, slots=True)
class FoundRule:
    """A rule's own settings, as its deployment would have them."""

    name: str
    settings: RuleSettings
    tags: tuple[str, ...]
    declared: "Declared"


class Rules:
    """Rules by file and name; each rule file is checked once."""

    def __init__(self) -> None:
        self._reports: dict[Path, Report] = {}
        self._found: dict[tuple[Path, str], FoundRule] = {}

    def find(self, file: Path, name: str) -> FoundRule:
        """A rule without errors. Raises RuleFileError with all of its problems."""
        from sentinel_core.prefect_io.facts import rule_settings
        from sentinel_core.rulefile.check import check

        file = file.resolve()
        if (file, name) in self._found:
            return self._found[file, name]
        if file not in self._reports:
            if not file.parent.is_dir():
                raise RuleFileError(f"there is no folder {shown(file.parent)}")
            # Entrypoints are relative to the rule file's folder, wherever the tests are run from.
            with contextlib.chdir(file.parent):
                self._reports[file] = check(Path(file.name), ask_prefect=False)
        report = self._reports[file]
        names = [entry.name for entry in report.file.entries] if report.file else []
        wrong = [str(p) for p in report.errors if p.deployment in (None, name)]
        if report.file is not None and name not in names:
            raise RuleFileError(f"{shown(file)} has no rule {name!r}{did_you_mean(name, names)}")
        if wrong:
            raise RuleFileError(f"the rule file has errors: {'; '.join(wrong)}")
        declared = next((one for one in report.declared if one.entry.name == name), None)
        if declared is None or not declared.is_rule:
            raise RuleFileError(f"{name} is a plain flow, not a rule: it opens no events")
        for setting in RuleSettings.model_fields:
            if declared.entry.has_open(("parameters", setting)):
                raise RuleFileError(
                    f"parameters.{setting} of {name} has a placeholder that only Prefect can fill: "
                    "write the value to test the rule"
                )
        config = declared.entry.config
        settings = rule_settings(config.get("parameters") or {}, declared.schema)
        found = FoundRule(name, settings, tuple(config.get("tags") or ()), declared)
        self._found[file, name] = found
        return found


def shown(path: Path) -> str:
    """A path relative to the current folder, where possible."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return os.path.relpath(path) if path.exists() else str(path)
