"""Reads for the page of rules, cached for all sessions as in `data`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import streamlit as st

from sentinel_core.model.silence import Silence, SilenceState
from sentinel_core.store.db.failure import answering
from sentinel_core.store.read import silences
from sentinel_core.store.read.rule_history import RuleHistory, rule_histories
from sentinel_core.store.state import rules, system_rule
from viewer import data, operations, writing
from viewer.operations import Action

MOST_RULES = 200
MOST_SILENCES = 20
_NO_PAST = 1 / 1440  # a preview looks back, here for a minute: only open events are counted


@dataclass(frozen=True, slots=True)
class KnownRules:
    """The rules on record, at most MOST_RULES of them, with what is known of each by its id."""

    rules: Sequence[Mapping[str, Any]]
    count: int
    histories: Mapping[int, RuleHistory]
    due: Mapping[int, datetime | None]


@dataclass(frozen=True, slots=True)
class Mute:
    """A silence, and how many rules, series and open events it matches now."""

    silence: Silence
    state: SilenceState
    rules: Sequence[str]
    series: int
    open_events: int


@st.cache_data(ttl=5, show_spinner=False)
def _known(url: str) -> KnownRules:
    engine, now = data.engine_at(url), data.now()
    found = [
        dict(rule)
        for rule in rules.all_rules(engine)
        if rule["deployment_id"] != system_rule.DEPLOYMENT_ID
    ]
    shown = found[:MOST_RULES]
    histories = rule_histories(engine, [rule["id"] for rule in shown], now=now)
    due = {rule["id"]: operations.next_due(rule, now) for rule in shown}
    return KnownRules(shown, len(found), histories, due)


def known_rules() -> KnownRules:
    """The rules on record. At most 5 seconds old. Raises StoreUnavailableError."""
    with answering(data.engine()):
        return _known(data.settings().database_url)


@st.cache_data(ttl=60, show_spinner=False, max_entries=50)
def _coverage(url: str, rule_ids: tuple[int, ...]) -> dict[int, float | None]:
    return operations.coverage(data.engine_at(url), rule_ids, data.now())


def coverage(rule_ids: Sequence[int]) -> dict[int, float | None]:
    """The coverage of these rules over the last day, by id. At most a minute old."""
    with answering(data.engine()):
        return _coverage(data.settings().database_url, tuple(rule_ids))


@st.cache_data(ttl=15, show_spinner=False)
def _mutes(url: str) -> list[Mute]:
    engine, now = data.engine_at(url), data.now()
    found = []
    wanted = (SilenceState.ACTIVE, SilenceState.UPCOMING)
    listed = (silences.all_silences(engine, now=now, state=state) for state in wanted)
    for silence in list(chain(*listed))[:MOST_SILENCES]:
        muted = silences.preview(engine, silence, now=now, days=_NO_PAST)
        found.append(
            Mute(silence, silence.state(now), muted.rules, len(muted.series), muted.open_count)
        )
    return found


def mutes() -> list[Mute]:
    """Active and upcoming silences, at most MOST_SILENCES. At most 15 seconds old."""
    return _mutes(data.settings().database_url)


def preview(silence: Silence) -> silences.Preview:
    """What a silence would mute now. Raises StoreUnavailableError."""
    return silences.preview(data.engine(), silence, now=data.now(), days=_NO_PAST)


def forget_mutes() -> None:
    """Forget the silences that were read, as there is a new one."""
    _mutes.clear()


def act(action: Action, chosen: Sequence[Mapping[str, Any]], by: str) -> int:
    """Run, pause or resume these rules; the number changed. Raises SentinelError, ValueError."""
    ids = [rule["deployment_id"] for rule in chosen]
    try:
        return writing.change_rules(action, ids, by)
    finally:
        _known.clear()
