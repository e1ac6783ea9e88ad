"""Puts the pages of the documentation and the changelog into the wheel, for `sentinel docs`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Hatchling runs it before it builds; an editable install reads the checkout's own docs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map each page to its place in the package."""
        if version == "standard":
            docs = Path(self.root) / "docs"
            for page in docs.rglob("*.md"):
                place = f"sentinel_core/docs/{page.relative_to(docs).as_posix()}"
                build_data["force_include"][str(page)] = place
            changes = Path(self.root) / "CHANGELOG.md"
            build_data["force_include"][str(changes)] = "sentinel_core/docs/changelog.md"
