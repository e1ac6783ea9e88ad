"""Checks of what runs returned: a flow's own result, a task's, and those that can't be read."""

from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest
from prefect import flow, task
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

from sentinel_core import NoHistory
from tests.support.pipelines import Team
from tests.support.prefect import PrefectServer, client_of, connected_to
from triggers.data.data_quality import DataQuality
from triggers.model.model_performance import ModelPerformance
from triggers.sources.data_source import ResultData


def performance(deployment: str, **fields: object):
    source = ResultData.model_validate({"kind": "result", "deployment": deployment, **fields})
    return ModelPerformance(source=source).check(NoHistory())[0]


def test_the_results_of_a_run(server: PrefectServer, tmp_path: Path) -> None:
    name = f"train-{uuid4()}"

    @task(persist_result=True)
    def evaluate(accuracy: float) -> dict[str, dict[str, float]]:
        return {"test": {"accuracy": accuracy}}

    @flow(name=name, persist_result=True)
    def train(accuracy: float) -> pd.DataFrame:
        evaluate(accuracy)
        return pd.DataFrame({"accuracy": [accuracy], "note": [None]})

    stored = {PREFECT_LOCAL_STORAGE_PATH: tmp_path}
    with connected_to(server.api_url, stored), client_of(server) as client:
        team = Team(client)
        deployment = team.deploy(train, "nightly")
        none_yet = performance(f"{name}/nightly")
        assert (none_yet.problem, "no run has completed" in none_yet.message) == ("no_data", True)
        for accuracy in (0.9, 0.7):
            team.run(train, deployment, accuracy=accuracy)
        newest = performance(f"{name}/nightly")
        assert newest.problem is None, newest.message
        assert (newest.triggered, newest.metrics["value"]) == (True, 0.7)
        of_task = performance(f"{name}/nightly", task="evaluate", path="test")
        assert (of_task.triggered, of_task.metrics["value"]) == (True, 0.7)
        source = ResultData(kind="result", deployment=f"{name}/nightly")
        quality = DataQuality(source=source).check(NoHistory())[0]
        assert quality.metrics["null_cells"] == 1
        other = performance(f"{name}/nightly", task="train")
        assert other.problem == "no_data"


@pytest.mark.slow
def test_a_result_that_was_not_persisted_is_an_error(server: PrefectServer) -> None:
    name = f"forgetful-{uuid4()}"

    @flow(name=name, persist_result=False)
    def forgetful() -> dict[str, float]:
        return {"accuracy": 0.9}

    with connected_to(server.api_url), client_of(server) as client:
        team = Team(client)
        team.run(forgetful, team.deploy(forgetful, "nightly"))
        output = performance(f"{name}/nightly")
    assert output.problem == "error"
    assert "persist_result=True" in output.message
