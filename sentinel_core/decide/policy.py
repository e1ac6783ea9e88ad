"""The alert lifecycle: what one observation does to its series, what is told of it, and why.

Pure functions of their arguments: no clock, no database, no Prefect. Callers act on the decision
and store its reason; they add nothing to it. Time is when runs were due, so that a history that is
decided again is decided the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.rule import Flapping, Meaning, Policy
from sentinel_core.model.times import utc_near

STATES_KEPT = 100  # of a series: what `of_last` may look at; flapping takes 21
FLAPPING_STATES = 21
HOUR = timedelta(hours=1)


class Status(StrEnum):
    """The live state of a series."""

    OK = "ok"
    PENDING = "pending"  # breached, and not yet an event
    FIRING = "firing"


class Action(StrEnum):
    """What happens to the series' event."""

    QUIET = "quiet"  # there is none and none opens
    OPEN = "open"
    CONTINUE = "continue"
    ESCALATE = "escalate"  # continues, and matters more than before
    RESOLVE = "resolve"


@dataclass(slots=True)  # never changed once made, like Observation
class Series:
    """What is known of a series. `recent` are its last states, newest last: 1 breached, 0 ok.

    `told_at` is when people were last told of the open event, `tells` counts the attempts, and
    `untold` is what they should have been told of it and were not, as they were muted.
    `acknowledged` and `acknowledged_until` are the open event's.
    """

    status: Status
    last_at: datetime
    event_id: int | None = None
    event_importance: Importance | None = None
    breaches: int = 0
    oks: int = 0
    recent: str = ""
    flapping: bool = False
    breached_at: datetime | None = None
    ended_at: datetime | None = None
    ended_importance: Importance | None = None
    told_at: datetime | None = None
    tells: int = 0
    untold: NotifyReason | None = None
    acknowledged: bool = False
    acknowledged_until: datetime | None = None


def importance_of(previous: Series | None, seen: Observation) -> Importance:
    """What the series' event matters: the most it has, this observation included."""
    before = previous.event_importance if previous else None
    if before is None or (seen.breached and seen.importance.rank > before.rank):
        return seen.importance
    return before


@dataclass(slots=True)
class DecisionContext:
    """What a decision takes into account beside its own series.

    `muted`: why nobody may be told just now (a silence, a rule that inhibits), in words.
    `told`: when people were told of this rule's events, oldest first; decide reads it only.
    """

    muted: Suppression | None = None
    told: Sequence[datetime] = field(default=())


@dataclass(slots=True)  # never changed once made, like Observation
class Decision:
    """`code` is for machines, `reason` is the sentence people read.

    `series` is the series from now on; a new event's id is not known here. `tell` says what people
    should hear, `suppressed` why they do not, `again` that it was held back before this.
    `reopen`: an acknowledgement no longer holds.
    """

    action: Action
    series: Series
    code: str
    reason: str
    tell: NotifyReason | None = None
    suppressed: Suppression | None = None
    again: bool = False
    reopen: bool = False

    @property
    def status(self) -> Status:
        """The state of the series from now on."""
        return self.series.status


@dataclass(slots=True)
class _Verdict:
    """What becomes of the event, before anybody thinks of telling."""

    action: Action
    status: Status
    code: str
    reason: str
    tell: NotifyReason | None = None
    flapping: bool = False


def policy_for(kind: Kind, policy: Policy) -> Policy:
    """The policy of a kind of series: what a rule demands of breaches is not asked of errors."""
    if kind is Kind.ALERT:
        return policy
    plain = {"of_last": None, "recoveries": 1, "keep_firing_seconds": 0.0, "cooldown_seconds": 0.0}
    number = {Kind.FAILURE: policy.errors, Kind.ERROR: policy.errors, Kind.NO_DATA: policy.no_data}
    return policy.model_copy(update={**plain, "breaches": number.get(kind, 1), "flapping": None})


def meaning_of(kind: Kind, policy: Policy) -> Meaning:
    """Whether a breach of this kind is an event at all."""
    if kind in (Kind.FAILURE, Kind.ERROR):
        return policy.on_error
    return policy.on_no_data if kind is Kind.NO_DATA else Meaning.EVENT


_NOWHERE = DecisionContext()


