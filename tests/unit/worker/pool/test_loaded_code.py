"""Whether loaded code is still what lies on disk: real files, real imports."""

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sentinel_core.worker.pool.loaded_code import LoadedCode

ENTRYPOINT = "rules.py:rule"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a rule and a helper that is imported with it, as a child would load them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "code_helper.py").write_text("VALUE = 1\n")
    (tmp_path / "rules.py").write_text("import code_helper\nrule = code_helper\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def watch(code: LoadedCode[ModuleType]) -> None:
    """What a child does after a run that began just now."""
    code.watch(since=time.time_ns())


def load(entrypoint: str) -> ModuleType:
    """What a child's loader does, without Prefect: import, and take the attribute."""
    return importlib.import_module(entrypoint.partition(".py")[0])


@pytest.fixture
def code(checkout: Path) -> LoadedCode[ModuleType]:
    loaded: LoadedCode[ModuleType] = LoadedCode(str(checkout))
    loaded.get(ENTRYPOINT, load)
    return loaded


def test_code_is_loaded_once_for_each_entrypoint(checkout: Path) -> None:
    calls: list[str] = []
    code: LoadedCode[str] = LoadedCode(str(checkout))
    for entrypoint in (ENTRYPOINT, "rules.py:other", ENTRYPOINT, ENTRYPOINT):
        assert code.get(entrypoint, lambda name: calls.append(name) or name) == entrypoint  # type: ignore[func-returns-value]
    assert calls == [ENTRYPOINT, "rules.py:other"]


def test_code_that_could_not_be_loaded_is_tried_again_the_next_time(checkout: Path) -> None:
    code: LoadedCode[str] = LoadedCode(str(checkout))

    def broken(entrypoint: str) -> str:
        raise SyntaxError(entrypoint)

    with pytest.raises(SyntaxError):
        code.get(ENTRYPOINT, broken)
    assert code.get(ENTRYPOINT, lambda _: "mended") == "mended"


def test_untouched_code_is_not_changed(code: LoadedCode[ModuleType], checkout: Path) -> None:
    (checkout / "notes.txt").write_text("nobody imports this")
    (checkout / "other_rules.py").write_text("not loaded")
    assert not code.changed()


def replaced(file: Path) -> None:
    """As editors and `git checkout` do it: another file in its place, of the same size and time."""
    old = file.stat()
    twin = file.with_suffix(".new")
    twin.write_text(file.read_text().replace("1", "2"))
    os.utime(twin, ns=(old.st_atime_ns, old.st_mtime_ns))
    twin.replace(file)


def written(file: Path) -> None:
    file.write_text(file.read_text() + "# more\n")


def touched(file: Path) -> None:
    stamp = file.stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(stamp, stamp))


CHANGES: list[Callable[[Path], None]] = [replaced, written, touched, Path.unlink]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", ["rules.py", "code_helper.py"])
def test_a_file_that_was_loaded_and_is_another_one_now_is_a_change(
    code: LoadedCode[ModuleType], checkout: Path, name: str, change: Callable[[Path], None]
) -> None:
    change(checkout / name)
    assert code.changed()
    assert code.changed()  # and stays one: nobody else will notice for it


def test_a_file_that_was_broken_when_it_was_loaded_is_a_change_once_it_is_mended(
    checkout: Path,
) -> None:
    (checkout / "rules.py").write_text("rule =")
    code: LoadedCode[ModuleType] = LoadedCode(str(checkout))
    with pytest.raises(SyntaxError):
        code.get(ENTRYPOINT, load)
    assert not code.changed()
    (checkout / "rules.py").write_text("rule = 1")
    assert code.changed()


def test_a_helper_that_changes_during_the_run_that_imported_it_counts_as_changed(
    checkout: Path,
) -> None:
    code: LoadedCode[ModuleType] = LoadedCode(str(checkout))
    assert code.get(ENTRYPOINT, load).code_helper.VALUE == 1
    # The run is under way; when it has ended, the child looks what was imported.
    (checkout / "code_helper.py").write_text("VALUE = 22\n")
    watch(code)
    assert code.changed()


