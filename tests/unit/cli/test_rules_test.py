"""What `sentinel rules test` prints of a check's outputs."""

from types import SimpleNamespace
from typing import Any

import pytest

from sentinel_core.cli.rules.test import _print
from sentinel_core.model.alert import AlertOutput

RULE: Any = SimpleNamespace(
    entry=SimpleNamespace(name="nightly-failures"), flow=SimpleNamespace(name="flow-run-failures")
)


def test_a_metric_is_shown_but_not_what_only_the_next_run_reads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = {"value": 2.0, "threshold": 0.0, "checked_until": 1.76e9, "newest_failed": 1.76e9}
    output = AlertOutput(triggered=True, ticker="nightly", message="failed", metrics=metrics)
    _print(RULE, {"importance": "high"}, [output], 0.1)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == (
        "nightly-failures (flow-run-failures): 1 of 1 series triggered, checked in 0.10 s"
    )
    assert [line.split() for line in shown[2:7]] == [
        ["TRIGGERED", "nightly"],
        ["message", "failed"],
        ["importance", "high"],
        ["value", "2"],
        ["threshold", "0"],
    ]
    assert "checked_until" not in "".join(shown)
    assert "newest_failed" not in "".join(shown)