def decide(
    policy: Policy, previous: Series | None, seen: Observation, world: DecisionContext = _NOWHERE
) -> Decision:
    """What the newest observation of a series does to it.

    `policy` is the one for the observation's kind (`policy_for`); the caller has taken care of
    what is no event by its meaning.
    """
    before = previous or Series(Status.OK, seen.at)
    breaches = before.breaches + 1 if seen.breached else 0
    oks = 0 if seen.breached else before.oks + 1
    recent = (before.recent + ("1" if seen.breached else "0"))[-STATES_KEPT:]
    flapping = _flaps(policy.flapping, recent, before.flapping)
    now = _Now(seen, before, breaches, oks, recent, flapping)
    firing = before.status is Status.FIRING
    verdict = _while_firing(policy, now) if firing else _while_not(policy, now)
    return _with_tell(policy, now, verdict, world)


@dataclass(slots=True)
class _Now:
    """A series with its newest observation counted in."""

    seen: Observation
    before: Series
    breaches: int
    oks: int
    recent: str
    flapping: bool

    def is_raised(self, policy: Policy) -> bool:
        """Enough breaches for an event?"""
        if policy.of_last is None:
            return self.breaches >= policy.breaches
        return self.recent[-policy.of_last :].count("1") >= policy.breaches


# -- the event -----------------------------------------------------------------------------


def _while_not(policy: Policy, now: _Now) -> _Verdict:
    seen = now.seen
    if not seen.breached:
        return _Verdict(Action.QUIET, Status.OK, "ok", "ok: not triggered")
    if not now.is_raised(policy):
        return _Verdict(Action.QUIET, Status.PENDING, "pending", _pending(policy, now))
    if (until := _cooling(policy, now)) is not None:
        reason = f"suppressed: cooldown until {utc_near(until, seen.at)}"
        return _Verdict(Action.QUIET, Status.PENDING, "cooldown", reason)
    if now.flapping:
        reason = f"opened: {_share(now)}"
        return _Verdict(Action.OPEN, Status.FIRING, "flapping", reason, NotifyReason.FLAPPING, True)
    reason = f"opened: {_counted(policy, now)}"
    return _Verdict(Action.OPEN, Status.FIRING, "started", reason, NotifyReason.OPENED)


def _counted(policy: Policy, now: _Now) -> str:
    if policy.breaches == 1:
        return "the series started to fire"
    if policy.of_last is not None:
        return f"{policy.breaches} breaches of the last {policy.of_last}"
    return f"{now.breaches} breaches in a row"


def _pending(policy: Policy, now: _Now) -> str:
    if policy.of_last is None:
        return f"pending: {now.breaches} of {policy.breaches} breaches"
    count = now.recent[-policy.of_last :].count("1")
    return f"pending: {count} of {policy.breaches} breaches in the last {policy.of_last}"


def _cooling(policy: Policy, now: _Now) -> datetime | None:
    """Until when no event opens; what matters more than the last one does not wait."""
    ended, mattered = now.before.ended_at, now.before.ended_importance
    if not policy.cooldown_seconds or ended is None:
        return None
    if mattered is not None and now.seen.importance.rank > mattered.rank:
        return None
    until = ended + timedelta(seconds=policy.cooldown_seconds)
    return until if now.seen.at < until else None


def _while_firing(policy: Policy, now: _Now) -> _Verdict:
    seen, before = now.seen, now.before
    if now.flapping:
        return _while_flapping(now)
    if before.flapping:
        return _flapping_ended(now)
    if not seen.breached:
        return _while_recovering(policy, now)
    if (raised := _raised(now)) is not None:
        return raised
    return _Verdict(Action.CONTINUE, Status.FIRING, "still-firing", "continued: still firing")


def _raised(now: _Now) -> _Verdict | None:
    known = now.before.event_importance
    if known is None or not now.seen.breached or now.seen.importance.rank <= known.rank:
        return None
    reason = f"escalated: {known} became {now.seen.importance}"
    return _Verdict(
        Action.ESCALATE,
        Status.FIRING,
        "importance-raised",
        reason,
        NotifyReason.ESCALATED,
        flapping=now.flapping,
    )


def _while_flapping(now: _Now) -> _Verdict:
    """One event for all of it: no end and no new one at each change."""
    if (raised := _raised(now)) is not None:
        return raised
    reason = f"continued: {_share(now)}"
    tell = None if now.before.flapping else NotifyReason.FLAPPING
    return _Verdict(Action.CONTINUE, Status.FIRING, "flapping", reason, tell, flapping=True)


