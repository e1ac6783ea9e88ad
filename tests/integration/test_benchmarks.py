"""The benchmarks still run, and end with the JSON object that was promised."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.slow


def test_recording_is_measured_against_bare_drivers_on_both_databases() -> None:
    result = _last_line("benchmarks/record.py", "--count", "20")
    assert set(result) == {"ratio_sqlite", "ratio_postgres", "p95_ms"}
    assert all(value > 0 for value in result.values())


def test_a_kept_engine_is_measured_against_a_new_one_on_both_databases() -> None:
    result = _last_line("benchmarks/connections.py", "--count", "20")
    assert set(result) == {"ratio_sqlite", "ms_sqlite", "ratio_postgres", "ms_postgres"}
    assert all(value > 0 for value in result.values())


def test_deciding_and_a_recording_of_many_tickers_are_measured_against_the_same_rows() -> None:
    small = ["--tickers", "50", "--rounds", "2", "--decisions", "2000"]
    result = _last_line("benchmarks/decide.py", *small)
    assert set(result) == {"decisions_per_s", "record_5000_s", "ratio"}
    assert all(value > 0 for value in result.values())


@pytest.mark.soak  # three minutes of two busy cores; tests/integration/worker has the contract
def test_both_workers_are_measured_on_one_server() -> None:
    small = ["--process", "6", "--sentinel", "30", "--seconds", "10", "--held", "2"]
    done = subprocess.run(
        [sys.executable, "benchmarks/worker.py", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    names = {"cpu_ratio", "runs_per_min_sentinel", "runs_per_min_process", "mb_per_run"}
    assert set(result) == names | {"server_cpu_s", "worker_cpu_s"}
    # Both are there only when every run of both workers ended well and is on record. (Whether a
    # rate was kept up is another matter: a busy machine says no.)
    assert result["cpu_ratio"] > 0, done.stderr
    assert result["mb_per_run"] > 0, done.stderr


def test_replaying_is_measured_with_and_without_conditions() -> None:
    result = _last_line("benchmarks/replay.py", "--count", "500")
    assert set(result) == {"evaluations_per_s", "policy_per_s", "conditions_per_s", "ratio"}
    assert 0 < result["evaluations_per_s"] <= result["policy_per_s"]


def test_what_prefect_events_cost_is_measured_against_the_same_recordings_without() -> None:
    result = _last_line("benchmarks/prefect_events.py", "--count", "10")
    cases = ("quiet", "opens_one", "opens_100")
    # (What was added to so few recordings may be less than their noise.)
    assert set(result) == {f"{what}_{case}" for what in ("ratio", "added_ms") for case in cases}
    assert all(result[f"ratio_{case}"] > 0 for case in cases)


def test_a_days_report_is_measured() -> None:
    small = ("--events", "6000", "--rules", "5", "--rounds", "1")
    result = _last_line("benchmarks/daily_report.py", *small)
    assert all(value > 0 for value in result.values())


def test_watchers_are_measured_against_reading_the_same_runs() -> None:
    result = _last_line("benchmarks/watchers.py", "--runs", "300", "--deployments", "4")
    assert result["runs"] == 300
    assert result["ratio_failures"] > 0


@pytest.mark.slow
def test_commands_are_measured() -> None:
    result = _last_line("benchmarks/cli.py", "--times", "1", "--rules", "2")
    assert (result["rules"], result["times"]) == (2, 1)
    assert "rules deploy, one changed" in str(result["seconds"])


@pytest.mark.slow
def test_data_quality_is_measured_against_pandas_that_finds_the_same() -> None:
    result = _last_line("benchmarks/data_quality.py", "--rows", "5000")
    assert set(result) == {"rows", "postgresql", "parquet"}


@pytest.mark.slow
def test_a_run_of_many_tickers_is_measured_against_the_same_rows() -> None:
    result = _last_line("benchmarks/series.py", "--tickers", "100")
    assert result["tickers"] == 100
    assert result["ratio"] > 0


def _last_line(*command: str) -> dict[str, float]:
    """The JSON object with which a benchmark ends."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_hooks_are_measured_against_runs_without_them() -> None:
    result = _last_line("benchmarks/hooks.py", "--rounds", "2")
    assert len(result) == 14
    assert {"failure_run_is_fine_cpu_ms", "slow_run_is_slow_wall_ms"} <= set(result)
