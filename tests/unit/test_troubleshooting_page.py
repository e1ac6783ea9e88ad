"""docs/troubleshooting.md quotes sentences that the code really has."""

import ast
import re

import pytest

from tests.support.pages import DOCS, cells, sections
from tests.support.processes import ROOT

PAGE = (DOCS / "troubleshooting.md").read_text("utf-8")
SYMPTOMS = [row[0] for part in sections(PAGE, "##").values() for row in cells(part)]
QUOTED = sorted({quote for symptom in SYMPTOMS for quote in re.findall(r'"(.+?)"', symptom)})
FROM_OTHERS = {"database is locked"}  # SQLite's own words


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """Every text of the code, with `…` in the place of what is filled in."""
    found = []
    for folder in ("sentinel_core", "triggers", "viewer"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(_part(value) for value in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(re.sub(r"\{\w*\}|%\w", "…", node.value))
    return found


def _part(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else "…"


@pytest.mark.parametrize("quote", QUOTED)
def test_the_sentence_is_in_the_code(quote: str, sentences: list[str]) -> None:
    if quote in FROM_OTHERS:
        return
    pattern = re.compile(r".*".join(re.escape(part) for part in quote.split("…")), re.DOTALL)
    assert any(pattern.search(sentence) for sentence in sentences)


def test_every_row_says_what_to_do() -> None:
    rows = [row for part in sections(PAGE, "##").values() for row in cells(part)]
    assert len(rows) > 35
    for row in rows:
        assert len(row) == 3
        assert all(row)