def _flapping_ended(now: _Now) -> _Verdict:
    if now.seen.breached:
        raised = _raised(now)
        reason = "continued: flapping has ended, and it fires"
        return raised or _Verdict(
            Action.CONTINUE, Status.FIRING, "flapping-ended", reason, NotifyReason.FLAPPING_ENDED
        )
    reason = "resolved: flapping has ended, and it is ok"
    return _Verdict(
        Action.RESOLVE, Status.OK, "flapping-ended", reason, NotifyReason.FLAPPING_ENDED
    )


def _while_recovering(policy: Policy, now: _Now) -> _Verdict:
    if now.oks < policy.recoveries:
        reason = f"recovering: {now.oks} of {policy.recoveries} oks"
        return _Verdict(Action.CONTINUE, Status.FIRING, "recovering", reason)
    if policy.of_last is not None and now.is_raised(policy):
        count = now.recent[-policy.of_last :].count("1")
        reason = f"continued: still {count} breaches in the last {policy.of_last}"
        return _Verdict(Action.CONTINUE, Status.FIRING, "still-counted", reason)
    if (until := _kept(policy, now)) is not None:
        reason = f"kept firing until {utc_near(until, now.seen.at)}"
        return _Verdict(Action.CONTINUE, Status.FIRING, "kept-firing", reason)
    reason = f"resolved: {now.seen.message}"
    return _Verdict(Action.RESOLVE, Status.OK, "recovered", reason, NotifyReason.RESOLVED)


def _kept(policy: Policy, now: _Now) -> datetime | None:
    last = now.before.breached_at
    if not policy.keep_firing_seconds or last is None:
        return None
    until = last + timedelta(seconds=policy.keep_firing_seconds)
    return until if now.seen.at < until else None


# -- flapping ------------------------------------------------------------------------------


def flapping_percent(recent: str) -> float:
    """Weighted share of changes among the last 21 states, in percent of what 20 changes weigh.

    The oldest of 20 changes weighs 0.8 and each newer one 0.02 more; counted in fiftieths, so that
    a share that is exactly a rule's threshold is found to be it.
    """
    return _changes(recent[-FLAPPING_STATES:])


_MOST_PERCENT = 6  # of one change, the newest


@lru_cache(maxsize=4096)  # most series say the same again and again
def _changes(states: str) -> float:
    oldest = FLAPPING_STATES - len(states)
    fiftieths = sum(40 + oldest + n for n in range(len(states) - 1) if states[n] != states[n + 1])
    return fiftieths / 10


def _share(now: _Now) -> str:
    return f"the series flaps ({flapping_percent(now.recent):.0f} % of its states changed)"


def _flaps(flapping: Flapping | None, recent: str, before: bool) -> bool:
    """Schmitt's trigger: it takes more changes to start flapping than to go on."""
    if flapping is None:
        return False
    states = recent[-FLAPPING_STATES:]
    changes = states.count("01") + states.count("10")
    if changes * _MOST_PERCENT < (flapping.stop_percent if before else flapping.start_percent):
        return False  # however they are weighted
    percent = _changes(states)
    return percent > flapping.stop_percent if before else percent >= flapping.start_percent


# -- telling -------------------------------------------------------------------------------


def _with_tell(policy: Policy, now: _Now, verdict: _Verdict, world: DecisionContext) -> Decision:
    """The decision: the event's fate, and whether people hear of it now, later or not at all."""
    before, at = now.before, now.seen.at
    held = before.acknowledged and verdict.action is not Action.OPEN
    until = before.acknowledged_until
    lapsed = held and verdict.action is not Action.RESOLVE and until is not None and until <= at
    raised = verdict.action is Action.ESCALATE and held and not policy.sticky_acknowledgement
    acknowledged = held and not lapsed and not raised
    tell = _wanted(policy, now, verdict, acknowledged, lapsed)
    over = verdict.action is Action.RESOLVE
    suppressed = _suppressed(policy, world, at, over=over) if tell else None
    again = suppressed is not None and tell is before.untold
    reason = f"{verdict.reason}; not told: {suppressed.sentence}" if suppressed else verdict.reason
    series = _after(now, verdict, tell if not again else None, suppressed, acknowledged)
    return Decision(
        verdict.action,
        series,
        verdict.code,
        reason,
        tell,
        suppressed,
        again=again,
        reopen=lapsed or raised,
    )


