"""The code a child has loaded, compared with the files on disk.

Knows files and modules; the caller loads.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_Stamp = tuple[int, int, int]


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 (a run is 40 ms; Path costs twice as much here)
    except OSError:
        return None


def _stamp(file: str) -> _Stamp | None:
    stat = _stat(file)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else None


def _place(folder: str) -> tuple[int, int] | None:
    stat = _stat(folder)
    return (stat.st_dev, stat.st_ino) if stat else None


@dataclass
class LoadedCode(Generic[T]):
    """The code loaded from `folder`, by entrypoint, until a file of it changes."""

    folder: str
    loaded: dict[str, T] = field(default_factory=dict)
    _stamps: dict[str, _Stamp | None] = field(default_factory=dict)
    _modules: set[str] = field(default_factory=set)
    _place: tuple[int, int] | None = field(init=False)

    def __post_init__(self) -> None:
        self._place = _place(self.folder)

    def move_to(self, folder: str) -> None:
        """Set the folder that the code is in."""
        self.folder, self._place = folder, _place(folder)

    def get(self, entrypoint: str, load: Callable[[str], T]) -> T:
        """The flow of an entrypoint; loaded the first time."""
        if entrypoint not in self.loaded:
            started = time.time_ns()
            file = entrypoint.partition(":")[0]
            if file.endswith(".py"):
                path = str(Path(self.folder, file))
                self._stamps.setdefault(path, _stamp(path))
            self.loaded[entrypoint] = load(entrypoint)
            self.watch(since=started)
        return self.loaded[entrypoint]

    def changed(self) -> bool:
        """True when the folder or a loaded file was replaced, changed or removed."""
        if _place(self.folder) != self._place:
            return True
        return any(stamp is None or _stamp(file) != stamp for file, stamp in self._stamps.items())

    def watch(self, since: int) -> None:
        """Add the modules imported from the folder after `since` (in ns since the epoch).

        A file that was written after that may have been read before or after: it counts as
        changed.
        """
        if self._modules == sys.modules.keys():
            return
        self._modules = set(sys.modules)
        inside = os.path.join(os.path.realpath(self.folder), "")  # noqa: PTH118
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or file in self._stamps or "site-packages" in file:
                continue
            if os.path.realpath(file).startswith(inside):
                stamp = _stamp(file)
                unsure = stamp is None or since <= stamp[0] <= time.time_ns()
                self._stamps[file] = None if unsure else stamp
