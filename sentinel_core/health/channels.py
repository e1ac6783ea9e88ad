"""Channels: whether those that rules and hooks name exist and load, and how sending went."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import Settings
from sentinel_core.flow import opening
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.health.installation import Installation
from sentinel_core.notify.channel.outcome import Delivery
from sentinel_core.notify.channel.send import load
from sentinel_core.notify.uses import Use, plain_uses, uses, watched_uses
from sentinel_core.prefect_io.client import prefect_api, read_channel, wrong_channel
from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.store.db.failure import explained
from sentinel_core.store.outbox.channels import ChannelState, states
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment

COMPONENT = "channels"
_finding = Reporter(COMPONENT)
_LATELY = timedelta(days=1)


def look(installation: Installation) -> list[Finding]:
    """The findings on each channel that a rule in Prefect or in the file names, or a hook."""
    try:
        sent, hooks = _recorded(installation.settings)
    except SentinelError:  # said about the store
        sent, hooks = None, []
    rules: dict[str, set[str]] = {}
    for use in (named := _uses(installation)):
        rules.setdefault(use.channel, set()).add(use.rule)
    by_rules = {use.channel for use in named}
    for use in hooks:
        rules.setdefault(use.channel, set()).add(use.rule)
    if not rules:
        return [_nobody(sent)]
    with prefect_api() as client:
        found = {
            channel: _look_at(client, channel, sorted(rules[channel]), sent) for channel in rules
        }
    return [
        finding if channel in by_rules else _of_hooks(finding, installation.now)
        for channel, finding in sorted(found.items())
    ]


def _nobody(sent: Mapping[str, ChannelState] | None) -> Finding:
    if sent is None:
        sentence = "no rule names a channel; those of hooks are not known: the store can't be read"
        return _finding("none", State.UNKNOWN, sentence, "see what is said about the store")
    return _finding("none", State.OK, "no rule or hook names a channel, so nobody is notified")


def _of_hooks(finding: Finding, now: datetime) -> Finding:
    """The finding on a channel that hooks alone name: down only if it failed lately.

    A hook stays on record when it is taken out of the code, and its channel may go with it.
    """
    failed: datetime | None = finding.data["last_failed_at"]
    lately = finding.data["pending"] or (failed is not None and now - failed < _LATELY)
    if finding.state is not State.DOWN or lately:
        return finding
    sentence = f"{finding.sentence}. Only hooks on record name it, and nothing failed lately"
    advice = finding.advice or "nothing, if the hook is gone from the code"
    changed = {"state": State.DEGRADED, "sentence": sentence, "advice": advice}
    return finding.model_copy(update=changed)


def _uses(installation: Installation) -> Sequence[Use]:
    """Each use of a channel by what is deployed and by what is in the file."""
    found: list[Use] = []
    for one in installation.deployed():
        item = one.item
        if one.is_rule:
            schema = item.parameter_openapi_schema or {}
            found += uses(item.name, rule_settings(item.parameters, schema))
        else:
            found += plain_uses(item.name, item.parameters)
    for entry in installation.file.entries if installation.file else ():
        parameters = entry.config.get("parameters")
        if isinstance(parameters, dict):
            found += uses(entry.name, rule_settings(parameters, {}))
            found += plain_uses(entry.name, parameters)
    return found


def _recorded(settings: Settings) -> tuple[Mapping[str, ChannelState] | None, Sequence[Use]]:
    """The channels' states and the uses of hooks by what is on record; None without a store."""
    with explained(settings.database_url):
        engine, _ = opening.look(settings.database_url)
        return (states(engine), watched_uses(engine)) if engine is not None else (None, [])


def _look_at(
    client: SyncPrefectClient,
    channel: str,
    rules: Sequence[str],
    sent: Mapping[str, ChannelState] | None,
) -> Finding:
    state = (sent or {}).get(channel, ChannelState(channel))
    data = {
        "rules": list(rules),
        "last_sent_at": state.last_sent_at,
        "last_failed_at": state.last_failed_at,
        "last_error": state.last_error,
        "pending": state.pending,
    }
    if (wrong := wrong_channel(channel, read_channel(client, channel))) is not None:
        return _finding(channel, State.DOWN, wrong, **data)
    loaded = load(channel)
    if isinstance(loaded, Delivery):
        advice = "save the block again in Prefect, or install what its type needs"
        return _finding(channel, State.DOWN, loaded.error or "it can't be loaded", advice, **data)
    if sent is None:
        sentence = "the block loads; what was sent is not known, as the store can't be read"
        advice = "see what is said about the store"
        return _finding(channel, State.UNKNOWN, sentence, advice, **data)
    return _history(channel, state, data)


def _history(channel: str, state: ChannelState, data: Mapping[str, object]) -> Finding:
    """The last success and the last failure on record of a channel whose block is good."""
    last = f"last sent {moment(state.last_sent_at)}" if state.last_sent_at else "nothing sent yet"
    reason = flat(state.last_error or "no reason given", 300)
    failed, success = state.last_failed_at, state.last_sent_at
    if failed is not None and (success is None or failed > success):
        sentence = f"{last}, last failure {moment(failed)}: {reason}"
        advice = f"repair it, then: sentinel channels retry {channel}"
        return _finding(channel, State.DOWN, sentence, advice, **data)
    if state.last_error and failed is None:
        count = counted(state.pending, "notification")
        sentence = f"{last}; {count} pending, the newest error: {reason}"
        advice = f"it is retried; try it yourself: sentinel channels test {channel}"
        return _finding(channel, State.DEGRADED, sentence, advice, **data)
    return _finding(channel, State.OK, f"the block loads, {last}", **data)
