"""The `sentinel` command. Thin: each group of commands is a file here, and imports late."""

import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError

from sentinel_core.base.errors import SentinelError
from sentinel_core.cli import db
from sentinel_core.cli.channels.app import app as channels
from sentinel_core.cli.events.app import app as events
from sentinel_core.cli.reconcile import reconcile
from sentinel_core.cli.report import report
from sentinel_core.cli.rules.app import app as rules
from sentinel_core.cli.silences.app import app as silences
from sentinel_core.cli.up import up

app = App(
    name="sentinel",
    help="Alerting for teams that run Prefect: rules are deployments, alerts are events.",
    version=lambda: version("sentinel-alerts"),
    result_action="return_value",
)
app.command(up)
app.command(rules)
app.command(events)
app.command(silences)
app.command(channels)
app.command(reconcile)
app.command(report)
app.command(db.app)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 not done (a sentence says why), 2 invalid usage.

    Errors that Sentinel did not foresee keep their traceback.
    """
    try:
        code = app(arguments, exit_on_error=False)
    except CycloptsError:
        sys.exit(2)  # cyclopts has printed what is wrong
    except SentinelError as error:
        sys.stdout.flush()
        print(f"sentinel: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `sentinel rules list | head`
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