def _wanted(
    policy: Policy, now: _Now, verdict: _Verdict, acknowledged: bool, lapsed: bool
) -> NotifyReason | None:
    if verdict.action is Action.QUIET:
        return None
    if verdict.action is Action.RESOLVE:
        return _wanted_at_end(policy, now.before, verdict)
    if verdict.action is Action.OPEN or acknowledged:
        return None if acknowledged else verdict.tell
    if now.before.untold is not None or verdict.tell is not None:
        return verdict.tell or now.before.untold
    if lapsed:
        return NotifyReason.ACKNOWLEDGEMENT_ENDED
    return NotifyReason.REMINDER if _is_time_to_remind(policy, now) else None


def _wanted_at_end(policy: Policy, before: Series, verdict: _Verdict) -> NotifyReason | None:
    """The end of what nobody heard of is no news."""
    heard = before.told_at is not None
    flapped = verdict.tell is NotifyReason.FLAPPING_ENDED
    return verdict.tell if heard and (policy.notify_resolved or flapped) else None


def _is_time_to_remind(policy: Policy, now: _Now) -> bool:
    last = now.before.told_at
    if policy.repeat_seconds is None or last is None:
        return False
    return now.seen.at - last >= timedelta(seconds=policy.repeat_seconds)


def _suppressed(
    policy: Policy, world: DecisionContext, at: datetime, *, over: bool = False
) -> Suppression | None:
    """Why people may not be told at this moment; of an end they may be told at any rate."""
    if world.muted is not None:
        return world.muted
    most = policy.max_notifications_per_hour
    if most is None or over:
        return None
    # What was told of later runs counts as well: this one is late, the hour was used up.
    lately = [moment for moment in world.told if moment > at - HOUR]
    if len(lately) < most:
        return None
    until = lately[-most] + HOUR
    sentence = f"rate limit: {most} in an hour, the next one from {utc_near(until, at)}"
    return Suppression(SuppressionCode.RATE_LIMITED, sentence)


def _after(
    now: _Now,
    verdict: _Verdict,
    tell: NotifyReason | None,
    suppressed: Suppression | None,
    acknowledged: bool,
) -> Series:
    seen, before = now.seen, now.before
    over = verdict.action is Action.RESOLVE
    firing = verdict.status is Status.FIRING
    fresh = verdict.action is Action.OPEN
    tells = 0 if fresh else before.tells
    untold = None if fresh or not firing else before.untold
    if tell is not None and firing:
        untold = _owed(tell, untold) if suppressed else None
    return Series(
        status=verdict.status,
        last_at=seen.at,
        event_id=before.event_id if firing and not fresh else None,
        event_importance=importance_of(before, seen) if firing else None,
        breaches=now.breaches,
        oks=now.oks,
        recent=now.recent,
        flapping=verdict.flapping,
        breached_at=seen.at if seen.breached else before.breached_at,
        ended_at=seen.at if over else before.ended_at,
        ended_importance=before.event_importance if over else before.ended_importance,
        told_at=seen.at if tell and not suppressed else (None if fresh else before.told_at),
        tells=tells + 1 if tell else tells,
        untold=untold,
        acknowledged=acknowledged and firing,
        acknowledged_until=before.acknowledged_until if acknowledged and firing else None,
    )


def _owed(tell: NotifyReason, already: NotifyReason | None) -> NotifyReason:
    """What is still to be told: the first that was held back, as that is news; then a reminder."""
    return tell if already in (None, NotifyReason.REMINDER) else already


def expired(policy: Policy, previous: Series, at: datetime) -> Decision | None:
    """The end of an event that no run has confirmed for too long, if so it is."""
    if policy.expire_seconds is None or previous.status is not Status.FIRING:
        return None
    confirmed = previous.breached_at or previous.last_at
    if at - confirmed < timedelta(seconds=policy.expire_seconds):
        return None
    reason = f"resolved: expired, no breach since {utc_near(confirmed, at)}"
    decision = _ended(previous, at, "expired", reason)
    heard = policy.notify_resolved and previous.told_at is not None
    return replace(decision, tell=NotifyReason.RESOLVED) if heard else decision


def unless_muted(decision: Decision, world: DecisionContext) -> Decision:
    """The same, and not told while somebody mutes it."""
    if decision.tell is None or world.muted is None:
        return decision
    reason = f"{decision.reason}; not told: {world.muted.sentence}"
    return replace(decision, suppressed=world.muted, reason=reason)


