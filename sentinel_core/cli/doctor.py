"""`sentinel doctor`: one look at everything that Sentinel needs to work."""

from typing import Annotated

from cyclopts import Parameter

from sentinel_core.cli.options import RULE_FILE, CheckSeconds, Flag, Json, RuleFilePath


def doctor(
    *,
    file: RuleFilePath = RULE_FILE,
    sources: Annotated[
        bool, Flag, Parameter(help="Also run the check of each rule in the file; records nothing.")
    ] = False,
    every: Annotated[
        bool, Parameter("--all", negative="", help="Also list the settings that have defaults.")
    ] = False,
    seconds: CheckSeconds = 10,
    as_json: Json = False,
) -> int:
    """Look at everything that Sentinel needs, and say what is wrong and what to do about it.

    Prefect's API, the work pools and their workers, the event store, the rules, Sentinel's own
    flows, the channels, and the settings. Changes nothing, records nothing, sends nothing.

    Exits with 1 when something is down or could not be checked.
    """
    import contextlib
    import sys

    from sentinel_core.base.errors import UsageError
    from sentinel_core.cli.output import print_json
    from sentinel_core.health.everything import look
    from sentinel_core.health.finding import is_good

    if file != RULE_FILE and not file.is_file():
        raise UsageError(f"there is no rule file {file}: correct --file, or leave it out")
    if sources and not file.is_file():
        raise UsageError(
            f"--sources needs the rule file, and there is no {file} here: run it in the project's "
            "folder, or name the file with --file"
        )
    with contextlib.redirect_stdout(sys.stderr):  # flows and checks that print
        found = look(file, seconds, with_sources=sources)
    if as_json:
        print_json(
            {"ok": is_good(found), "findings": [one.model_dump(mode="json") for one in found]}
        )
    else:
        from sentinel_core.cli.findings import print_findings

        print_findings(found, every=every)
    return 0 if is_good(found) else 1
