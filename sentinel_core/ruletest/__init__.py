"""Rule unit tests: YAML with a rule's measurements over time and the expected outcome.

values.py reads the rows of values, form.py is the YAML's form, reading.py finds and reads the
files, rules.py the rules they are about, run.py runs them with the lifecycle that decides live,
compare.py finds the differences, report.py writes them. harness.py is behind the pytest fixtures.
Heavy imports wait until they are used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel_core.ruletest.report import RuleTestReport

FOLDER = Path("tests") / "rules"


def run_tests(
    places: Sequence[Path], *, rule_file: Path | None = None, only: str | None = None
) -> "RuleTestReport":
    """Run the tests of these files and folders.

    `rule_file` stands in for the default one of test files that name none; those that name another
    are left out. `only` keeps tests with this text in their name or their rule's. Mistakes in the
    tests or the rule file fail the tests they concern. Raises RuleTestError for a place that does
    not exist.
    """
    from sentinel_core.ruletest.reading import find_files, read_tests
    from sentinel_core.ruletest.report import RuleTestReport
    from sentinel_core.ruletest.rules import Rules
    from sentinel_core.ruletest.run import run_case

    rules = Rules()
    report = RuleTestReport(list(places), only)
    for path in find_files(places):
        found = read_tests(path, rule_file)
        if found is None:
            continue
        report.problems += found.problems
        report.results += [run_case(case, rules) for case in found.cases if case.is_about(only)]
    return report
