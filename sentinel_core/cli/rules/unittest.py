"""`sentinel rules unittest`: run the rule tests and say what differs."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.cli.options import Json
from sentinel_core.ruletest import FOLDER, run_tests


def unittest(
    *places: Annotated[
        Path,
        Parameter(
            help="Files of tests, or folders with them; tests/rules beside the rule file if none "
            "is named."
        ),
    ],
    file: Annotated[
        Path | None,
        Parameter(
            help="The rule file, for tests that name none; else prefect.yaml, two folders above "
            "the tests."
        ),
    ] = None,
    name: Annotated[
        str | None,
        Parameter(
            ("--name", "-k"), help="Only tests with this text in their name or in their rule's."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run the rule tests: values over time in YAML, and the expected events and notifications.

    Nothing is measured, recorded or sent; Prefect need not run. Exits with 1 when a test fails, or
    when there is none.
    """
    beside = (file.parent if file is not None else Path()) / FOLDER
    report = run_tests(places or [beside], rule_file=file, only=name)
    print(json.dumps(report.as_json()) if as_json else report.text())
    return 0 if report.passed and not report.failed else 1
