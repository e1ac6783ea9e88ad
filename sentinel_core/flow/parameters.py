"""The parameters of a rule's flow: the trigger's, and the settings that every rule has.

Prefect derives the schema of all of them for each flow, which is most of the time that importing a
file of flows takes, as the settings are far larger than a trigger. Here they are derived once.
"""

import inspect
from functools import cache
from inspect import Parameter, Signature
from typing import Annotated, Any

from prefect.utilities.callables import (
    ParameterSchema,
    generate_parameter_schema,
    parameter_docstrings,
)
from pydantic import Field
from pydantic.errors import PydanticInvalidForJsonSchema

from sentinel_core.model.alert import Importance
from sentinel_core.model.attempts import Retries, RetryDelaySeconds, TimeoutSeconds
from sentinel_core.model.condition import Conditions
from sentinel_core.model.reaction import Reactions
from sentinel_core.model.routing import Escalates, Escalation, Routes, Suggestions
from sentinel_core.model.rule import (
    DEFAULT_DISPLAY_MINUTES,
    Environment,
    Inhibits,
    Policy,
    Templates,
)
from sentinel_core.model.trigger import Trigger

_CATEGORY = Field(max_length=40, description="Category to filter by on the blotter.")
_MINUTES = "Minutes a medium or low event stays on the live blotter."
_DisplayMinutes = Annotated[int, Field(ge=1, le=525_600, description=_MINUTES)]
_OnOpen = Annotated[Reactions, Field(description="What to run when an event opens.")]
_OnResolve = Annotated[Reactions, Field(description="What to run when an event ends.")]
_OnEscalate = Annotated[
    Reactions, Field(description="What to run when an event becomes more important.")
]
_Runbook = Annotated[str | None, Field(description="Link or text that says what to do.")]


def signature_of(trigger: type[Trigger]) -> Signature:
    """The trigger as `check`, and the settings of a rule by their names."""
    settings: dict[str, tuple[Any, object]] = {  # annotation and default
        "importance": (Importance, trigger.default_importance),
        "category": (Annotated[str, _CATEGORY], trigger.default_category),
        "display_duration_minutes": (_DisplayMinutes, DEFAULT_DISPLAY_MINUTES),
        "notify": (Routes, Routes()),
        "runbook": (_Runbook, None),
        "conditions": (Conditions, ()),
        "policy": (Policy, Policy()),
        "inhibits": (Inhibits, ()),
        "escalation": (Escalates, Escalation()),
        "suggestions": (Suggestions, ()),
        "templates": (Templates, {}),
        "on_open": (_OnOpen, ()),
        "on_resolve": (_OnResolve, ()),
        "on_escalate": (_OnEscalate, ()),
        "environment": (Environment | None, None),
        "timeout_seconds": (TimeoutSeconds | None, None),
        "retries": (Retries | None, None),
        "retry_delay_seconds": (RetryDelaySeconds | None, None),
    }
    check = Parameter("check", Parameter.POSITIONAL_OR_KEYWORD, annotation=trigger)
    return Signature(
        [check]
        + [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in settings.items()
        ]
    )


def schema_of(trigger: type[Trigger]) -> ParameterSchema:
    """What Prefect derives from the signature and the docstring."""
    check, *settings = signature_of(trigger).parameters.values()
    described = parameter_docstrings(inspect.getdoc(trigger))
    own, common = _schema_of_check(trigger, check, described), _schema_of_settings()
    shared = own.definitions.keys() & common.definitions.keys()
    ambiguous = any(own.definitions[name] != common.definitions[name] for name in shared)
    if ambiguous or described.keys() & {setting.name for setting in settings}:
        return generate_parameter_schema(signature_of(trigger), described)
    properties = {
        name: {**of, "position": of["position"] + 1} for name, of in common.properties.items()
    }
    properties["importance"]["default"] = trigger.default_importance.value
    properties["category"]["default"] = trigger.default_category
    definitions = dict(sorted({**common.definitions, **own.definitions}.items()))
    return own.model_copy(
        update={"properties": own.properties | properties, "definitions": definitions}
    )


def _schema_of_check(
    trigger: type[Trigger], check: Parameter, described: dict[str, str]
) -> ParameterSchema:
    """As Prefect would derive it, which makes two models more for it and takes twice as long."""
    name = trigger.__name__
    try:
        schema = trigger.model_json_schema(ref_template="#/definitions/{model}")
    except PydanticInvalidForJsonSchema:  # Prefect leaves such a field open
        return generate_parameter_schema(Signature([check]), described)
    definitions = schema.pop("$defs", {})
    named_alike = any(other == name or other.endswith(f"__{name}") for other in definitions)
    if named_alike or check.name in described:
        return generate_parameter_schema(Signature([check]), described)
    property_ = {"$ref": f"#/definitions/{name}", "position": 0, "title": check.name}
    return ParameterSchema(
        title="Parameters",  # given, as a deployment has only what was
        type="object",
        properties={check.name: property_},
        required=[check.name],
        definitions={**definitions, name: schema},
    )


@cache
def _schema_of_settings() -> ParameterSchema:
    _, *settings = signature_of(Trigger).parameters.values()
    return generate_parameter_schema(Signature(settings), {})
