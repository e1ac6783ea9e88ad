"""Links between the pages lead somewhere, and every page can be reached from docs/index.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.pages import DOCS, anchor
from tests.support.processes import ROOT

PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
_LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _CODE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """The relative links of a page: as written, the file they name, and the anchor in it."""
    for written in _LINK.findall(prose(page)):
        if "://" not in written and not written.startswith("mailto:"):
            path, _, fragment = unquote(written).partition("#")
            yield written, (page.parent / path).resolve() if path else page, fragment


def anchors(page: Path) -> set[str]:
    return {
        anchor(re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", h)) for h in _HEADING.findall(prose(page))
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for written, file, fragment in links(page):
        assert file.exists(), written
        assert not fragment or f"#{fragment}" in anchors(file), written


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += {file for _, file, _ in links(page) if file.suffix == ".md"} - reached
    assert [page.name for page in DOCS.rglob("*.md") if page not in reached] == []


def test_the_readme_begins_with_the_two_commands_and_links_to_the_index() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    first = readme.index("```sh\nmake up")
    assert first < readme.index("make test") < readme.index("![")
    assert DOCS / "index.md" in {file for _, file, _ in links(ROOT / "README.md")}


def test_every_file_that_contributing_names_exists() -> None:
    """But for those of its examples: the trigger `queue_depth` has yet to be written."""
    named = set(re.findall(r"`([\w./-]+/[\w.-]*)`", prose(ROOT / "CONTRIBUTING.md")))
    places = (
        ROOT,
        ROOT / "sentinel_core",
        ROOT / "sentinel_core" / "notify",
        ROOT / "sentinel_core" / "worker",
    )
    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert {name for name in missing if "queue_depth" not in name} == set()
