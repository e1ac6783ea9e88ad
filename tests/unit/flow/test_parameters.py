"""The schema of a rule's parameters is the one that Prefect derives, however it was made."""

import importlib
import inspect
import json
from enum import StrEnum

import pytest
from prefect import Flow
from prefect.utilities.callables import ParameterSchema, parameter_schema
from pydantic import BaseModel, ConfigDict

from sentinel_core.flow.parameters import schema_of, signature_of
from sentinel_core.flow.rule_flow import rule_flow
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.trigger import Trigger

FILES = ("custom", "data", "market", "metric", "model", "pipelines", "service", "system")


class Plain(Trigger):
    """A check of nothing much."""

    limit: float = 1.0

    def check(self) -> AlertOutput:
        return AlertOutput(triggered=self.limit > 1)


class Operator(StrEnum):
    """Its name is that of an enum among a rule's settings."""

    SOME = "some"


class Ambiguous(Plain):
    """A check with that enum."""

    operator: Operator = Operator.SOME


class Described(Plain):
    """A check whose docstring describes what every rule has.

    Args:
        runbook: what to do with it
    """


class Named(Plain):
    """A check of its own importance."""

    default_importance = Importance.CRITICAL
    default_category = "Market"


class Recursive(Plain):
    """A check whose parameters contain others of its kind."""

    parts: tuple["Recursive", ...] = ()


class Foreign:
    """What pydantic knows nothing of."""


class Arbitrary(Plain):
    """A check with a parameter that no schema describes."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    foreign: Foreign | None = None


class Documented(Plain):
    """A check whose docstring describes the check itself.

    Args:
        check: what to look at
    """


class Outer(Plain):
    """A check with a parameter whose class has the same name."""

    class Outer(BaseModel):
        """Not the check."""

        size: int = 1

    inner: Outer = Outer()


TRIGGERS = [Plain, Ambiguous, Described, Named, Recursive, Arbitrary, Documented, Outer]


def deployed(schema: ParameterSchema) -> str:
    """As a deployment gets it: without what was not set."""
    return json.dumps(schema.model_dump(exclude_unset=True))


@pytest.mark.parametrize("name", FILES)
def test_every_flow_of_the_examples_has_the_schema_that_prefect_derives(name: str) -> None:
    module = importlib.import_module(f"flows.{name}")
    found = [value for value in vars(module).values() if isinstance(value, Flow)]
    assert found
    for flow in found:
        derived = parameter_schema(flow)
        assert deployed(flow.parameters) == deployed(derived)  # in the same order, too


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_has_the_schema_that_prefect_derives(trigger: type[Trigger]) -> None:
    flow = rule_flow(trigger)
    derived = parameter_schema(flow)
    assert deployed(flow.parameters) == deployed(schema_of(trigger)) == deployed(derived)
    assert derived.properties["importance"]["default"] == trigger.default_importance
    assert inspect.signature(flow) == inspect.signature(flow.fn) == signature_of(trigger)


def test_the_classes_that_are_ambiguous_stay_apart() -> None:
    names = [name for name in schema_of(Ambiguous).definitions if name.endswith("Operator")]
    assert len(names) == 2


def test_one_schema_does_not_change_with_another() -> None:
    before = schema_of(Named).model_dump_json()
    rule_flow(Plain).parameters.properties["policy"]["default"] = None
    assert schema_of(Named).model_dump_json() == before
