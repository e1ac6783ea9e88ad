"""A rule's conditions and policy over what a run observed: judged, then decided. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel_core.decide.conditions import MetricMissingError, Samples, evaluate
from sentinel_core.decide.late import LateAction, LateDecision, Neighbour, late_neighbours
from sentinel_core.decide.late import decide_late as decide_late_by_policy
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Action, Decision, DecisionContext, Key, Series, Status
from sentinel_core.decide.transition import decide, expired, meaning_of, policy_for
from sentinel_core.model.cleaning import MESSAGE_LIMIT, clean_message
from sentinel_core.model.condition import look_back_seconds
from sentinel_core.model.rule import Meaning, RuleSettings
from sentinel_core.model.run import Skip

PROBLEMS = (Kind.ERROR, Kind.NO_DATA)
OUTPUTS = (Kind.ALERT, *PROBLEMS)  # the kinds that only a run whose check ran observes
UNSEEN = "No longer among the outputs of the check."
WARMING_UP = "warming-up"  # the code of a decision without enough values


def is_late(observation: Observation, series: Mapping[Key, Series]) -> bool:
    """True if a newer observation of the series is on record.

    For ERROR and NO_DATA, a later alert evaluation counts as newer.
    """
    kind, ticker, at = observation.kind, observation.ticker, observation.at
    known = series.get((kind, ticker))
    if known is not None and at < known.last_at:
        return True
    if observation.breached and kind in PROBLEMS:
        measured = series.get((Kind.ALERT, ticker))
        return measured is not None and at < measured.last_at
    return False


class Lifecycle:
    """One rule's settings, applied to its series."""

    def __init__(self, settings: RuleSettings) -> None:
        self.settings = settings
        self.policy = settings.effective_policy
        self._conditions = settings.conditions
        self._policies = {kind: policy_for(kind, self.policy) for kind in Kind}
        self.look_back = timedelta(seconds=look_back_seconds(settings.conditions))

    # -- judge -----------------------------------------------------------------------------

    def judged(
        self,
        observation: Observation,
        previous: Series | None,
        samples: Samples,
        first_at: datetime | None = None,
    ) -> Observation:
        """The observation as the rule's conditions have it; unchanged when there are none.

        `samples` are this series' measurements up to and including this one, as far back as
        `look_back`. `first_at` is the rule's first evaluation: a window that can't be full yet is
        no missing data. A metric that was not measured makes an error of it.
        """
        if (
            not self._conditions
            or observation.kind is not Kind.ALERT
            or observation.reported is None
        ):
            return observation
        firing = previous is not None and previous.status is Status.FIRING
        try:
            verdict = evaluate(self._conditions, samples, observation.at.timestamp(), firing=firing)
        except MetricMissingError as error:
            return _judged(observation, Kind.ERROR, True, f"Not checked: {error}.")
        said = observation.message
        if verdict.breached is None:
            message = clean_message(f"{said} {verdict.sentence}")
            young = first_at is None or observation.at - first_at < self.look_back
            if young:
                return _judged(observation, Kind.ALERT, False, message, verdict.sentence)
            return _judged(observation, Kind.NO_DATA, True, f"No data: {message}")
        message = f"{said} ({verdict.sentence})" if said else verdict.sentence
        if len(message) > MESSAGE_LIMIT:
            message = clean_message(message)  # both parts are clean: only the length is too much
        return _judged(observation, Kind.ALERT, verdict.breached, message.strip())

    def consequences(
        self, observations: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        """The observations that a run's judged ones imply for other series of the rule.

        A series that was measured is in error no longer; what counts as ok ends what was firing;
        a ticker that is not among the outputs is treated as `on_missing` says.
        """
        observations = tuple(observations)  # the caller may be adding what is yielded here
        problems = {
            key for key in series if key[0] in PROBLEMS and series[key].status is not Status.OK
        }
        for observation in observations:
            if observation.kind is Kind.ALERT and not observation.unjudged:
                for kind in PROBLEMS if problems else ():
                    if (kind, observation.ticker) in problems:
                        yield _implied(observation, kind, observation.ticker, "Measured again.")
            elif observation.breached and self._meaning(observation) is Meaning.OK:
                yield from self._counted_as_ok(observation, series)
        if problems:
            yield from self._measured_again(observations, problems)
        if self.policy.on_missing is Meaning.KEEP:
            return
        if any(observation.kind in OUTPUTS for observation in observations):
            yield from self._missing(observations, series)

    @staticmethod
    def _measured_again(
        observations: Sequence[Observation], problems: Collection[Key]
    ) -> Iterator[Observation]:
        """The problem of a check that found no series at all ("") ends once it finds some."""
        for kind in PROBLEMS:
            if (kind, "") not in problems:
                continue
            outputs = [each for each in observations if each.kind in OUTPUTS]
            measured = [each for each in outputs if each.kind is Kind.ALERT and not each.unjudged]
            if measured and all(each.ticker for each in outputs):
                yield _implied(measured[0], kind, "", "Measured again.")

    @staticmethod
    def _counted_as_ok(
        observation: Observation, series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        everything = observation.kind is Kind.FAILURE
        for kind, ticker in _not_ok(series):
            if kind is Kind.ALERT and (everything or ticker == observation.ticker):
                message = f"Counted as ok: {observation.message}"
                yield _implied(observation, kind, ticker, message)

    def _missing(
        self, observations: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[Observation]:
        """Tickers that are not among the outputs, as the policy has them.

        The ticker "" stands for a check that found no series at all: it is never missing.
        """
        run = observations[0]
        present = {observation.ticker for observation in observations}
        if self.policy.on_missing is Meaning.EVENT:
            for kind, ticker in sorted(series):
                if kind is not Kind.ALERT or ticker in present or not ticker:
                    continue
                if series[kind, ticker].last_at <= run.at:
                    yield replace(
                        _implied(run, Kind.NO_DATA, ticker, UNSEEN),
                        breached=True,
                        evaluated=True,
                        importance=self.settings.importance,
                    )
        else:
            for kind, ticker in _not_ok(series):
                problem = kind in PROBLEMS and ticker
                if (kind is Kind.ALERT or problem) and ticker not in present:
                    yield _implied(run, kind, ticker, UNSEEN)

    def expiries(
        self, at: datetime, observations: Sequence[Observation], series: Mapping[Key, Series]
    ) -> Iterator[tuple[Observation, Series, Decision]]:
        """Events that end because no breach has confirmed them for too long."""
        if self.policy.expire_seconds is None:
            return
        present = {(observation.kind, observation.ticker) for observation in observations}
        for kind, ticker in _not_ok(series):
            known = series[kind, ticker]
            if (kind, ticker) in present or kind is not Kind.ALERT or at < known.last_at:
                continue
            decision = expired(self._policies[kind], known, at)
            if decision is not None:
                importance = known.event_importance or self.settings.importance
                end = Observation(
                    kind, ticker, at, False, importance, decision.reason, evaluated=False
                )
                yield end, known, decision

    # -- decide ----------------------------------------------------------------------------

    def decide(
        self, previous: Series | None, observation: Observation, context: DecisionContext
    ) -> Decision:
        """The decision about the newest observation of a series."""
        kind = observation.kind
        if kind is Kind.SKIPPED:
            code, reason = _skipped(observation)
            return _unchanged(previous, observation, code, reason)
        if observation.unjudged:
            reason = f"not judged yet: {observation.unjudged}"
            return _unchanged(previous, observation, WARMING_UP, reason)
        policy = self._policies[kind]
        if not observation.breached:
            return decide(policy, previous, observation, context)
        meaning = self._meaning(observation)
        if meaning is Meaning.EVENT:
            return decide(policy, previous, observation, context)
        decision = decide(policy, previous, replace(observation, breached=False), context)
        if decision.action is not Action.QUIET:
            return decision
        words = "no news" if meaning is Meaning.KEEP else "counted as ok"
        reason = f"{words}: {observation.message}"[:500]
        return replace(decision, code=f"{kind}-{meaning}", reason=reason)

    def _meaning(self, observation: Observation) -> Meaning:
        """The meaning of a breach. A missing ticker is observed only where that is an event."""
        if observation.kind is Kind.NO_DATA and observation.reported is None:
            return Meaning.EVENT
        return meaning_of(observation.kind, self.policy)

    @property
    def late_neighbours(self) -> int:
        """The number of evaluations on each side of a late one that its decision needs."""
        return max(late_neighbours(policy) for policy in self._policies.values())

    def decide_late(
        self, observation: Observation, before: Sequence[Neighbour], after: Sequence[Neighbour]
    ) -> LateDecision:
        """The decision about an observation that is older than its series' newest one."""
        if observation.kind is Kind.SKIPPED:
            return LateDecision(LateAction.IGNORE, None, *_skipped(observation))
        if observation.unjudged or self._meaning(observation) is not Meaning.EVENT:
            observation = replace(observation, breached=False)
        policy = self._policies[observation.kind]
        return decide_late_by_policy(policy, observation, before, after)


def _judged(
    observation: Observation, kind: Kind, breached: bool, message: str, unjudged: str = ""
) -> Observation:
    """The observation as the conditions have it. (`replace` would take longer than judging.)"""
    return Observation(
        kind,
        observation.ticker,
        observation.at,
        breached,
        observation.importance,
        message,
        observation.evaluated,
        observation.measured_at,
        observation.metrics,
        observation.metadata,
        observation.reported,
        unjudged,
        observation.message,
    )


def _implied(by: Observation, kind: Kind, ticker: str, message: str) -> Observation:
    """An ok that follows from another observation of the run; no evaluation of its own."""
    return Observation(
        kind, ticker, by.at, False, by.importance, clean_message(message), evaluated=False
    )


def _not_ok(series: Mapping[Key, Series]) -> list[Key]:
    """Series that are pending or firing, in a fixed order."""
    return sorted(key for key, known in series.items() if known.status is not Status.OK)


def _skipped(observation: Observation) -> tuple[str, str]:
    """The code and the reason of a decision about a run that was skipped."""
    return (observation.skip or Skip.LATE).value, f"skipped: {observation.message}"


def _unchanged(
    previous: Series | None, observation: Observation, code: str, reason: str
) -> Decision:
    if previous is None:
        return Decision(Action.QUIET, Series(Status.OK, observation.at), code, reason)
    firing = previous.status is Status.FIRING
    series = replace(previous, last_at=observation.at)
    return Decision(Action.CONTINUE if firing else Action.QUIET, series, code, reason)
