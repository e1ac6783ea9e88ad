"""The base class of everything that can be measured."""

from datetime import UTC, datetime

import pytest
from pydantic import Field, ValidationError

from sentinel_core.flow.rule_flow import rule_flow
from sentinel_core.model.trigger import (
    MARK,
    TIMEOUT_MARK,
    AlertOutput,
    History,
    NoHistory,
    PastEvaluation,
    Trigger,
    attempts_of,
)
from sentinel_core.prefect_io.facts import trigger_of
from tests.support.runs import at, fired


class Past:
    """A past of two evaluations."""

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        return [PastEvaluation(at(n), ticker or "", False, {"value": n}) for n in range(2)][:limit]


class PlainCheck(Trigger):
    """Measures."""

    threshold: float = Field(1, gt=0)

    def check(self) -> AlertOutput:
        return fired(f"at {self.threshold:g}")


class AsyncCheck(Trigger):
    async def check(self) -> list[AlertOutput]:
        return [fired("a"), fired("b")]


class CheckWithHistory(Trigger):
    retries = 2
    retry_delay_seconds = 5
    timeout_seconds = 10

    def check(self, history: History) -> AlertOutput:
        return fired(metrics={"known": len(history.latest(10, "x"))})


class AsyncCheckWithHistory(Trigger):
    async def check(self, history: History) -> AlertOutput:
        return fired(metrics={"known": len(history.latest(1))})


class BrokenCheck(Trigger):
    def check(self) -> AlertOutput:
        raise ConnectionError("no route")


def test_each_of_the_four_forms_of_check_is_run() -> None:
    assert PlainCheck(threshold=2).measure(Past()) == fired("at 2")
    assert AsyncCheck().measure(Past()) == [fired("a"), fired("b")]
    assert CheckWithHistory().measure(Past()) == fired(metrics={"known": 2})
    assert AsyncCheckWithHistory().measure(Past()) == fired(metrics={"known": 1})
    assert CheckWithHistory().measure(NoHistory()) == fired(metrics={"known": 0})


def test_what_a_check_raises_is_not_swallowed() -> None:
    with pytest.raises(ConnectionError, match="no route"):
        BrokenCheck().measure(Past())


def test_a_trigger_is_named_after_its_class() -> None:
    assert PlainCheck.slug() == "plain-check"
    assert AsyncCheckWithHistory.slug() == "async-check-with-history"


def test_a_parameter_that_is_unknown_or_wrong_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="treshold"):
        PlainCheck.model_validate({"treshold": 1})
    with pytest.raises(ValidationError, match="threshold"):
        PlainCheck(threshold=0)


def test_the_longest_a_run_may_take_counts_every_attempt() -> None:
    assert PlainCheck.longest_seconds() == 60 + 30
    assert CheckWithHistory.longest_seconds() == 3 * 10 + 2 * 5 + 30


def test_a_parameter_schema_says_that_it_is_a_rules() -> None:
    schema = {"definitions": {"Other": {}, "PlainCheck": PlainCheck.model_json_schema()}}
    found = trigger_of(schema)
    assert found is not None
    assert (found[MARK], found[TIMEOUT_MARK]) == ("plain-check", 90)
    assert trigger_of({"definitions": {"Other": {}}}) is None
    assert trigger_of({}) is None
    assert trigger_of(None) is None


def test_a_trigger_has_no_warnings_unless_it_says_so() -> None:
    assert list(PlainCheck().check_warnings()) == []


def test_a_trigger_may_have_such_parameters_and_a_limit_of_its_own() -> None:
    class Delivery(Trigger):
        attempts: int = 3
        closed: bool = False

        def check(self) -> AlertOutput:
            return fired(f"{self.attempts} {self.closed}")

        @classmethod
        def longest_seconds(cls) -> float:
            return 7

    assert rule_flow(Delivery).timeout_seconds == 7
    assert attempts_of(Delivery).longest_seconds == 60 + 30
    assert Delivery(attempts=2).why_closed(datetime.now(UTC)) is None
