"""A rule in a Python test: its runs are decided and recorded as live, on the test's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import TypeAdapter
from sqlalchemy import Engine, Select, Table, select

from sentinel_core.base.errors import RuleFileError
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput, as_outputs
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, StateType
from sentinel_core.model.trigger import PastEvaluation, Trigger
from sentinel_core.ruletest.rules import FoundRule
from sentinel_core.ruletest.run import run_at
from sentinel_core.ruletest.values import START
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, RULE
from sentinel_core.store.read.pings import last_pings
from sentinel_core.store.record.acknowledge import Acknowledged, acknowledge
from sentinel_core.store.record.recording import Recorded, record
from sentinel_core.store.state.rules import latest_evaluations

Row = dict[str, Any]


class Clock:
    """A clock for tests: it stands still until `advance` moves it, forwards only. Aware UTC."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now.astimezone(UTC)

    @property
    def now(self) -> datetime:
        """The current time."""
        return self._now

    def advance(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> datetime:
        """Move the clock; returns the new time. Raises ValueError for a step backwards."""
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if passed < timedelta(0):
            raise ValueError(
                "the clock does not run backwards: start another test for an earlier time"
            )
        self._now += passed
        return self._now


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """A rule's own past in the store of a test."""

    engine: Engine
    rule: Rule

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        """The newest evaluations, newest first, of one ticker or of all."""
        rows = latest_evaluations(self.engine, self.rule.deployment_id, limit, ticker)
        return [
            PastEvaluation(
                row["measured_at"] or row["at"],
                row["ticker"],
                row["triggered"],
                row["metrics"],
                row["metadata"],
                row["acknowledged"],
            )
            for row in rows
        ]

    def pings(self, keys: Sequence[str]) -> dict[str, datetime]:
        """The time of the last ping of each of these keys that had one."""
        return last_pings(self.engine, keys)


@dataclass(eq=False)
class RuleHarness:
    """A rule with its own store and clock: run it, move the clock, look at the results."""

    engine: Engine
    clock: Clock
    rule: Rule
    trigger: Trigger

    def run(self, *outputs: AlertOutput) -> Recorded:
        """One run, now: with these outputs, or with what the trigger's own check returns.

        A check that raises is recorded as a failed run, as Prefect would have it.
        """
        try:
            returned = outputs or self.trigger.measure(StoredHistory(self.engine, self.rule))
            measured = as_outputs(returned)
        except Exception as error:
            return self.fail(f"{type(error).__name__}: {error}")
        raw = returned if isinstance(returned, list | tuple) else [returned]
        for number, written in enumerate(raw):
            if "timestamp" not in written.model_fields_set:  # then it is this clock's
                measured[number] = measured[number].model_copy(update={"timestamp": self.clock.now})
        return self.record(measured)

    def fail(self, message: str = "", state: str = "FAILED") -> Recorded:
        """One run that did not complete, now: FAILED, CRASHED or CANCELLED."""
        return self.record(None, state, message)

    def record(
        self, outputs: Sequence[AlertOutput] | None, state: str = "COMPLETED", message: str = ""
    ) -> Recorded:
        """One run that ended in this state, now; `[]` is a check that found no series at all."""
        now = self.clock.now
        run = run_at(now, uuid4(), "rule-test", StateType(state), state.title(), message)
        seen = judge(run, self.rule.settings, outputs)
        return record(self.engine, self.rule, run, seen, now=now)

    def acknowledge(
        self,
        *event_ids: int,
        by: str = "somebody",
        until: datetime | None = None,
        above: float | None = None,
        below: float | None = None,
    ) -> Acknowledged:
        """Acknowledge these events, or all open ones of the rule."""
        open_ones = [event["id"] for event in self.events if event["resolved_at"] is None]
        return acknowledge(
            self.engine,
            event_ids or open_ones,
            by=by,
            until=until,
            above=above,
            below=below,
            now=self.clock.now,
        )

    @property
    def events(self) -> list[Row]:
        """The rule's events by column, oldest first."""
        return self._rows(select(EVENT), EVENT)

    @property
    def evaluations(self) -> list[Row]:
        """Every series of every run, with its decision and the reason, oldest first."""
        return self._rows(select(EVALUATION), EVALUATION)

    @property
    def messages(self) -> list[Row]:
        """Notifications, suppressed or not, with ticker, kind and importance of their event;
        oldest first."""
        e = EVENT.c
        statement = select(NOTIFICATION, e.ticker, e.kind, e.importance)
        return self._rows(statement.join(EVENT, e.id == NOTIFICATION.c.event_id), NOTIFICATION)

    def _rows(self, statement: Select[Any], table: Table) -> list[Row]:
        of_rule = (EVENT if table is NOTIFICATION else table).c.rule_id
        statement = statement.join(RULE, RULE.c.id == of_rule).order_by(table.c.id)
        mine = statement.where(RULE.c.deployment_id == self.rule.deployment_id)
        with reading(self.engine) as connection:
            return [dict(row) for row in connection.execute(mine).mappings()]


def rule_of_trigger(trigger: Trigger, name: str | None, settings: Row) -> Rule:
    """A rule made of a trigger alone; the trigger's defaults fill what `settings` leaves out."""
    defaults = {"importance": trigger.default_importance, "category": trigger.default_category}
    slug = trigger.slug()
    return Rule(
        deployment_id=uuid5(NAMESPACE_URL, name or slug),
        name=name or slug,
        flow_name=slug,
        settings=RuleSettings.model_validate(defaults | _known(settings)),
        trigger=slug,
    )


def declared_rule(rule: FoundRule, settings: Row) -> tuple[Rule, Trigger]:
    """A rule of the rule file with its trigger; `settings` replace its own."""
    from sentinel_core.rulefile.check_parameters import parameter_types

    entry, flow = rule.declared.entry, rule.declared.flow
    if entry.has_open(("parameters", "check")):
        raise RuleFileError(f"parameters.check of {rule.name} has a placeholder only Prefect fills")
    parameters = entry.config.get("parameters") or {}
    trigger = TypeAdapter(parameter_types(flow)["check"]).validate_python(parameters["check"])
    own = {name: getattr(rule.settings, name) for name in RuleSettings.model_fields}
    facts = Rule(
        deployment_id=uuid5(NAMESPACE_URL, rule.name),
        name=rule.name,
        flow_name=flow.name,
        settings=RuleSettings.model_validate(own | _known(settings)),
        trigger=trigger.slug(),
        tags=rule.tags,
    )
    return facts, trigger


def _known(settings: Row) -> Row:
    """RuleSettings ignores unknown parameters of a deployment; in a test they are an error."""
    unknown = sorted(settings.keys() - RuleSettings.model_fields.keys())
    if unknown:
        known = ", ".join(RuleSettings.model_fields)
        raise TypeError(f"a rule has no setting {unknown[0]!r}; known: {known}")
    return settings
