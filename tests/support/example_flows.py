"""The example flows, imported once for all tests of a process.

Each check of a rule file imports its flows anew, and a flow works out the form of its parameters
while it is imported: most of the time of such a test.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow

from sentinel_core.rulefile import check
from tests.support.processes import ROOT

Load = Callable[[str], Flow[..., Any] | str]
_load: Load = check._load
_load_once: Load = cache(check._load)


@pytest.fixture(autouse=True)
def examples_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check takes the example flows as they were imported first; all other flows anew."""

    def load(entrypoint: str) -> Flow[..., Any] | str:
        is_example = Path.cwd() == ROOT and entrypoint.startswith("flows/")
        return (_load_once if is_example else _load)(entrypoint)

    monkeypatch.setattr(check, "_load", load)
