"""The shipped rule file's housekeeping."""

import yaml

from tests.support.processes import ROOT


def test_reconcile_holds_no_concurrency_slot_that_a_dead_run_of_its_own_would_keep() -> None:
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    reconcile = next(item for item in declared if item["name"] == "reconcile")
    assert "concurrency_limit" not in reconcile
