"""The `sentinel` command. The modules of a group are imported when a command of it is used."""

import atexit
import gc
import logging
import os
import sys

from cyclopts import App, CycloptsError

from sentinel_core.base import logs
from sentinel_core.base.errors import SentinelError
from sentinel_core.cli import api, db
from sentinel_core.cli.reconcile import reconcile
from sentinel_core.cli.report import report
from sentinel_core.cli.up import up
from sentinel_core.cli.viewer import viewer
from sentinel_core.up.prefect_server import COLLECTIONS


def _version() -> str:
    from importlib.metadata import version  # it takes longer to import than all the rest

    return version("prefect-sentinel")


def _group(name: str, about: str, **commands: str) -> App:
    """A group of commands: each name with its module and function below `cli/<group>/`."""
    group = App(name=name, help=about)
    for command, place in commands.items():
        group.command(f"sentinel_core.cli.{name}.{place}", name=command)
    return group


app = App(
    name="sentinel",
    help="Alerting for teams that run Prefect: rules are deployments, alerts are events.",
    version=_version,
    result_action="return_value",
)
app.command("sentinel_core.cli.init:init", name="init")
app.command(up)
app.command(viewer)
app.command("sentinel_core.cli.doctor:doctor", name="doctor")
app.command("sentinel_core.cli.status:status", name="status")
app.command(api.app)
app.command("sentinel_core.cli.demo:demo", name="demo")
app.command("sentinel_core.cli.docs:docs", name="docs")
app.command(
    _group(
        "rules",
        "The rules: check, deploy, list, test, pause and resume them; what was due and done.",
        check="checked:check",
        deploy="deploy:deploy",
        run="run:run",
        pause="pause:pause",
        resume="pause:resume",
        list="list:list_rules",
        test="test:test",
        unittest="unittest:unittest",
        replay="replay:replay",
        coverage="coverage:coverage",
    )
)
app.command(
    _group(
        "sla",
        "The SLAs that deployments declare in prefect.yaml: watch, list and no longer watch them.",
        deploy="deploy:deploy",
        list="list:list_slas",
        remove="deploy:remove",
    )
)
app.command(
    _group(
        "triggers",
        "The triggers: what rules can measure, and the parameters they take.",
        list="catalogue:list_triggers",
        show="catalogue:show",
    )
)
app.command(
    _group(
        "events",
        "The events: list, show, acknowledge, resolve, comment on, assign, classify, approve.",
        list="show:list_events",
        show="show:show",
        acknowledge="act:acknowledge",
        ack="act:acknowledge",
        unacknowledge="act:unacknowledge",
        resolve="act:resolve",
        comment="act:comment",
        assign="act:assign",
        disposition="act:disposition",
        approve="reactions:approve",
    )
)
app.command(
    _group(
        "silences",
        "The silences: create, show and end times without notifications about some events.",
        create="commands:create",
        preview="commands:preview",
        list="commands:list_silences",
        show="commands:show",
        expire="commands:expire",
    )
)
app.command(
    _group(
        "channels",
        "The channels: list, test, set up and preview them; retry failed notifications.",
        list="list:list_channels",
        test="send:test",
        setup="setup:setup",
        preview="preview:preview",
        retry="send:retry",
    )
)
app.command(reconcile)
app.command(report)
app.command(db.app)
app.register_install_completion_command()


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 not done (a sentence says why), 2 invalid usage.

    Errors that Sentinel did not foresee keep their traceback.
    """
    gc.set_threshold(*COLLECTIONS)  # importing frees nothing: a tenth of a command's time
    atexit.register(gc.freeze)  # or the interpreter looks through everything before it ends
    logs.configure()
    # Prefect's usage statistics do not count our commands.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # At its end Prefect's client warns of events that are still to be sent, and sends them.
    logging.getLogger("EventsWorker").addFilter(
        lambda record: not record.getMessage().startswith("Still processing items")
    )
    try:
        names, apps, rest = app.parse_commands(arguments)
        if not rest:  # a group's help shows the first line of each command; --help counts as one
            apps[-2 if names and names[-1] in app.help_flags else -1].resolved_commands()
        code = app(arguments, exit_on_error=False)
    except CycloptsError:
        sys.exit(2)  # cyclopts has printed what is wrong
    except SentinelError as error:
        sys.stdout.flush()
        if logs.wanted():
            logging.getLogger("sentinel").log(logging.ERROR, "%s", error)
        else:
            print(f"sentinel: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `sentinel rules list | head`
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