def test_a_module_imported_by_a_later_run_is_watched_from_then_on(
    code: LoadedCode[ModuleType], checkout: Path
) -> None:
    late = checkout / "code_late.py"
    late.write_text("VALUE = 1\n")
    importlib.import_module("code_late")
    watch(code)
    assert not code.changed()
    written(late)
    assert code.changed()


def test_a_module_that_was_written_after_its_run_began_counts_as_changed(
    code: LoadedCode[ModuleType], checkout: Path
) -> None:
    """Whether it was read before or after that, nobody can tell."""
    late, began = checkout / "code_late.py", time.time_ns()
    late.write_text("VALUE = 1\n")
    os.utime(late, ns=(began + 1, began + 1))  # file times are coarser than the clock
    importlib.import_module("code_late")
    code.watch(since=began)
    assert code.changed()


def test_a_file_from_a_clock_that_is_ahead_is_no_change_as_long_as_it_stays_as_it_is(
    checkout: Path,
) -> None:
    """Else every run would load everything anew, until the clock has caught up."""
    helper, tomorrow = checkout / "code_helper.py", time.time() + 86_400
    os.utime(helper, (tomorrow, tomorrow))
    code: LoadedCode[ModuleType] = LoadedCode(str(checkout))
    code.get(ENTRYPOINT, load)
    assert not code.changed()
    written(helper)
    assert code.changed()


def test_a_folder_that_is_another_one_by_the_same_name_is_a_change(
    code: LoadedCode[ModuleType], checkout: Path
) -> None:
    aside = checkout.with_name("aside")
    checkout.rename(aside)
    assert code.changed()
    shutil.copytree(aside, checkout)
    assert code.changed()
    shutil.rmtree(checkout)
    aside.rename(checkout)
    assert not code.changed()


def test_a_module_that_takes_the_place_of_another_is_watched(
    code: LoadedCode[ModuleType], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "code_dummy", ModuleType("code_dummy"))
    watch(code)
    late = checkout / "code_late.py"
    late.write_text("VALUE = 1\n")
    del sys.modules["code_dummy"]
    importlib.import_module("code_late")
    watch(code)
    written(late)
    assert code.changed()


def test_packages_outside_the_folder_are_not_watched(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.syspath_prepend(str(elsewhere))
    inside = checkout / "lib" / "site-packages"
    inside.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(inside))
    files = [elsewhere / "code_outside.py", inside / "code_installed.py"]
    for file in files:
        file.write_text("VALUE = 1\n")
        importlib.import_module(file.stem)
    try:
        code: LoadedCode[ModuleType] = LoadedCode(str(checkout))
        code.get(ENTRYPOINT, load)
        for file in files:
            written(file)
        assert not code.changed()
    finally:
        for file in files:
            del sys.modules[file.stem]


def test_a_checkout_behind_a_symlink_is_watched_where_it_really_lies(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("releases") / "current"
    link.symlink_to(checkout)
    code: LoadedCode[ModuleType] = LoadedCode(str(link))
    code.get(ENTRYPOINT, load)
    assert not code.changed()
    written(checkout / "code_helper.py")
    assert code.changed()


def test_a_new_release_behind_the_same_symlink_is_a_change(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("releases")
    link, newer = folder / "current", folder / "newer"
    link.symlink_to(checkout)
    code: LoadedCode[ModuleType] = LoadedCode(str(link))
    code.get(ENTRYPOINT, load)
    shutil.copytree(checkout, newer)  # the same times and sizes: only the inodes differ
    link.unlink()
    link.symlink_to(newer)
    assert code.changed()


def test_an_entrypoint_that_names_a_module_is_watched_by_what_it_imports(checkout: Path) -> None:
    code: LoadedCode[ModuleType] = LoadedCode(str(checkout))
    code.get("rules:rule", lambda _: importlib.import_module("rules"))
    assert not code.changed()
    written(checkout / "rules.py")
    assert code.changed()
