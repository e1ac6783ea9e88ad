"""All checks of an installation, in the order in which people read them."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import get_settings
from sentinel_core.health import (
    channels,
    configuration,
    event_store,
    housekeeping,
    prefect_server,
    rules,
    sources,
    work_pools,
)
from sentinel_core.health.finding import Finding
from sentinel_core.health.gather import Check, gather
from sentinel_core.health.installation import Installation
from sentinel_core.rulefile.source import RuleFile, read
from sentinel_core.wording.text import flat


def look(path: Path | None, seconds: float, *, with_sources: bool = False) -> list[Finding]:
    """The findings on everything; each check is waited for so many seconds. Never raises.

    `path` is the rule file; without one, only what is deployed is known. `with_sources`
    also runs the check of each rule in the file.
    """
    prefect = Check(prefect_server.COMPONENT, "API", prefect_server.look, seconds)
    # As it is now: what is run for `with_sources` adds variables of its own.
    look_at_settings = partial(configuration.look, dict(os.environ))
    configured = Check(configuration.COMPONENT, "all", look_at_settings, seconds)
    if configuration.invalid():  # nothing else can be looked at
        return gather([prefect, configured])
    file, unreadable = _file(path)
    installation = Installation(get_settings(), file, datetime.now(UTC))
    found = gather(
        [prefect, *_checks(installation, seconds), *_sources(installation, seconds, with_sources)]
    )
    found = [*found, *unreadable, *gather([configured])]
    order = list(dict.fromkeys(finding.component for finding in found))
    return sorted(found, key=lambda finding: order.index(finding.component))


def _checks(installation: Installation, seconds: float) -> Sequence[Check]:
    settings, now = installation.settings, installation.now
    looks = (
        (work_pools.COMPONENT, "all", partial(work_pools.look, installation)),
        (event_store.COMPONENT, "database", partial(event_store.look, settings)),
        (rules.COMPONENT, "deployed", partial(rules.look, installation)),
        (rules.COMPONENT, "on time", partial(rules.look_at_record, installation)),
        (housekeeping.COMPONENT, "all", partial(housekeeping.look, installation)),
        (
            housekeeping.COMPONENT,
            "record",
            partial(housekeeping.look_at_record, settings, now),
        ),
        (channels.COMPONENT, "all", partial(channels.look, installation)),
    )
    return [Check(component, name, call, seconds) for component, name, call in looks]


def _sources(installation: Installation, seconds: float, wanted: bool) -> Sequence[Check]:
    if not wanted or installation.file is None:
        return []
    longest = sources.longest(len(installation.file.entries), seconds)
    call = partial(
        sources.look, installation.file.path, installation.settings.database_url, seconds
    )
    return [Check(sources.COMPONENT, "all", call, longest)]


def _file(path: Path | None) -> tuple[RuleFile | None, Sequence[Finding]]:
    """The rule file, and a finding when it is there and can't be read."""
    if path is None or not path.exists():
        return None, []
    try:
        return read(path), []
    except SentinelError as error:
        sentence = flat(str(error), 300)
        return None, [rules.unreadable(sentence, f"sentinel rules check {path}")]
