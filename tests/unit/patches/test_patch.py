"""Patches of Prefect: they fit the installed version, can be left out, and leave out themselves."""

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import prefect
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.related import RESOURCE_CACHE, object_as_related_resource
from prefect.states import Running

from sentinel_core.patches import known_deployment, of_runs, of_server, patch, timezones
from sentinel_core.patches.known_run import as_running
from sentinel_core.patches.lease_renewal import later
from sentinel_core.patches.patch import Patch, apply
from sentinel_core.patches.result_storage import remembered
from tests.support.processes import ROOT

PATCHES = (*of_runs.PATCHES, *of_server.PATCHES)
# A process of its own: other tests of this one run warm processes' code, which puts patches in.
_STOCK = """
from sentinel_core.patches import of_runs, of_server
for one in (*of_runs.PATCHES, *of_server.PATCHES):
    print(one.name, one.differences())
"""


def test_prefects_code_at_each_place_is_what_the_patch_was_written_for() -> None:
    """When this fails, read what changed there before you take over the new fingerprint."""
    done = subprocess.run(
        [sys.executable, "-c", _STOCK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{one.name} []" for one in PATCHES]


def test_the_installed_prefect_is_one_that_the_suite_has_run_with() -> None:
    assert prefect.__version__ in patch.TESTED


def test_each_patch_has_a_name_of_its_own() -> None:
    for patches in (of_runs.PATCHES, of_server.PATCHES):
        names = [one.name for one in patches]
        assert len(set(names)) == len(names)
        assert patch.ALL not in names
    assert len({one.name for one in PATCHES}) == len({id(one) for one in PATCHES})


def test_time_zones_are_looked_up_once_and_a_wrong_one_is_still_refused() -> None:
    timezones.put_in()
    timezones.put_in()
    looked_up = patch.original("prefect._internal.schemas.validators:get_timezones")
    CronSchedule(cron="* * * * *", timezone="Europe/Berlin")
    before = looked_up.cache_info().misses
    CronSchedule(cron="* * * * *", timezone="Asia/Tokyo")
    assert looked_up.cache_info().misses == before == 1
    with pytest.raises(ValueError, match="Invalid timezone"):
        CronSchedule(cron="* * * * *", timezone="Europe/Nowhere")


def a_patch(done: list[str], name: str = "one", known: str | None = None) -> Patch:
    place = "sentinel_core.patches.patch:fingerprint"
    known = patch.fingerprint(place) if known is None else known
    return Patch(name, "it is slower", {place: known}, lambda: done.append(name))


def test_a_patch_that_fits_is_put_in() -> None:
    done: list[str] = []
    assert apply([a_patch(done)]) == ["one"] == done


@pytest.mark.parametrize("unwanted", ["one", "all", "other, one"])
def test_a_patch_is_left_out_by_its_name(unwanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_STOCK_PREFECT", unwanted)
    done: list[str] = []
    assert apply([a_patch(done)]) == [] == done


def test_a_patch_for_other_code_is_left_out_with_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("prefect"), "propagate", True)
    done: list[str] = []
    assert apply([a_patch(done, known="another"), a_patch(done, "two")]) == ["two"] == done
    [said] = [record.getMessage() for record in caplog.records]
    assert "the patch one is left out (it is slower)" in said
    assert "sentinel_core.patches.patch:fingerprint" in said


def test_a_function_that_is_gone_has_no_fingerprint() -> None:
    assert patch.fingerprint("prefect.flow_engine:nothing") == ""
    assert patch.fingerprint("prefect.nowhere:nothing") == ""


# -- what they do ----------------------------------------------------------------------------


def renewals(duration: float, first: float, stopped: bool) -> int:
    """How often Prefect's loop is entered."""
    entered: list[float] = []
    stop = threading.Event()
    if stopped:
        stop.set()
    later(lambda _id, seconds, _stop: entered.append(seconds), first)(uuid4(), duration, stop)
    return len(entered)


def test_a_short_runs_lease_is_not_renewed_but_a_long_ones_is() -> None:
    assert renewals(300, 60, stopped=True) == 0
    assert renewals(300, 0.01, stopped=False) == 1


def test_other_leases_are_renewed_at_once() -> None:
    assert renewals(120, 3600, stopped=False) == 1


def test_a_running_run_is_known_as_the_server_has_it() -> None:
    state = Running()
    run = FlowRun(flow_id=uuid4(), run_count=2, state=state, next_scheduled_start_time=None)
    known = as_running(run)
    assert (known.run_count, known.start_time, known.state_id) == (3, state.timestamp, state.id)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    again = as_running(run.model_copy(update={"start_time": began}))
    assert again.start_time == began


def test_the_result_storage_is_asked_for_once_in_a_while() -> None:
    asked: list[int] = []
    ask = remembered(lambda: asked.append(1), 60)  # type: ignore[func-returns-value]
    assert [ask(), ask()] == [None, None]
    assert len(asked) == 1


def test_a_known_deployment_is_what_events_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_deployment, "_in_force", [True])
    deployment = known_deployment.KnownDeployment(uuid4(), "disk-usage", ["sentinel"])
    known_deployment.remember(deployment)
    entry, _ = RESOURCE_CACHE.pop(f"deployment.{deployment.id}")
    real = SimpleNamespace(id=deployment.id, name="disk-usage")
    assert entry["object"] is deployment
    assert object_as_related_resource("deployment", "deployment", deployment) == (
        object_as_related_resource("deployment", "deployment", real)
    )


def test_nothing_is_remembered_while_the_patch_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_deployment, "_in_force", [])
    deployment = known_deployment.KnownDeployment(uuid4(), "disk-usage", [])
    known_deployment.remember(deployment)
    assert f"deployment.{deployment.id}" not in RESOURCE_CACHE
