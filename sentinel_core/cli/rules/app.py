"""`sentinel rules`: check, deploy, list and test the rules of a prefect.yaml."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from sentinel_core.cli.rules.checked import checked, print_problems, summary

if TYPE_CHECKING:
    from sentinel_core.rulefile.check import Report

app = App(name="rules", help="The rules: check, deploy, list and test them.")

DEFAULT_FILE = Path("prefect.yaml")
Flag = Parameter(negative="")
Json = Annotated[bool, Parameter("--json", negative="")]


@app.command
def check(file: Path = DEFAULT_FILE, *, as_json: Json = False) -> int:
    """Check a whole rule file, and name everything that is wrong with it at once.

    Run it in the project's folder, as you would `prefect deploy`. Loads the flows; asks Prefect's
    API whether work pools and notification blocks exist, when it can be reached. Exits with 1 when
    there is an error.

    Parameters
    ----------
    file
        The rule file.
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.rulefile.check import check as run_check

    report = run_check(file)
    if as_json:
        _print_json(file, report)
    else:
        print_problems(report)
        if not report.errors:
            print(f"{file}: {summary(report)}, no errors")
    return 1 if report.errors else 0


@app.command
def deploy(
    file: Path = DEFAULT_FILE,
    *,
    prune: Annotated[bool, Flag] = False,
    dry_run: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    since: str = "7d",
    budget: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    gate: Annotated[bool, Parameter(negative="--no-gate", show_default=False)] = True,
) -> int:
    """Check a rule file, run its rule tests, and deploy all of it, or nothing.

    Prints first what will change in Prefect, field by field, and for rules whose settings change a
    replay over the recorded past. Pauses made in Prefect's UI are kept (unless the file
    says `paused:` or `active:`); other edits made there give way to the file.

    Parameters
    ----------
    file
        The rule file.
    prune
        Remove deployments of this project that the file no longer has.
    dry_run
        Print what would change, and change nothing.
    yes
        Don't ask. Without a terminal nothing is asked anyway.
    since
        How far back changed rules are replayed: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).
    budget
        Deploy nothing if the change would have sent more than this many additional notifications.
    gate
        Deploy without rule tests and replay, which a file whose rules change goes through first.
    """
    from sentinel_core.cli.rules.deploy import Options, run

    options = Options(prune, dry_run, yes, since if gate else None, budget)
    return run(checked(file), options)


@app.command(name="run")
def run_rules(
    *names: str,
    every: Annotated[bool, Parameter("--all", negative="")] = False,
    file: Path = DEFAULT_FILE,
) -> int:
    """Start one run of each rule in Prefect now, recorded like any other.

    Parameters
    ----------
    names
        Rules to run.
    every
        Every rule of the file that is not paused.
    file
        The rule file, for --all.
    """
    from sentinel_core.cli.rules.run import run

    return run(names, every=every, file=file)


@app.command(name="list")
def list_rules(*, as_json: Json = False) -> None:
    """List the rules Prefect has: schedule, last state, last and next run (times in UTC).

    Also those that are in the event store and no longer deployed.

    Parameters
    ----------
    as_json
        Print a JSON list instead of a table.
    """
    from sentinel_core.cli.rules.list import run

    run(as_json=as_json)


@app.command
def test(
    name: str,
    *,
    file: Path = DEFAULT_FILE,
    param: tuple[str, ...] = (),
    as_json: Json = False,
) -> int:
    """Run one rule's check now, here, and show what it measured.

    Nothing is recorded and nobody is notified. The rule is taken from the file, deployed or not;
    a trigger that needs its own past is given what the event store has. Exits with 0 when the check
    ran, triggered or not, and with 1 when it failed.

    Parameters
    ----------
    name
        The rule's name.
    file
        The rule file.
    param
        Another value for a parameter, like `check.threshold=5` (JSON, else text). May be repeated.
    as_json
        Print a JSON list of the outputs instead of text.
    """
    from sentinel_core.cli.rules.test import run

    return run(name, file, param, as_json=as_json)


@app.command
def unittest(
    *places: Path,
    file: Path | None = None,
    name: Annotated[str | None, Parameter(("--name", "-k"))] = None,
    as_json: Json = False,
) -> int:
    """Run the rule tests: values over time in YAML, and the expected events and notifications.

    Nothing is measured, recorded or sent; Prefect need not run. Exits with 1 when a test fails, or
    when there is none.

    Parameters
    ----------
    places
        Files of tests, or folders with them; tests/rules beside the rule file if none is named.
    file
        The rule file, for tests that name none; else prefect.yaml, two folders above the tests.
    name
        Only tests with this text in their name or in their rule's.
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.rules.unittest import run

    return run(places, file=file, name=name, as_json=as_json)


@app.command
def replay(
    name: str,
    *,
    with_: Annotated[Path, Parameter("--with")] = DEFAULT_FILE,
    since: str = "7d",
    until: str | None = None,
    as_json: Json = False,
) -> int:
    """Replay a changed rule over the recorded past, beside the deployed one.

    Decides the rule's recorded evaluations twice, with the deployed settings and with those of a
    file, and prints both timelines and the difference. Nothing is measured or recorded, nobody is
    notified.

    Parameters
    ----------
    name
        The rule's name.
    with_
        The rule file with the changed rule.
    since
        How far back: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).
    until
        The end of that time; now by default.
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.rules.replay import run

    return run(name, with_, since=since, until=until, as_json=as_json)


def _print_json(file: Path, report: "Report") -> None:
    import json
    from dataclasses import asdict

    found = {
        "file": str(file),
        "ok": not report.errors,
        "deployments": [item.entry.name for item in report.declared],
        "problems": [asdict(problem) for problem in report.problems],
        "unchecked": report.unchecked,
    }
    print(json.dumps(found))
