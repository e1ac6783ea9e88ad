"""A part of a parameter schema refuses what the whole refuses."""

from typing import Any

import pytest
from prefect.utilities.schema_tools import validate

from flows.market import price_surge
from sentinel_core.rulefile.check_parameters import part_of

SCHEMA = price_surge.parameters.model_dump()
WRONG: dict[str, Any] = {
    "check": {"threshold": "90", "columns": {"price": 3}, "session": {"days": "often"}},
    "importance": "terrible",
    "display_duration_minutes": 0,
    "notify": {"critical": [{"channel": 3}], "low": "nobody"},
    "conditions": [{"window_seconds": "long"}, 7],
    "policy": {"cooldown_seconds": "x", "flapping": {"changes": []}},
    "on_open": [{"deployment": 1}],
    "templates": {"slack": 3},
    "unknown": {"a": 1},
}


def refused(given: dict[str, Any], schema: dict[str, Any]) -> list[tuple[object, ...]]:
    found = validate(given, schema, ignore_required=True)
    return sorted((error.json_path, error.message, str(error.validator)) for error in found)


@pytest.mark.parametrize("names", [[name] for name in WRONG] + [[], list(WRONG)], ids=str)
def test_a_part_of_the_schema_refuses_what_the_whole_does(names: list[str]) -> None:
    given = {name: WRONG[name] for name in names}
    assert refused(given, part_of(SCHEMA, given)) == refused(given, SCHEMA)


def test_wrong_values_are_refused_at_every_depth() -> None:
    """Or the comparison above compares nothing with nothing."""
    paths = {path for path, *_ in refused(WRONG, part_of(SCHEMA, WRONG))}
    assert {f"$.{name}" for name in WRONG} - {"$.unknown"} <= {
        ".".join(str(path).split("[")[0].split(".")[:2]) for path in paths
    }


def test_the_part_holds_what_its_parameters_refer_to_and_nothing_else() -> None:
    routes = part_of(SCHEMA, ["notify"])
    assert [*routes["properties"]] == ["notify"]
    assert {"Routes", "Route"} <= routes["definitions"].keys() < SCHEMA["definitions"].keys()
    assert "Policy" not in routes["definitions"]
    assert part_of(SCHEMA, ["category"])["definitions"] == {}
