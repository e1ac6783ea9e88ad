"""`sentinel rules unittest`: run the rule tests and say what differs."""

import json
from collections.abc import Sequence
from pathlib import Path

from sentinel_core.ruletest import FOLDER, run_tests


def run(
    places: Sequence[Path], *, file: Path | None = None, name: str | None = None, as_json: bool
) -> int:
    """Run the tests of these places; 1 when one fails or when there is none.

    Raises RuleTestError for a place that does not exist.
    """
    if not places:
        places = [(file.parent if file is not None else Path()) / FOLDER]
    report = run_tests(places, rule_file=file, only=name)
    print(json.dumps(report.as_json()) if as_json else report.text())
    return 0 if report.passed and not report.failed else 1
