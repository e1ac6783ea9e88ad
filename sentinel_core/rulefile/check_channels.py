"""Checks that the channels a rule file names exist and can be used in that way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.client import needs_recipient, read_channel, wrong_channel
from sentinel_core.rulefile.check_parameters import ROUTED, given_parameters
from sentinel_core.rulefile.phrases import dotted
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig


@dataclass(frozen=True, slots=True)
class Named:
    """A channel and where the file names it; `has_to`: recipients are named there as well."""

    where: Where
    slug: str
    has_to: bool = False


def channels_of(file: RuleFile, entry: Entry, *, is_rule: bool) -> list[Named]:
    """Every channel a deployment names, without those whose form was reported as wrong."""
    wrong = {problem.field for problem in file.problems if problem.deployment == entry.name}
    names = ROUTED if is_rule else ROUTED[:1]
    bases = dict.fromkeys([("parameters",), *(where for where, _ in given_parameters(entry))])
    found: dict[Where, Named] = {}
    for base in bases:
        for name in names:
            where: Where = (*base, name)
            for named in _named(where, dig(entry.config, where)):
                found[named.where] = named
    return [
        named
        for named in found.values()
        if named.slug.count("/") == 1 and dotted(named.where) not in wrong
    ]


def _named(where: Where, value: Any) -> Iterator[Named]:
    """Channels at and below a value: texts in lists, and values of the key `channel`."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, str):
                yield Named((*where, number), item)
            else:
                yield from _named((*where, number), item)
    elif isinstance(value, dict):
        if isinstance(channel := value.get("channel"), str):
            yield Named((*where, "channel"), channel, bool(value.get("to")))
        for key, item in value.items():
            if key not in ("channel", "to", "group_by"):
                yield from _named((*where, key), item)


def check_recipients(file: RuleFile, entry: Entry, *, is_rule: bool) -> None:
    """Warn of recipients that have no effect, as the block itself has them."""
    for named in channels_of(file, entry, is_rule=is_rule):
        if named.has_to and not needs_recipient(named.slug):
            kind = named.slug.partition("/")[0]
            message = (
                f"has no effect: a {kind} block has its own recipients. `to` is for "
                "email-server-credentials and slack-credentials"
            )
            file.complain(entry, (*named.where[:-1], "to"), message, warning=True)


def check_channels(
    client: SyncPrefectClient, file: RuleFile, channels: Sequence[tuple[Entry, Named]]
) -> None:
    """Report each channel that can't be used once, where it is first named."""
    first: dict[str, tuple[Entry, Where]] = {}
    for entry, named in channels:
        first.setdefault(named.slug, (entry, named.where))
    for slug, (entry, where) in first.items():
        block = read_channel(client, slug)
        if wrong := wrong_channel(slug, block):
            file.complain(entry, where, wrong)
        elif (
            block is not None
            and slug.startswith("email-server-credentials/")
            and not (block.data.get("username") or get_settings().email_from)
        ):
            message = (
                f"{slug} has no user name to send from: set SENTINEL_EMAIL_FROM in the environment "
                "of the worker"
            )
            file.complain(entry, where, message, warning=True)