def resolved_by_hand(previous: Series, at: datetime, by: str) -> Decision:
    """The end of an event because a person says so: the series begins anew."""
    return _ended(previous, max(at, previous.last_at), "by-hand", f"resolved: by {by}")


def _ended(previous: Series, at: datetime, code: str, reason: str) -> Decision:
    """The past of the series no longer counts, but for its cooldown."""
    series = Series(
        status=Status.OK,
        last_at=previous.last_at,
        breached_at=previous.breached_at,
        ended_at=at,
        ended_importance=previous.event_importance,
    )
    return Decision(Action.RESOLVE, series, code, reason)


def released(
    policy: Policy, previous: Series, world: DecisionContext, at: datetime
) -> Decision | None:
    """What people were not told while it was muted and should hear now, without a new run."""
    until = previous.acknowledged_until
    acknowledged = previous.acknowledged and (until is None or until > at)
    if previous.untold is None or acknowledged or previous.status is not Status.FIRING:
        return None
    if _suppressed(policy, world, at) is not None:
        return None
    series = replace(
        previous,
        told_at=at,
        tells=previous.tells + 1,
        untold=None,
        acknowledged=False,
        acknowledged_until=None,
    )
    reason, lapsed = "told now: what muted it has ended", previous.acknowledged
    return Decision(Action.CONTINUE, series, "released", reason, previous.untold, reopen=lapsed)


# -- what arrives late ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An evaluation next to a late one: was it breached, and into which event did it count?"""

    breached: bool
    event_id: int | None
    event_importance: Importance | None = None


class LateAction(StrEnum):
    """Where an observation that arrives after newer ones belongs."""

    IGNORE = "nowhere"  # recorded; changes no event
    MERGE = "join"  # counts into an existing event
    ESCALATE = "raise"  # counts into an existing event, and matters more than it
    BACKFILL = "past"  # an event of its own, over before it was known


@dataclass(frozen=True, slots=True)
class LateDecision:
    """Like Decision, for an observation older than the series' newest one."""

    place: LateAction
    event_id: int | None
    code: str
    reason: str


def decide_late(
    policy: Policy,
    seen: Observation,
    before: Sequence[Neighbour],
    after: Sequence[Neighbour],
) -> LateDecision:
    """Where a late observation belongs, given its recorded neighbours in time, nearest first.

    The series' present state stays what its newest evaluation made it: the past explains, it does
    not overrule. A late breach joins the event it is continuous with; between oks it becomes an
    event of its own that is already over, so that somebody still sees it, when its policy takes
    no more breaches than there are.
    """
    if not seen.breached:
        return LateDecision(LateAction.IGNORE, None, "late-ok", "late: not triggered at that time")
    for neighbours, side in ((before, "before"), (after, "after")):
        if neighbours and (joined := _joining(seen, neighbours[0], side)) is not None:
            return joined
    states = [*(n.breached for n in reversed(before)), True, *(n.breached for n in after)]
    if not _enough_in(states, len(before), policy):
        return LateDecision(
            LateAction.IGNORE, None, "late-pending", f"late: fewer than {policy.breaches} breaches"
        )
    return LateDecision(
        LateAction.BACKFILL, None, "late-past", "late: fired and recovered before it was recorded"
    )


def _joining(seen: Observation, neighbour: Neighbour, side: str) -> LateDecision | None:
    if not neighbour.breached or neighbour.event_id is None:
        return None
    known = neighbour.event_importance
    told = f"late: counted into the event of the run {side} it"
    if known is not None and seen.importance.rank > known.rank:
        told += f", which was only {known}"
        return LateDecision(LateAction.ESCALATE, neighbour.event_id, "late-raised", told)
    return LateDecision(LateAction.MERGE, neighbour.event_id, "late-joined", told)


def _enough_in(states: Sequence[bool], here: int, policy: Policy) -> bool:
    """Would these states have opened an event with the one at `here` among its breaches?"""
    size = policy.of_last or policy.breaches
    windows = (states[max(0, end - size) : end] for end in range(here + 1, here + size + 1))
    return any(sum(window) >= policy.breaches for window in windows)


def late_neighbours(policy: Policy) -> int:
    """How many neighbours on each side decide about a late observation."""
    return max(1, (policy.of_last or policy.breaches) - 1)
