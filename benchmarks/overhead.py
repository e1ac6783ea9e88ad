"""CPU seconds of a rule's run against a bare Prefect flow and task, on one worker, in turn.

Counted is everything the worker's children use from start to end (user and system), as the kernel
adds it up when they end. A rule imports our code, records its run and keeps its output when it
fired; the bare flow measures the same disk and forgets it.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import psutil
import yaml

from benchmarks._support import report
from tests.support.deployed import Deployed
from tests.support.prefect import PrefectServer, client_of, prefect_server, prefect_worker

POOL = {"work_pool": {"name": "bench"}}
DEPLOYMENTS = {
    "bare": {"entrypoint": "benchmarks/flows/bare.py:bare"},
    "rule-quiet": {
        "entrypoint": "flows/system.py:disk_usage",
        "parameters": {"check": {"path": "/", "threshold": 100}},
    },
    "rule-fires": {
        "entrypoint": "flows/system.py:disk_usage",
        "parameters": {"check": {"path": "/", "threshold": 0}},
    },
}
FLOWS = {"bare": "bare", "rule-quiet": "disk-usage", "rule-fires": "disk-usage"}


def children_cpu(pid: int) -> float:
    """CPU seconds of all ended children of `pid`."""
    times = psutil.Process(pid).cpu_times()
    return float(times.children_user + times.children_system)


def measure(server: PrefectServer, folder: Path, rounds: int) -> dict[str, list[float]]:
    """CPU seconds per run, by deployment."""
    deployments = [{"name": name, **POOL, **more} for name, more in DEPLOYMENTS.items()]
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": deployments}))
    server.prefect("work-pool", "create", "bench", "--type", "process")
    server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    store = f"sqlite:///{folder / 'sentinel.db'}"
    spent: dict[str, list[float]] = {name: [] for name in DEPLOYMENTS}
    with (
        client_of(server) as client,
        prefect_worker(server, "bench", limit=1, SENTINEL_DATABASE_URL=store) as worker,
    ):
        deployed = {name: Deployed.find(client, f"{FLOWS[name]}/{name}") for name in DEPLOYMENTS}
        for number in range(rounds + 1):
            for name, deployment in deployed.items():
                before = children_cpu(worker.pid)
                deployment.wait(deployment.start_as_is())
                wait_for_children(worker.pid)
                if number:  # the first round warms caches
                    spent[name].append(children_cpu(worker.pid) - before)
    return spent


def wait_for_children(pid: int) -> None:
    """Until the worker has no child left, so that all their time is counted."""
    children = psutil.Process(pid).children(recursive=True)
    _gone, left = psutil.wait_procs(children, timeout=60)
    if left:
        raise SystemExit(f"the worker's children did not end: {left}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="runs of each kind")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with prefect_server(folder) as server:
            spent = measure(server, folder, rounds)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    report(
        f"CPU seconds of one run, median of {rounds}",
        ["", "CPU s", "least", "most", "ratio"],
        [
            [
                name,
                f"{medians[name]:.2f}",
                f"{min(values):.2f}",
                f"{max(values):.2f}",
                f"{medians[name] / medians['bare']:.3f}",
            ]
            for name, values in spent.items()
        ],
        {
            "ratio": round(medians["rule-quiet"] / medians["bare"], 3),
            "ratio_fired": round(medians["rule-fires"] / medians["bare"], 3),
        },
    )


if __name__ == "__main__":
    main()
