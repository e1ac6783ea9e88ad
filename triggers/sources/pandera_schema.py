"""A pandera schema of the team's own as the rules of a table. Pandera is an extra (`[data]`)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from triggers.sources.errors import SourceError

_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """The rows in which cells break a schema, by column; and what is wrong with the whole table."""

    cells: dict[str, Sequence[int]] = field(default_factory=dict)
    faults: Sequence[str] = ()


def schema_at(path: str) -> Any:
    """The schema that an import path `package.module:name` leads to. Raises SourceError."""
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SourceError(
            f"there is no pandera schema {path}: {error}; give package.module:name, importable "
            "where the check runs"
        ) from error
    if not callable(getattr(found, "validate", None)):
        raise SourceError(f"{path} is {type(found).__name__}, not a pandera schema or model")
    return found


def broken_cells(path: str, frame: Any, columns: Sequence[str]) -> Broken:
    """The cells of a pandas frame that break a schema, by their position."""
    try:
        from pandera.errors import SchemaErrors
    except ImportError as error:
        raise SourceError(
            "pandera is not installed where the check runs: pip install 'prefect-sentinel[data]'"
        ) from error
    schema = schema_at(path)
    frame = frame.reset_index(drop=True)
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        return _broken(error.failure_cases, columns)
    return Broken()


def _broken(cases: Any, columns: Sequence[str]) -> Broken:
    cells: dict[str, set[int]] = {}
    faults: list[str] = []
    for case in cases.to_dict("records"):
        column, row = case.get("column"), case.get("index")
        if column in columns and row is not None and row == row:  # NaN: of no row  # noqa: PLR0124
            cells.setdefault(str(column), set()).add(int(row))
        else:
            what = column or case.get("failure_case") or case.get("schema_context")
            faults.append(f"{what}: {case.get('check')}")
    found = list(dict.fromkeys(faults))[:_MOST_FAULTS]
    return Broken({name: sorted(rows) for name, rows in cells.items()}, found)
