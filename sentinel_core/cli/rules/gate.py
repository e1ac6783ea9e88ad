"""The gate of `sentinel rules deploy`: rule tests, and a replay of each changed rule.

Prints its results before anything is deployed; stops the deploy where a test fails, or where the
changes would have sent more additional notifications than the budget allows.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from sentinel_core.base.errors import GateError, RuleFileError, SentinelError
from sentinel_core.cli.rules.replay_report import difference, scope
from sentinel_core.cli.store import event_store
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.rule import RuleSettings
from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.replay.service import FileRule, file_rule, replay_rule
from sentinel_core.rulefile.check import Report
from sentinel_core.rulefile.deploy.plan import Plan

Say = Callable[[str], None]


def pass_gate(
    report: Report,
    plan: Plan,
    say: Say,
    *,
    since: datetime,
    until: datetime,
    budget: int | None,
) -> None:
    """Run the gate and print its results. Raises GateError to stop the deploy.

    Changed rules are replayed from `since` to `until`; `budget` limits how many more notifications
    than before they may have sent.
    """
    if not plan.to_deploy:
        return
    _run_tests(report, say)
    more = 0
    stuck: list[str] = []
    for rule, deployed in _changed(report, plan, stuck):
        try:
            with event_store() as engine:
                result = replay_rule(engine, rule, since, until, deployed=deployed)
        except SentinelError as error:
            stuck.append(f"{rule.name}: {error}")
            continue
        say(clean_text(f"{rule.name}: {scope(result)}"))
        for line in [f"note: {note}" for note in result.notes] + difference(result.comparison):
            say(clean_text(f"  {line}"))
        more += result.comparison.more
    for sentence in stuck:
        say(f"not replayed: {sentence}")
    if budget is not None and stuck:
        raise GateError(
            "a change could not be replayed, so nobody knows if it keeps within the budget: "
            "nothing was deployed (leave out --budget to deploy anyway)"
        )
    if budget is not None and more > budget:
        many = "notifications" if more > 1 else "notification"
        raise GateError(
            f"{more:,} more {many} than before over the look-back, and the budget is {budget:,}: "
            "nothing was deployed"
        )


def _run_tests(report: Report, say: Say) -> None:
    from sentinel_core.ruletest import FOLDER, run_tests

    assert report.file is not None
    file = report.file.path
    folder = file.parent / FOLDER
    if not folder.is_dir():
        return
    tests = run_tests([folder], rule_file=file)
    if tests.failed:
        say(tests.text())
        count = len(tests.failed)
        raise GateError(
            f"{count} rule test{'s fail' if count > 1 else ' fails'}: nothing was deployed"
        )
    say(tests.summary())


def _changed(
    report: Report, plan: Plan, stuck: list[str]
) -> Iterator[tuple[FileRule, RuleSettings]]:
    """Rules whose settings change, with the deployed ones.

    `stuck` collects why one can't be replayed.
    """
    declared = {item.entry.index: item for item in report.declared}
    assert report.file is not None
    for step in plan.to_deploy:
        if step.deployed is None or not step.wanted.is_rule:
            continue
        item = declared[step.wanted.index]
        try:
            rule = file_rule(item, report.file.path)
        except RuleFileError as error:
            stuck.append(str(error))
            continue
        deployed = rule_settings(step.deployed.fields["parameters"], item.schema)
        if deployed != rule.settings:
            yield rule, deployed
