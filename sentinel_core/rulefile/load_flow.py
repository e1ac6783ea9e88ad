"""Loads the flow that an entrypoint names, or says why it can't be loaded."""

import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from prefect import Flow
from prefect.exceptions import ScriptError
from prefect.utilities.importtools import load_module, load_script_as_module

from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.phrases import did_you_mean, shorten

_INSTALLED = Path(__file__).parents[2]
_SHARED_NAMES = ("triggers", "flows")  # a project may have folders of these names
_SHARE = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)'


def flow_loader() -> Callable[[str], Flow[..., Any] | str]:
    """A function as `load_flow` that imports each file once, for however many of its flows.

    Making a flow takes its time, as Prefect derives a form from its parameters.
    """
    imported = cache(import_place)
    return cache(lambda entrypoint: _load(entrypoint, imported))


def load_flow(entrypoint: str) -> Flow[..., Any] | str:
    """The flow, or a sentence on why it could not be loaded.

    A file is looked for in the current folder; `package.module.flow` is imported.
    """
    return _load(entrypoint, import_place)


def _load(entrypoint: str, imported: Callable[[str], ModuleType | str]) -> Flow[..., Any] | str:
    place, _, name = entrypoint.rpartition(":" if ":" in entrypoint else ".")
    module = imported(place)
    if not isinstance(module, str):
        return _pick(module, place, name)
    missing = place.endswith(".py") and not Path(place).is_file()
    return f"{module}{_lines_to_add(name)}" if missing else module


def import_place(place: str) -> ModuleType | str:
    """The module of a file or of a dotted name, or a sentence on why it can't be imported."""
    is_file = place.endswith(".py")
    if is_file and not Path(place).is_file():
        return f"there is no file {shorten(place)} in {Path.cwd()}"
    try:
        return load_script_as_module(place) if is_file else load_module(place)
    except ScriptError as error:
        return f"{shorten(place)} can't be imported: {_reason(error.user_exc)}"
    except SystemExit as error:
        return f"{shorten(place)} can't be imported: it exits ({error.code})"
    except Exception as error:
        return f"{shorten(place)} can't be imported: {_reason(error)}"


def _pick(module: ModuleType, place: str, name: str) -> Flow[..., Any] | str:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Flow):
        return found
    flows = [key for key, value in vars(module).items() if isinstance(value, Flow)]
    what = "is not a flow" if found is not None else "does not exist"
    hint = _lines_to_add(name) or did_you_mean(name, flows)
    return f"{shorten(name)} {what} in {shorten(place)}{hint}"


def _lines_to_add(name: str) -> str:
    """A hint where the missing flow is called like one of Sentinel's triggers; else empty."""
    made = re.compile(rf"^{re.escape(name)} = rule_flow\(", re.MULTILINE)
    if not any(
        made.search(file.read_text("utf-8")) for file in (_INSTALLED / "flows").glob("*.py")
    ):
        return ""
    trigger = name.replace("_", "-")
    return f": add the lines that `sentinel triggers show {trigger}` prints"


def _reason(error: BaseException) -> str:
    """What hides a module of Sentinel's, or the line a traceback would end in."""
    missing = error.name if isinstance(error, ImportError) else None
    if missing and (hider := _hider(missing)):
        advice = f"delete it if it is empty, or add the line `{_SHARE}` to it"
        if hider.name != "__init__.py":
            advice = "rename it"
        return f"{hider} hides Sentinel's {missing}: {advice}"
    lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
    return shorten(clean_text(lines[-1] if lines else type(error).__name__), 300)


def _hider(name: str) -> Path | None:
    """The file that was imported in the place of a module of Sentinel's or of its package."""
    parts = name.split(".")
    installed = _INSTALLED.joinpath(*parts)
    if parts[0] not in _SHARED_NAMES or not (
        installed.is_dir() or installed.with_suffix(".py").is_file()
    ):
        return None
    for count in range(1, len(parts) + 1):
        file = getattr(sys.modules.get(".".join(parts[:count])), "__file__", None)
        if file is not None and not Path(file).is_relative_to(_INSTALLED):
            return Path(file)
    return None
