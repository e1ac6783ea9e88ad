"""`sentinel channels setup`: Prefect blocks from environment variables, and from nothing else."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from prefect.blocks.core import Block
from pydantic import SecretStr

from sentinel_core.base.errors import SetupError, UsageError
from sentinel_core.model.cleaning import clean_text
from sentinel_core.notify.channel.quiet import quiet
from sentinel_core.notify.channel.redact import redact, secrets_of
from sentinel_core.prefect_io.client import prefect_api, read_channel

Environment = Mapping[str, str]

_PREFIX = "SENTINEL_"
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


def run(*, overwrite: bool) -> int:
    """Make what the environment describes; the exit code. Raises SentinelError."""
    environment = {name: value for name, value in os.environ.items() if value.strip()}
    wanted = [one for one in WANTED if one.variable in environment]
    if not wanted:
        raise UsageError(
            f"nothing to set up: set at least one of {', '.join(one.variable for one in WANTED)} "
            "(docs/notifications.md says what each is)"
        )
    blocks = [(one, _made(one, environment)) for one in wanted]  # all, or none
    with prefect_api() as client:
        for one, block in blocks:
            slug = _slug(block, one)
            exists = read_channel(client, slug) is not None
            if exists and not overwrite:
                print(f"{slug} exists and is left as it is (--overwrite replaces it)")
                continue
            _save(block, one, overwrite=overwrite)
            print(f"{slug} {'replaced' if exists else 'created'} from {one.variable}")
    print("test one: sentinel channels test " + _slug(blocks[0][1], blocks[0][0]))
    return 0


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


# -- the blocks ------------------------------------------------------------------------------


def _slack_webhook(url: str, _environment: Environment) -> Block:
    from prefect_slack import SlackWebhook

    block: Block = SlackWebhook(url=SecretStr(url))
    return block


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
    user = environment.get("SENTINEL_EMAIL_USERNAME")
    block: Block = EmailServerCredentials(
        smtp_server=_one_word(server, "SENTINEL_EMAIL_SERVER"),
        smtp_type=security,
        smtp_port=_port(environment.get("SENTINEL_EMAIL_PORT", "").strip()),
        username=user.strip() if user else None,
        password=SecretStr(environment.get("SENTINEL_EMAIL_PASSWORD", "")),
    )
    return block


def _port(text: str) -> int | None:
    if not text:
        return None
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not 0 < port <= _LAST_PORT:
        raise UsageError(f"SENTINEL_EMAIL_PORT must be a port: a number from 1 to {_LAST_PORT}")
    return port


def _one_word(value: str, variable: str) -> str:
    """A value that can be what it should. Raises UsageError, which does not repeat it."""
    if value.split() != [value] or clean_text(value) != value:
        raise UsageError(f"{variable} holds spaces or control characters: copy it again")
    return value


def _web_address(value: str, variable: str) -> str:
    value = _one_word(value, variable)
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"{variable} is not a web address: copy the webhook's whole URL, with https:// in front"
        )
    return value


def _from_url(variable: str) -> Callable[[str, Environment], Block]:
    return lambda url, environment: _slack_webhook(_web_address(url, variable), environment)


def _webhook(name: str) -> Wanted:
    variable = f"{_PREFIX}SLACK_{name.upper()}_URL"
    return Wanted(f"alerts-{name}", variable, _from_url(variable))


WANTED = (
    _webhook("critical"),
    _webhook("warnings"),
    _webhook("info"),
    Wanted("alerts", "SENTINEL_SLACK_BOT_TOKEN", _slack_bot),
    Wanted("alerts", "SENTINEL_PAGERDUTY_KEY", _pagerduty),
    Wanted("alerts", "SENTINEL_EMAIL_SERVER", _email),
)
"""What can be set up, in the order it is done."""
