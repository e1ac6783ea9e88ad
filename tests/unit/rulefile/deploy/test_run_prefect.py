"""What a deploy's process makes Prefect do once."""

import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT

FILE = """
from prefect import flow
print("imported")

@flow
def one(n: int = 1): ...

@flow
def other(text: str): ...
"""

CODE = """
from prefect.utilities import callables
from sentinel_core.rulefile.deploy.run_prefect import compute_once

derived = []
before = callables.generate_parameter_schema
callables.generate_parameter_schema = lambda *given: derived.append(1) or before(*given)
compute_once()
from prefect.cli.deploy import _core
from prefect.deployments import runner

for entrypoint in ("both.py:one", "both.py:other", "both.py:one"):
    flow = _core.load_flow_from_entrypoint(entrypoint)
    first = _core.parameter_schema(flow)
    assert first == before(*_signature(flow)), first
    for name in first.properties:
        first.properties[name]["readOnly"] = True
    assert runner.parameter_schema(flow) == before(*_signature(flow))
print(len(derived))
"""
SIGNATURE = """
import inspect
from prefect.utilities.callables import parameter_docstrings

def _signature(flow):
    return inspect.signature(flow, eval_str=True), parameter_docstrings(inspect.getdoc(flow))
"""


def test_a_file_is_imported_once_and_deployments_take_the_schemas_of_flows(tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text(FILE)
    said = subprocess.run(
        [sys.executable, "-c", SIGNATURE + CODE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # One for each of the two flows, when it is made.
    assert said.stdout.split() == ["imported", "2"]
