"""The supported releases of Prefect are those of pyproject.toml."""

import tomllib

from packaging.requirements import Requirement

from sentinel_core.health.prefect_server import SUPPORTED
from tests.support.processes import ROOT


def test_the_supported_range_is_the_one_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    [prefect] = [one for one in wanted if one.name == "prefect"]
    assert prefect.specifier == SUPPORTED
