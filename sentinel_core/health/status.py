"""The status of an installation: each component in one state and one sentence, and the score.

Built from the findings of `everything` and from figures of the store; `assembled` is pure.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.hosts import Host
from sentinel_core.flow import opening
from sentinel_core.health import configuration, everything
from sentinel_core.health.finding import Finding, State
from sentinel_core.health.score import WEIGHTS, Part, overall, parts, score, worst
from sentinel_core.store.db.failure import explained
from sentinel_core.store.read.hosts import hosts_now
from sentinel_core.store.read.throughput import Backlog, Figures, figures
from sentinel_core.wording.text import counted, flat, listed

SECONDS = 10.0  # for each check
BACKLOG_DEGRADED = timedelta(minutes=5)  # deliver runs every minute
BACKLOG_DOWN = timedelta(minutes=30)
_NAMED = 5
# The doctor's components that are meant by the name here; those of housekeeping are split by flow.
_FINDINGS = {
    "prefect": ("prefect", None),
    "workers": ("work pools", None),
    "store": ("store", None),
    "rules": ("rules", None),
    "reconcile": ("housekeeping", ("reconcile", "record")),
    "deliver": ("housekeeping", ("deliver",)),
    "channels": ("channels", None),
}
_NO_SUBJECT = ("all", "none")  # names of findings about no one thing


class Component(BaseModel):
    """One component: its state, a sentence about it, what to do, and figures for programs."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    sentence: str
    advice: str = ""
    data: dict[str, Any] = {}


class Rates(BaseModel):
    """How much is checked, how late, and how often without a result, in the last `minutes`."""

    model_config = ConfigDict(frozen=True)

    minutes: float
    evaluations_per_minute: float
    lateness_p50_seconds: float | None
    lateness_p95_seconds: float | None
    error_rate: float | None
    runs: int
    failed_runs: int


class HostUse(BaseModel):
    """How much of a host is in use, in percent, and what of it is above its limit.

    `cpu` is None where it is unknown. `silent`: nothing was heard of the host for ten minutes.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    at: datetime
    cpu: float | None
    memory: float
    disk: float
    over: tuple[str, ...]
    silent: bool


class Status(BaseModel):
    """The whole: its state and score, the parts that make it up, and the rates (None: unknown).

    `hosts` are those on which runs executed in the last day, at most 50, those that need a look
    first; `host_count` counts all of them. They do not change the score.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    state: State
    score: int
    parts: tuple[Part, ...]
    components: tuple[Component, ...]
    rates: Rates | None
    hosts: tuple[HostUse, ...] = ()
    host_count: int = 0

    def component(self, name: str) -> Component:
        """The component of this name, which is one of WEIGHTS."""
        return next(one for one in self.components if one.name == name)


def status(seconds: float = SECONDS) -> Status:
    """The status of this installation now; each check is waited for so many seconds.

    Never raises: what can't be looked at is unknown.
    """
    return status_and_findings(seconds)[0]


def status_and_findings(seconds: float = SECONDS) -> tuple[Status, Sequence[Finding]]:
    """As `status`, with the findings behind it."""
    now = datetime.now(UTC)
    findings = everything.look(None, seconds)
    return assembled(findings, _figures(now), now), findings


def _figures(now: datetime) -> Figures | SentinelError:
    if configuration.invalid():
        return SentinelError("a setting is not valid")
    url = get_settings().database_url
    try:
        with explained(url):
            engine, _ = opening.look(url)
            if engine is None:
                return SentinelError("there is no event store")
            try:
                known = hosts_now(engine, now)
                found = figures(engine, now)
                return replace(found, hosts=known.shown, host_count=known.count)
            finally:
                engine.dispose()
    except SentinelError as error:
        return error


def assembled(
    findings: Sequence[Finding], counted_up: Figures | SentinelError, now: datetime
) -> Status:
    """The status by these findings and figures."""
    known = None if isinstance(counted_up, SentinelError) else counted_up
    reason = flat(str(counted_up), 300) if known is None else ""
    made = {name: _of_findings(name, findings) for name in _FINDINGS}
    made["store"] = _with_growth(made["store"], known)
    made["backlog"] = _backlog(known.backlog, now) if known else _unknown("backlog", reason)
    made["sources"] = _sources(known) if known else _unknown("sources", reason)
    states = {name: made[name].state for name in WEIGHTS}
    return Status(
        at=now,
        state=overall(states),
        score=score(states),
        parts=parts(states),
        components=tuple(made[name] for name in WEIGHTS),
        rates=_rates(known) if known else None,
        hosts=tuple(_in_use(one, now) for one in known.hosts) if known else (),
        host_count=known.host_count if known else 0,
    )


