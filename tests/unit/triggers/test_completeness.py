"""A trigger is more than its file: a test, a docs page, a flow and an example rule belong to it.

There is no registry. The files are walked and imported; one that can't be imported fails here.
"""

import ast
import importlib
import importlib.util
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from prefect import Flow
from pydantic import BaseModel

from sentinel_core.model.trigger import Trigger
from tests.support.processes import ROOT

TRIGGER_FILES = sorted((ROOT / "triggers").rglob("*.py"))
FLOW_FILES = sorted((ROOT / "flows").glob("*.py"))
PACKAGES = ("sentinel_core", "triggers", "flows", "viewer")


def import_file(path: Path) -> ModuleType:
    """The module of a file of ours, by its dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return importlib.import_module(".".join(parts))


@cache
def triggers_in(path: Path) -> list[type[Trigger]]:
    """The triggers a file defines; not those it imports, not what they share."""
    module = import_file(path)
    return [
        item
        for item in vars(module).values()
        if inspect.isclass(item)
        and issubclass(item, Trigger)
        and item.__module__ == module.__name__
        and not inspect.isabstract(item)
    ]


@cache
def flows_of(path: Path) -> dict[str, Flow[..., Any]]:
    """The flows a file offers, by the name an entrypoint calls them."""
    module = import_file(path)
    return {name: item for name, item in vars(module).items() if isinstance(item, Flow)}


@cache
def example_flow_names() -> frozenset[str]:
    """The flows that the shipped rule file deploys."""
    path = ROOT / "prefect.yaml"
    if not path.exists():
        return frozenset()
    names: set[str] = set()
    for deployment in yaml.safe_load(path.read_text()).get("deployments") or []:
        file, _, flow = str(deployment.get("entrypoint", "")).partition(":")
        if (ROOT / file).is_file() and (found := flows_of(ROOT / file).get(flow)):
            names.add(found.name)
    return frozenset(names)


def importable_triggers() -> list[tuple[Path, type[Trigger]]]:
    """Every trigger whose file can be imported; the other files fail a test of their own."""
    found = []
    for path in TRIGGER_FILES:
        try:
            found += [(path, trigger) for trigger in triggers_in(path)]
        except Exception:
            continue
    return found


EVERY_FILE = pytest.mark.parametrize(
    "path", TRIGGER_FILES, ids=lambda path: str(path.relative_to(ROOT))
)
EVERY_TRIGGER = pytest.mark.parametrize(
    ("path", "trigger"), [pytest.param(p, t, id=t.slug()) for p, t in importable_triggers()]
)


@EVERY_FILE
def test_every_file_below_triggers_can_be_imported(path: Path) -> None:
    assert import_file(path).__name__.startswith("triggers")


def test_the_walk_finds_the_triggers_there_are() -> None:
    found = {trigger.slug() for _, trigger in importable_triggers()}
    known = {"cpu-usage", "memory-usage", "disk-usage", "memory-leak"}
    assert found >= known | {"price-surge", "volume-spike"}


@EVERY_TRIGGER
def test_a_trigger_is_named_after_its_file_and_is_alone_in_it(
    path: Path, trigger: type[Trigger]
) -> None:
    assert trigger.slug().replace("-", "_") == path.stem
    assert triggers_in(path) == [trigger]
    assert callable(getattr(trigger, "check", None))
    assert path.parent.parent == ROOT / "triggers", "triggers/<family>/<name>.py"


@EVERY_TRIGGER
def test_a_trigger_has_a_test_file(path: Path, trigger: type[Trigger]) -> None:
    test = ROOT / "tests" / "unit" / "triggers" / path.parent.name / f"test_{path.stem}.py"
    assert test.is_file(), f"write {test.relative_to(ROOT)}"
    assert trigger.__name__ in test.read_text()
    names = [
        n.name for n in ast.walk(ast.parse(test.read_text())) if isinstance(n, ast.FunctionDef)
    ]
    assert any(name.startswith("test_") for name in names)


@EVERY_TRIGGER
def test_a_trigger_has_a_docs_page_that_names_its_parameters(
    path: Path, trigger: type[Trigger]
) -> None:
    page = ROOT / "docs" / "triggers" / f"{path.stem}.md"
    assert page.is_file(), f"write {page.relative_to(ROOT)}"
    missing = [name for name in trigger.model_fields if f"`{name}`" not in page.read_text()]
    assert missing == []


@EVERY_TRIGGER
def test_its_page_has_the_lines_that_a_project_needs(path: Path, trigger: type[Trigger]) -> None:
    page = (ROOT / "docs" / "triggers" / f"{path.stem}.md").read_text()
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    assert "`from sentinel_core import rule_flow`" in page
    assert f"`from {module} import {trigger.__name__}`" in page
    assert f"`{path.stem} = rule_flow({trigger.__name__})`" in page
    assert f"`flows/{path.parent.name}.py`" in page


@EVERY_TRIGGER
def test_a_trigger_says_what_it_is_and_what_its_parameters_mean(
    path: Path, trigger: type[Trigger]
) -> None:
    assert trigger.__doc__, "the docstring is the description in the Prefect UI"
    assert trigger.__doc__.strip() != (Trigger.__doc__ or "").strip()
    assert trigger.display_name, "display_name is what people see"
    assert trigger.default_category
    assert undescribed(trigger) == []


def undescribed(model: type[BaseModel]) -> list[str]:
    """The fields without a description, of the model and of every model of ours it holds."""
    schema = model.model_json_schema()
    own = {model.__name__: schema, **schema.get("$defs", {})}
    return [
        f"{name}.{field}"
        for name, part in own.items()
        for field, spec in part.get("properties", {}).items()
        if not spec.get("description")
    ]


@EVERY_TRIGGER
def test_a_trigger_has_a_flow_of_its_name(path: Path, trigger: type[Trigger]) -> None:
    names = {flow.name for file in FLOW_FILES for flow in flows_of(file).values()}
    assert trigger.slug() in names, "add one line to its family's file in flows/"
    family = flows_of(ROOT / "flows" / f"{path.parent.name}.py")
    assert family[path.stem].name == trigger.slug()


@EVERY_TRIGGER
def test_a_trigger_has_an_example_rule(path: Path, trigger: type[Trigger]) -> None:
    assert trigger.slug() in example_flow_names(), "add an example deployment to prefect.yaml"


@pytest.mark.parametrize("path", FLOW_FILES, ids=lambda path: path.name)
def test_a_flow_file_shadows_no_other_module(path: Path) -> None:
    """Prefect puts the file's folder first on the path: `import email` would find flows/email.py"""
    assert path.stem not in sys.stdlib_module_names
    # In a program of its own: earlier tests have imported flow files of other folders here.
    ask = (
        f"import importlib.util as u; s = u.find_spec({path.stem!r}); print(s.origin if s else '')"
    )
    other = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert not other or Path(other) == path, f"{path.stem} is {other}"


def test_folders_that_other_projects_have_as_well_are_namespaces() -> None:
    """With an `__init__.py` ours and theirs would hide each other."""
    for package in ("flows", "triggers"):
        assert not [*(ROOT / package).rglob("__init__.py")]


def test_tables_are_declared_in_one_file_only() -> None:
    """Elsewhere a table would be declared twice: Prefect loads flow files under another name."""
    declaring = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(keyword.arg == "table" for keyword in node.keywords)
    }
    assert declaring == {Path("sentinel_core/store/db/tables.py")}
