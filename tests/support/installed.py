"""Sentinel's wheel in an environment of its own, which shares all other packages with this one."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import patient
from tests.support.processes import ROOT


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel. The checkout and its path are not in it."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def sentinel(self) -> str:
        return str(self.folder / "bin" / "sentinel")

    @property
    def packages(self) -> Path:
        """Where the wheel was unpacked."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def prefect(self, *arguments: str) -> tuple[str, ...]:
        """A command of Prefect's in this environment."""
        return (self.python, "-P", "-m", "prefect", *arguments)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """These variables for a program of this environment."""
        path = f"{self.folder / 'bin'}{os.pathsep}{env['PATH']}"
        return {**{k: v for k, v in env.items() if k != "PYTHONPATH"}, "PATH": path}


def install(folder: Path) -> Installed:
    """Build the wheel and install it with pip."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"))
    [wheel] = (folder / "dist").glob("*.whl")
    installed = Installed(folder / "venv")
    venv.create(installed.folder, symlinks=True)
    # Plain lines: what is installed here in editable mode is not on the other one's path.
    shared = [folder for folder in sys.path if folder.endswith("site-packages")]
    (installed.packages / "shared.pth").write_text("\n".join([*shared, ""]))
    pip = (sys.executable, "-m", "pip", "--python", installed.python, "install", "--no-index")
    _run(*pip, "--no-deps", "--force-reinstall", "--disable-pip-version-check", "-q", str(wheel))
    return installed


def _run(*command: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=patient(300), check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
