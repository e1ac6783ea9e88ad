"""The example flows, imported once for all tests of a process.

Each check of a rule file imports its flows anew, and a flow works out the form of its parameters
while it is imported: most of the time of such a test.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from sentinel_core.rulefile import load_flow
from tests.support.processes import ROOT

Import = Callable[[str], ModuleType | str]
_import: Import = load_flow.import_place
_import_once: Import = cache(load_flow.import_place)


@pytest.fixture(autouse=True)
def examples_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check takes the example flows as they were imported first; all other flows anew."""

    def imported(place: str) -> ModuleType | str:
        is_example = Path.cwd() == ROOT and place.startswith("flows/")
        return (_import_once if is_example else _import)(place)

    monkeypatch.setattr(load_flow, "import_place", imported)
