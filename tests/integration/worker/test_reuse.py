"""What one run leaves behind in its process, and that the next run feels nothing of it.

The sentinel worker has one process at a time here, so that each run comes after the one before it
in the same process, unless that was replaced. Under the process worker every run is alone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sentinel_core.base import logs
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.rules import contract
from tests.support.workers import WORKER_TYPES, DeployedRun, Workplace, gone, wait_all, workplace

RUDE: tuple[contract.Mode, ...] = (
    "ok",
    "make a mess",
    "leave a grandchild",
    "leak",
    "leave a thread",
)
REPLACED = {"leak", "leave a thread"}
"""After these no sentinel process serves another run. After the others it does: as is its point."""

JSON_LOGS = {
    "sentinel": {logs.VARIABLE: "json"},
    "process": {logs.VARIABLE: "json", **logs.PREFECT},  # it loads nothing of Sentinel's
}


@dataclass(frozen=True)
class Series:
    """Each rude run and the ordinary one after it."""

    place: Workplace
    rude: dict[str, DeployedRun]
    after: dict[str, DeployedRun]


@pytest.fixture(scope="module", params=WORKER_TYPES)
def series(
    request: pytest.FixtureRequest,
    server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Series]:
    pool = f"reuse-{request.param}"
    folder = tmp_path_factory.mktemp(pool)
    limit = {"process": 3, "sentinel": 1}[request.param]
    with (
        workplace(server, folder, request.param, pool) as place,
        place.worker(limit=limit, **JSON_LOGS[request.param]),
    ):
        series = Series(place, {}, {})
        for mode in RUDE:
            for runs, name in ((series.rude, mode), (series.after, "ok")):
                runs[mode] = place.start(name, name=f"{mode}: {name}")
                if place.is_sentinel:
                    runs[mode].wait()  # else a later run might overtake
        try:
            wait_all([*series.rude.values(), *series.after.values()], 150)
            yield series
        finally:
            for run in series.rude.values():
                run.let_go()


@pytest.mark.parametrize("mode", RUDE)
def test_the_run_after_it_is_as_the_first_one_was(series: Series, mode: str) -> None:
    after = series.after[mode].wait_recorded()
    assert (after.state.name, after.hooks) == ("Completed", ["on_completion"])
    [first], [facts] = series.rude["ok"].facts, after.facts
    for name in ("cwd", "env", "umask", "ignored", "threads"):
        assert facts[name] == first[name], name
    assert len(after.evaluations) == 1


@pytest.mark.parametrize("mode", RUDE)
def test_a_process_is_used_again_by_the_sentinel_worker_unless_something_stayed_in_it(
    series: Series, mode: str
) -> None:
    same = series.after[mode].pid == series.rude[mode].pid
    assert same == (series.place.is_sentinel and mode not in REPLACED)


@pytest.mark.parametrize("mode", RUDE)
def test_a_rude_run_is_completed_and_recorded_as_any_other(series: Series, mode: str) -> None:
    rude = series.rude[mode].wait_recorded()
    assert (rude.state.name, rude.hooks) == ("Completed", ["on_completion"])
    assert [row["kind"] for row in rude.evaluations] == ["alert"]


def test_what_a_trigger_forked_goes_on_beside_the_runs_after_it(series: Series) -> None:
    """(Until a run in the same process must be killed: that takes the process's whole group.)"""
    run = series.rude["leave a grandchild"]
    grandchild = int(run.file("grandchild").read_text())
    assert not gone(grandchild)
    run.let_go()
    wait_for(lambda: gone(grandchild), what="the grandchild to end")


def test_after_what_prefect_prints_each_line_of_its_log_is_a_json_object(series: Series) -> None:
    run = series.after["ok"].wait_recorded()
    printed, *lines = series.place.log.read_text().splitlines()
    assert printed.startswith("Worker ")
    assert printed.endswith(" started!")
    found = [json.loads(line) for line in lines]
    assert all(one.keys() >= {"time", "level", "logger", "message"} for one in found)
    of_run = [one["message"] for one in found if one.get("flow_run_id") == str(run.id)]
    assert "contract: ok, attempt 1" in of_run
