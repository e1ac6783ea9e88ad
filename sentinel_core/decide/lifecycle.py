"""A rule's conditions and policy over what a run observed: judge and decide, put together. Pure.

The store asks it inside a transaction, replay and rule tests ask it in memory: one path for all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel_core.decide.conditions import MetricMissingError, Samples, evaluate
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.policy import (
    Action,
    Decision,
    DecisionContext,
    LateAction,
    LateDecision,
    Neighbour,
    Series,
    Status,
    decide,
    decide_late,
    expired,
    late_neighbours,
    meaning_of,
    policy_for,
)
from sentinel_core.model.cleaning import MESSAGE_LIMIT, clean_message
from sentinel_core.model.condition import look_back_seconds
from sentinel_core.model.rule import Meaning, RuleSettings

Key = tuple[Kind, str]
PROBLEMS = (Kind.ERROR, Kind.NO_DATA)
UNSEEN = "No longer among the outputs of the check."


def is_late(seen: Observation, series: Mapping[Key, Series]) -> bool:
    """Is something newer known? Of what could not be judged, a later measurement is."""
    known = [series.get((seen.kind, seen.ticker))]
    if seen.breached and seen.kind in PROBLEMS:
        known.append(series.get((Kind.ALERT, seen.ticker)))
    return any(one is not None and seen.at < one.last_at for one in known)


class Lifecycle:
    """What one rule's settings mean for its series."""

    def __init__(self, settings: RuleSettings) -> None:
        self.settings = settings
        self.policy = settings.effective_policy
        self._conditions = settings.conditions
        self._policies = {kind: policy_for(kind, self.policy) for kind in Kind}
        self.look_back = timedelta(seconds=look_back_seconds(settings.conditions))

    # -- judge -----------------------------------------------------------------------------

    def judged(
        self,
        seen: Observation,
        previous: Series | None,
        samples: Samples,
        first_at: datetime | None = None,
    ) -> Observation:
        """The observation once the rule's conditions were asked; as it was when there are none.

        `samples` are this series' measurements up to and including this one, as far back as
        `look_back`. `first_at` is the rule's first evaluation: a window that can't be full yet is
        no missing data. A metric that is not there makes an error of it.
        """
        if not self._conditions or seen.kind is not Kind.ALERT or seen.reported is None:
            return seen
        firing = previous is not None and previous.status is Status.FIRING
        try:
            verdict = evaluate(self._conditions, samples, seen.at.timestamp(), firing=firing)
        except MetricMissingError as error:
            why = f"Not checked: {error}."
            return _judged(seen, Kind.ERROR, True, why)
        if verdict.breached is None:
            return self._undecided(seen, verdict.sentence, first_at)
        message = f"{seen.message} ({verdict.sentence})" if seen.message else verdict.sentence
        if len(message) > MESSAGE_LIMIT:
            message = clean_message(message)  # both parts are clean: the length is all there is
        return _judged(seen, Kind.ALERT, verdict.breached, message.strip())

    def _undecided(
        self, seen: Observation, sentence: str, first_at: datetime | None
    ) -> Observation:
        young = first_at is None or seen.at - first_at < self.look_back
        message = clean_message(f"{seen.message} {sentence}")
        if young:
            return _judged(seen, Kind.ALERT, False, message, sentence)
        return _judged(seen, Kind.NO_DATA, True, f"No data: {message}")

    def consequences(
        self, seen: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        """What a run's judged observations mean for other series: said in passing.

        A series that was measured is in error no longer; what counts as ok ends what was firing;
        a ticker that is not among the outputs is what the policy says of missing ones.
        """
        seen = tuple(seen)  # the caller may be adding to it what is yielded here
        for one in seen:
            if one.kind is Kind.ALERT and not one.unjudged:
                for kind in PROBLEMS:
                    known = series.get((kind, one.ticker))
                    if known is not None and known.status is not Status.OK:
                        yield _in_passing(one, kind, one.ticker, "Measured again.")
            elif one.breached and self._meaning(one) is Meaning.OK:
                yield from self._as_good_as_ok(one, series)
        yield from self._found_again(seen, series)
        if self.policy.on_missing is Meaning.KEEP:
            return
        if any(one.kind in (Kind.ALERT, *PROBLEMS) for one in seen):
            yield from self._missing(seen, series)

    @staticmethod
    def _found_again(
        seen: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        """What a check says that finds nothing at all is about "": over once it finds a series."""
        for kind in PROBLEMS:
            known = series.get((kind, ""))
            if known is None or known.status is Status.OK:
                continue
            outputs = [one for one in seen if one.kind in (Kind.ALERT, *PROBLEMS)]
            measured = [one for one in outputs if one.kind is Kind.ALERT and not one.unjudged]
            if measured and all(one.ticker for one in outputs):
                yield _in_passing(measured[0], kind, "", "Measured again.")

    def _as_good_as_ok(
        self, one: Observation, series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        everything = one.kind is Kind.FAILURE
        for kind, ticker in _alive(series):
            if kind is Kind.ALERT and (everything or ticker == one.ticker):
                yield _in_passing(one, kind, ticker, f"Counted as ok: {one.message}")

    def _missing(
        self, seen: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        meaning = self.policy.on_missing
        present = {one.ticker for one in seen}
        if meaning is Meaning.EVENT:
            for kind, ticker in sorted(series):
                # "" is what a check that found nothing at all was about: nobody expects it again
                if kind is not Kind.ALERT or ticker in present or not ticker:
                    continue
                if series[kind, ticker].last_at <= seen[0].at:
                    yield replace(
                        _in_passing(seen[0], Kind.NO_DATA, ticker, UNSEEN),
                        breached=True,
                        evaluated=True,
                        importance=self.settings.importance,
                    )
        elif meaning is Meaning.OK:
            for kind, ticker in _alive(series):
                # "" as above: what that problem was about, _found_again knows
                mine = kind is Kind.ALERT or (kind in PROBLEMS and ticker)
                if mine and ticker not in present:
                    yield _in_passing(seen[0], kind, ticker, UNSEEN)

    def expiries(
        self, at: datetime, seen: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[tuple[Observation, Series, Decision]]:
        """Events that nothing has confirmed for so long that they are over."""
        if self.policy.expire_seconds is None:
            return
        present = {(one.kind, one.ticker) for one in seen}
        for kind, ticker in _alive(series):
            known = series[kind, ticker]
            if (kind, ticker) in present or kind is not Kind.ALERT:
                continue
            decision = expired(self._policies[kind], known, at)
            if decision is not None:
                importance = known.event_importance or self.settings.importance
                over = Observation(
                    kind, ticker, at, False, importance, decision.reason, evaluated=False
                )
                yield over, known, decision

    # -- decide ----------------------------------------------------------------------------

    def decide(
        self, previous: Series | None, seen: Observation, world: DecisionContext
    ) -> Decision:
        """What the newest observation of a series does to it."""
        if seen.kind is Kind.SKIPPED:
            return _unchanged(previous, seen, "skipped", f"skipped: {seen.message}")
        if seen.unjudged:
            return _unchanged(previous, seen, "warming-up", f"not judged yet: {seen.unjudged}")
        policy = self._policies[seen.kind]
        if not seen.breached:
            return decide(policy, previous, seen, world)
        meaning = self._meaning(seen)
        if meaning is Meaning.EVENT:
            return decide(policy, previous, seen, world)
        word = "no news" if meaning is Meaning.KEEP else "counted as ok"
        decision = decide(policy, previous, replace(seen, breached=False), world)
        if decision.action is not Action.QUIET:
            return decision
        code = f"{seen.kind}-{meaning}"
        return replace(decision, code=code, reason=f"{word}: {seen.message}"[:500])

    def _meaning(self, seen: Observation) -> Meaning:
        """Of a breach. That a ticker is missing was observed because the policy says: an event."""
        if seen.kind is Kind.NO_DATA and seen.reported is None:
            return Meaning.EVENT
        return meaning_of(seen.kind, self.policy)

    @property
    def late_neighbours(self) -> int:
        """How many evaluations on each side of a late one its decision needs, whatever its kind."""
        return max(late_neighbours(policy) for policy in self._policies.values())

    def decide_late(
        self, seen: Observation, before: Sequence[Neighbour], after: Sequence[Neighbour]
    ) -> LateDecision:
        """Where an observation belongs that is older than what is known of its series."""
        if seen.kind is Kind.SKIPPED:
            return LateDecision(LateAction.IGNORE, None, "skipped", f"skipped: {seen.message}")
        if seen.unjudged or self._meaning(seen) is not Meaning.EVENT:
            seen = replace(seen, breached=False)
        return decide_late(self._policies[seen.kind], seen, before, after)


def _judged(
    seen: Observation, kind: Kind, breached: bool, message: str, unjudged: str = ""
) -> Observation:
    """As the conditions have it. (By hand: `replace` would take longer than judging.)"""
    return Observation(
        kind,
        seen.ticker,
        seen.at,
        breached,
        seen.importance,
        message,
        seen.evaluated,
        seen.measured_at,
        seen.metrics,
        seen.metadata,
        seen.reported,
        unjudged,
        seen.message,
    )


def _in_passing(of: Observation, kind: Kind, ticker: str, message: str) -> Observation:
    return Observation(
        kind, ticker, of.at, False, of.importance, clean_message(message), evaluated=False
    )


def _alive(series: Mapping[Key, Series]) -> list[Key]:
    """Series that are not simply ok, in one order."""
    return sorted(key for key, known in series.items() if known.status is not Status.OK)


def _unchanged(previous: Series | None, seen: Observation, code: str, reason: str) -> Decision:
    if previous is None:
        return Decision(Action.QUIET, Series(Status.OK, seen.at), code, reason)
    firing = previous.status is Status.FIRING
    series = replace(previous, last_at=seen.at)
    return Decision(Action.CONTINUE if firing else Action.QUIET, series, code, reason)
