"""`sentinel channels`: the Prefect blocks that notifications are sent through."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(
    name="channels",
    help="The channels: list, test, set up and preview them; retry failed notifications.",
)

Json = Annotated[bool, Parameter("--json", negative="")]
Kind = Literal["slack", "email", "pagerduty", "markdown", "plain", "short"]


@app.command(name="list")
def list_channels(*, as_json: Json = False) -> int:
    """List the channels: what they are, which rules use them, what was sent and what failed.

    Every Prefect block that can notify, and every channel that a deployed rule or a notification
    names, whether its block exists or not. Times in UTC. When Prefect or the event store can't be
    reached, the other's part is listed.

    Exits with 1 when a rule names a channel that Prefect does not have.

    Parameters
    ----------
    as_json
        Print a JSON list instead of a table.
    """
    from sentinel_core.cli.channels.list import run

    return run(as_json=as_json)


@app.command
def test(channel: str, *, to: str | None = None) -> int:
    """Send a test message to a channel and print the result. Nothing is recorded.

    Exits with 1 when the channel did not accept it. In PagerDuty an incident of the lowest urgency
    is opened and resolved at once.

    `sentinel channels test slack-incoming-webhook/alerts-critical`

    `sentinel channels test email-server-credentials/alerts --to ops@example.org`

    Parameters
    ----------
    channel
        The block, as `sentinel channels list` shows it: type/name.
    to
        Email addresses with commas between, or a Slack channel; for blocks that hold only
        credentials.
    """
    from sentinel_core.cli.channels.send import test as run

    return run(channel, to)


@app.command
def setup(*, overwrite: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Create the blocks for critical, warnings and info channels from environment variables.

    The value of a variable goes into Prefect's block only and is never printed. Set those you have,
    in the environment and not on a command line, and run this once:

    - SENTINEL_SLACK_CRITICAL_URL: slack-incoming-webhook/alerts-critical

    - SENTINEL_SLACK_WARNINGS_URL: slack-incoming-webhook/alerts-warnings

    - SENTINEL_SLACK_INFO_URL: slack-incoming-webhook/alerts-info

    - SENTINEL_SLACK_BOT_TOKEN: slack-credentials/alerts

    - SENTINEL_PAGERDUTY_KEY (an integration key of Events API v2), SENTINEL_PAGERDUTY_REGION (us,
    eu): pager-duty-webhook/alerts

    - SENTINEL_EMAIL_SERVER, SENTINEL_EMAIL_USERNAME, SENTINEL_EMAIL_PASSWORD, SENTINEL_EMAIL_PORT,
    SENTINEL_EMAIL_SECURITY (STARTTLS, SSL, INSECURE): email-server-credentials/alerts

    A block that exists is left as it is. Running it again changes nothing.

    Parameters
    ----------
    overwrite
        Replace blocks that exist.
    """
    from sentinel_core.cli.channels.setup import run

    return run(overwrite=overwrite)


@app.command
def preview(
    rule: str,
    *,
    medium: Kind | None = None,
    event: str | None = None,
    file: Path = Path("prefect.yaml"),
    html: Path | None = None,
) -> int:
    """Show a rule's message as its channels would get it. Nothing is sent.

    With the rule's own templates, about its newest recorded event; about an example while there is
    none. Slack's and PagerDuty's messages are printed as JSON, others as text.

    `sentinel channels preview disk-nearly-full --medium slack`

    `sentinel channels preview disk-nearly-full --html mail.html`

    Parameters
    ----------
    rule
        The rule's name.
    medium
        The kind of message; without it, each kind that the rule's channels take.
    event
        The id of the event to show, as `sentinel events list` prints it.
    file
        The rule file.
    html
        Write the HTML of an email into this file, pictures included.
    """
    from sentinel_core.cli.channels.preview import Options, run

    return run(rule, Options(medium, event, file, html))


@app.command
def retry(channel: str, *, since: str = "7d") -> int:
    """Send a channel's failed notifications again, once it is repaired.

    Sends as many as there is time for; the flow `deliver` sends the rest. Exits with 1 when the
    channel still does not accept them.

    `sentinel channels retry slack-incoming-webhook/alerts-critical --since 24h`

    Parameters
    ----------
    channel
        The block, as `sentinel channels list` shows it: type/name.
    since
        What failed since then: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).
    """
    from sentinel_core.cli.channels.send import retry as run

    return run(channel, since)
