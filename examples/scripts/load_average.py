"""How long the queue for the processors is, as a script for the `script` trigger.

Needs Python 3.8 or newer and nothing else. Try it:

    echo '{"threshold": 0.5}' | python3 examples/scripts/load_average.py
"""

import json
import os
import socket
import sys

MINUTES = {1: 0, 5: 1, 15: 2}  # position in what os.getloadavg() returns


def main():
    """Read the parameters, measure, print one AlertOutput."""
    parameters = json.load(sys.stdin)
    threshold = float(parameters.get("threshold", 2))
    minutes = int(parameters.get("minutes", 5))
    if minutes not in MINUTES:
        sys.exit(f"minutes is {minutes}, expected one of {sorted(MINUTES)}")
    cores = os.cpu_count() or 1
    load = os.getloadavg()[MINUTES[minutes]]
    value = load / cores
    print(f"load {load:.2f} on {cores} cores", file=sys.stderr)  # for people: kept as evidence
    output = {
        "triggered": value > threshold,
        "ticker": socket.gethostname(),
        "message": f"{value:.2f} processes for each core over {minutes} min "
        f"(threshold {threshold:g})",
        "metrics": {"value": value, "threshold": threshold, "load": load, "cores": cores},
        "metadata": {"unit": "per core", "minutes": minutes},
    }
    print(json.dumps(output))


if __name__ == "__main__":
    main()
