"""`sentinel channels setup`: Prefect blocks from environment variables, and from nothing else."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter
from prefect.blocks.core import Block
from pydantic import SecretStr

from sentinel_core.base.errors import SetupError, UsageError
from sentinel_core.cli.options import Flag, Json
from sentinel_core.cli.output import print_changes
from sentinel_core.model.cleaning import clean_text
from sentinel_core.notify.channel.quiet import quiet
from sentinel_core.notify.channel.redact import redact, secrets_of
from sentinel_core.prefect_io.client import prefect_api, read_channel

Environment = Mapping[str, str]

_SECURITY = ("STARTTLS", "SSL", "INSECURE")
_LAST_PORT = 65_535
_PAGERDUTY_KEY = re.compile(r"[A-Za-z0-9]{32}", re.ASCII)
_NO_API_KEY = "u" * 20  # of the length that such keys have


@dataclass(frozen=True, slots=True)
class Wanted:
    """A block that can be made: its name, the variable without which there is none, and how."""

    name: str
    variable: str
    make: Callable[[str, Environment], Block]


def setup(
    *,
    overwrite: Annotated[bool, Flag, Parameter(help="Replace blocks that exist.")] = False,
    as_json: Json = False,
) -> None:
    """Create the blocks of channels from environment variables.

    The value of a variable goes into Prefect's block only and is never printed. Set those you have,
    in the environment and not on a command line, and run this once:

    - SENTINEL_SLACK_URL: slack-incoming-webhook/alerts

    - SENTINEL_SLACK_CRITICAL_URL: slack-incoming-webhook/alerts-critical

    - SENTINEL_SLACK_WARNINGS_URL: slack-incoming-webhook/alerts-warnings

    - SENTINEL_SLACK_INFO_URL: slack-incoming-webhook/alerts-info

    - SENTINEL_SLACK_BOT_TOKEN: slack-credentials/alerts

    - SENTINEL_PAGERDUTY_KEY (an integration key of Events API v2), SENTINEL_PAGERDUTY_REGION (us,
    eu): pager-duty-webhook/alerts

    - SENTINEL_EMAIL_SERVER, SENTINEL_EMAIL_USERNAME, SENTINEL_EMAIL_PASSWORD, SENTINEL_EMAIL_PORT,
    SENTINEL_EMAIL_SECURITY (STARTTLS, SSL, INSECURE): email-server-credentials/alerts

    A block that exists is left as it is. Running it again changes nothing.
    """
    environment = {name: value for name, value in os.environ.items() if value.strip()}
    wanted = [one for one in WANTED if one.variable in environment]
    if not wanted:
        raise UsageError(
            f"nothing to set up: set at least one of {', '.join(one.variable for one in WANTED)} "
            "(docs/notifications.md says what each is)"
        )
    blocks = [(one, _made(one, environment)) for one in wanted]  # all, or none
    changed, unchanged = [], []
    with prefect_api() as client:
        for one, block in blocks:
            slug = _slug(block, one)
            exists = read_channel(client, slug) is not None
            if exists and not overwrite:
                sentence = "exists and is left as it is (--overwrite replaces it)"
                unchanged.append({"name": slug, "code": "already", "sentence": sentence})
            else:
                _save(block, one, overwrite=overwrite)
                sentence = f"{'replaced' if exists else 'created'} from {one.variable}"
                changed.append({"name": slug, "sentence": sentence, "variable": one.variable})
            if not as_json:
                print(f"{slug} {sentence}")
    if as_json:
        print_changes(changed, unchanged)
        return
    print("test one: sentinel channels test " + _slug(blocks[0][1], blocks[0][0]))


def _made(one: Wanted, environment: Environment) -> Block:
    """The block, not yet saved. Raises UsageError, which repeats nothing of what it was given."""
    try:
        with quiet("apprise"):  # it logs the key it does not like
            return one.make(environment[one.variable].strip(), environment)
    except (ValueError, TypeError):
        raise UsageError(
            f"{one.variable} is not valid: Prefect's block refuses it. Copy it again"
        ) from None


def _slug(block: Block, one: Wanted) -> str:
    return f"{block.get_block_type_slug()}/{one.name}"


def _save(block: Block, one: Wanted, *, overwrite: bool) -> None:
    try:
        type(block).register_type_and_schema(_sync=True)  # type: ignore[call-arg]
        block.save(one.name, overwrite=overwrite, _sync=True)  # type: ignore[call-arg]
    except Exception as error:  # whatever Prefect says of it, the secret is not repeated
        reason = redact(f"{type(error).__name__}: {error}", secrets_of(block))
        raise SetupError(f"the block {_slug(block, one)} could not be saved: {reason}") from None


def _slack_bot(token: str, _environment: Environment) -> Block:
    from prefect_slack import SlackCredentials

    secret = SecretStr(_one_word(token, "SENTINEL_SLACK_BOT_TOKEN"))
    block: Block = SlackCredentials(token=secret)
    return block


def _pagerduty(key: str, environment: Environment) -> Block:
    from prefect.blocks.notifications import PagerDutyWebHook

    region = environment.get("SENTINEL_PAGERDUTY_REGION", "us").strip().lower()
    if region not in ("us", "eu"):
        raise UsageError("SENTINEL_PAGERDUTY_REGION must be us or eu")
    if not _PAGERDUTY_KEY.fullmatch(key):
        raise UsageError(
            "SENTINEL_PAGERDUTY_KEY is not an integration key (32 letters and digits): copy it "
            "from the service's integration `Events API v2`"
        )
    secret = SecretStr(key)
    given: dict[str, Any] = {"integration_key": secret, "region_name": region}
    # The block insists on an API key as well; events are sent without it.
    return PagerDutyWebHook(api_key=SecretStr(_NO_API_KEY), **given)


def _email(server: str, environment: Environment) -> Block:
    from prefect_email import EmailServerCredentials

    security = environment.get("SENTINEL_EMAIL_SECURITY", _SECURITY[0]).strip().upper()
    if security not in _SECURITY:
        raise UsageError(f"SENTINEL_EMAIL_SECURITY must be one of {', '.join(_SECURITY)}")
    port = environment.get("SENTINEL_EMAIL_PORT", "").strip()
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= _LAST_PORT):
        raise UsageError(f"SENTINEL_EMAIL_PORT must be a port: a number from 1 to {_LAST_PORT}")
    user = environment.get("SENTINEL_EMAIL_USERNAME")
    block: Block = EmailServerCredentials(
        smtp_server=_one_word(server, "SENTINEL_EMAIL_SERVER"),
        smtp_type=security,
        smtp_port=int(port) if port else None,
        username=user.strip() if user else None,
        password=SecretStr(environment.get("SENTINEL_EMAIL_PASSWORD", "")),
    )
    return block


def _one_word(value: str, variable: str) -> str:
    """A value that can be what it should. Raises UsageError, which does not repeat it."""
    if value.split() != [value] or clean_text(value) != value:
        raise UsageError(f"{variable} holds spaces or control characters: copy it again")
    return value


def _slack_webhook(block: str) -> Wanted:
    """The variable of `alerts-info` is SENTINEL_SLACK_INFO_URL, that of `alerts` has no name."""
    name = block.removeprefix("alerts").replace("-", "_").upper()
    variable = f"SENTINEL_SLACK{name}_URL"

    def make(url: str, _environment: Environment) -> Block:
        from prefect_slack import SlackWebhook

        try:
            parts = urlsplit(_one_word(url, variable))
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise UsageError(
                f"{variable} is not a web address: copy the webhook's whole URL, with https:// in "
                "front"
            )
        made: Block = SlackWebhook(url=SecretStr(url))
        return made

    return Wanted(block, variable, make)


WANTED = (
    _slack_webhook("alerts"),
    _slack_webhook("alerts-critical"),
    _slack_webhook("alerts-warnings"),
    _slack_webhook("alerts-info"),
    Wanted("alerts", "SENTINEL_SLACK_BOT_TOKEN", _slack_bot),
    Wanted("alerts", "SENTINEL_PAGERDUTY_KEY", _pagerduty),
    Wanted("alerts", "SENTINEL_EMAIL_SERVER", _email),
)
"""The blocks that can be set up, in that order."""