def _in_use(host: Host, now: datetime) -> HostUse:
    found = host.latest
    return HostUse(
        host=host.name,
        at=found.at,
        cpu=found.cpu,
        memory=found.memory,
        disk=found.disk,
        over=found.over(),
        silent=host.silent(now),
    )


def _of_findings(name: str, findings: Sequence[Finding]) -> Component:
    """The worst finding's state and sentence; the first one's, when all is well."""
    component, names = _FINDINGS[name]
    mine = [
        one
        for one in findings
        # A check that came to nothing as a whole has the name of the check.
        if one.component == component and (names is None or one.name in (*names, "all"))
    ]
    if not mine:
        broken = next(
            (
                one
                for one in findings
                if one.component == configuration.COMPONENT and one.state is State.DOWN
            ),
            None,
        )
        why = f"{broken.name} is {broken.sentence}" if broken else "nothing is known about it"
        return _unknown(name, why)
    state = worst([one.state for one in mine])
    bad = [one for one in mine if one.state is state]
    more = f" (and {len(bad) - 1} more)" if state is not State.OK and len(bad) > 1 else ""
    data = {one.name: one.data for one in mine if one.data}
    subject = "" if bad[0].name in {*_NO_SUBJECT, name} else f"{bad[0].name}: "
    sentence = f"{subject}{bad[0].sentence}{more}"
    return Component(name=name, state=state, sentence=sentence, advice=bad[0].advice, data=data)


def _unknown(name: str, why: str) -> Component:
    return Component(
        name=name, state=State.UNKNOWN, sentence=f"not checked: {why}", advice="sentinel doctor"
    )


def _with_growth(store: Component, known: Figures | None) -> Component:
    """The store with an estimate of its growth: evaluations of a day at the average size."""
    taken = store.data.get("size", {}).get("bytes")
    if known is None or not known.kept or not isinstance(taken, int):
        return store
    a_day = known.throughput.per_minute * 60 * 24
    growth = {"evaluations_per_day": a_day, "bytes_per_day": taken / known.kept * a_day}
    return store.model_copy(update={"data": {**store.data, "growth": growth}})


def _backlog(backlog: Backlog, now: datetime) -> Component:
    age = now - backlog.oldest if backlog.oldest is not None else timedelta(0)
    data = {"due": backlog.due, "oldest_seconds": age.total_seconds()}
    if not backlog.due:
        return Component(
            name="backlog", state=State.OK, sentence="no notification waits", data=data
        )
    minutes = age.total_seconds() / 60
    sentence = f"{counted(backlog.due, 'notification')} due, the first for {minutes:,.0f} min"
    state = State.OK
    if age > BACKLOG_DEGRADED:
        state = State.DOWN if age > BACKLOG_DOWN else State.DEGRADED
    advice = "" if state is State.OK else "see the runs of deliver in Prefect"
    return Component(name="backlog", state=state, sentence=sentence, advice=advice, data=data)


def _sources(known: Figures) -> Component:
    rules, data = known.unmeasured, {"unmeasured": list(known.unmeasured), "active": known.active}
    if not rules:
        sentence = f"{counted(known.active, 'active rule')}, each with a result from its source"
        if not known.active:
            sentence = "no rule is active"
        return Component(name="sources", state=State.OK, sentence=sentence, data=data)
    return Component(
        name="sources",
        state=State.DOWN if len(rules) >= known.active else State.DEGRADED,
        sentence=f"without a result from their source: {listed(rules, _NAMED)}",
        advice=f"sentinel rules test {flat(rules[0], 60)}",
        data=data,
    )


def _rates(known: Figures) -> Rates:
    found = known.throughput
    return Rates(
        minutes=found.minutes,
        evaluations_per_minute=found.per_minute,
        lateness_p50_seconds=found.lateness_p50,
        lateness_p95_seconds=found.lateness_p95,
        error_rate=found.error_rate,
        runs=found.runs,
        failed_runs=found.failed,
    )
