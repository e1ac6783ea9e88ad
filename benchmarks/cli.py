"""The time that commands take from the shell and back, as people wait for them.

    python benchmarks/cli.py [--times 5] [--rules 20]

Each command runs in a process of its own, over a Prefect server with so many rules. The baseline is
a process that only imports Prefect's client, without which no command that asks Prefect can start.
The best of so many times counts: whatever else runs on the machine makes the others longer.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks._support import report
from tests.support.deployed import rule_yaml
from tests.support.prefect import PrefectServer, client_of, make_pool, prefect_server
from tests.support.processes import BIN, ROOT

SENTINEL = str(BIN / "sentinel")
POOL = "bench"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rules", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, prefect_server(Path(name)) as server:
        with client_of(server) as client:
            for pool in (POOL, "sentinel"):
                make_pool(client, pool)
        found = measured(server, Path(name) / "prefect.yaml", chosen.rules, chosen.times)
    baseline = found["import prefect"]
    report(
        f"the best of {chosen.times}, {chosen.rules} rules",
        ["command", "seconds", "of importing Prefect"],
        [(name, f"{best:.2f}", f"{best / baseline:.1f}") for name, best in found.items()],
        {"rules": chosen.rules, "times": chosen.times, "seconds": found},
    )


def measured(server: PrefectServer, file: Path, rules: int, times: int) -> dict[str, float]:
    """The best time of each command, by its words."""
    imports = [sys.executable, "-c", "import prefect.client.orchestration, prefect.flows"]
    write(file, rules, 0)
    call(server, SENTINEL, "rules", "deploy", "--no-gate", str(file))
    return {
        "import prefect": best(times, lambda _: call(server, *imports)),
        "--help": best(times, lambda _: call(server, SENTINEL, "--help")),
        "rules --help": best(times, lambda _: call(server, SENTINEL, "rules", "--help")),
        "rules check": best(times, lambda _: call(server, SENTINEL, "rules", "check")),
        "rules list": best(times, lambda _: call(server, SENTINEL, "rules", "list")),
        "events list": best(times, lambda _: call(server, SENTINEL, "events", "list")),
        "rules deploy, one changed": best(
            times,
            lambda _: call(server, SENTINEL, "rules", "deploy", str(file)),
            before=lambda turn: write(file, rules, turn + 1),
        ),
    }


def best(
    times: int, run: Callable[[int], None], before: Callable[[int], None] = lambda _: None
) -> float:
    """The shortest time in seconds."""
    found = []
    for turn in range(times):
        before(turn)
        began = time.perf_counter()
        run(turn)
        found.append(time.perf_counter() - began)
    return min(found)


def call(server: PrefectServer, *command: str) -> None:
    """Run a command to its end in this checkout."""
    env = {**server.env, "SENTINEL_DATABASE_URL": f"sqlite:///{server.folder / 'sentinel.db'}"}
    subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)


def write(file: Path, rules: int, change: int) -> None:
    """A file with so many rules, of which `change` changes the first one alone."""
    deployments = [
        rule_yaml(
            f"rule-{number}",
            f"{ROOT}/flows/system.py:disk_usage",
            {"path": "/", "threshold": 50 + (change if number == 0 else 0)},
            pool=POOL,
        )
        for number in range(rules)
    ]
    file.write_text(yaml.safe_dump({"deployments": deployments}), "utf-8")


if __name__ == "__main__":
    main()
