"""The columns of a table, against those that were last accepted. Decides nothing about events."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.wording.text import counted
from triggers.sources.checked import SourceCheck
from triggers.sources.errors import SourceError
from triggers.sources.table import Table

_MOST_PAST = 1_000
_MOST_COLUMNS = 1_000
_MOST_SAID = 10

Schema = Sequence[Sequence[str]]
"""Name and type of each column, in order."""


class SchemaChange(SourceCheck):
    """Columns were added, removed or changed since somebody last accepted them.

    The first check accepts what it meets. After a change, acknowledging the event accepts the new
    columns, and the next check ends it.
    """

    display_name: ClassVar[str] = "Schema change"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"

    types: bool = Field(True, description="a column of another type is a change")
    order: bool = Field(False, description="columns in another order are a change")

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output. Raises HistoryUnavailableError when the accepted columns can't be read."""
        schema = [[column.name, column.type] for column in table.columns]
        if not schema:
            raise SourceError("there are no columns")
        if len(schema) > _MOST_COLUMNS:
            raise SourceError(f"there are {len(schema):,} columns, more than {_MOST_COLUMNS:,}")
        names = [name for name, _ in schema]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SourceError(f"has more than one column {twice[0]!r}")
        return [self.evaluate(schema, history.latest(_MOST_PAST, self.dataset))]

    def evaluate(self, schema: Schema, past: Sequence[PastEvaluation]) -> AlertOutput:
        """The verdict on a schema; `past` is newest first. Pure."""
        accepted = accepted_schema(past)
        changes = self.changes(accepted, schema) if accepted is not None else {}
        said = "; ".join(f"{what}: {_listed(names)}" for what, names in changes.items() if names)
        number = sum(len(names) for names in changes.values())
        columns = counted(len(schema), "column")
        if accepted is None:
            message = f"{self.named}{columns}, accepted as they are: the first check"
        elif number:
            message = f"{self.named}the columns have changed. {said}. Acknowledge to accept them"
        else:
            message = f"{self.named}{columns}, as accepted"
        return AlertOutput(
            triggered=number > 0,
            ticker=self.dataset,
            message=message,
            suggestion="Correct what writes the data, or acknowledge the event to accept the "
            "new columns."
            if number
            else "",
            metrics={"value": number, "columns": len(schema)},
            metadata={
                "schema": [list(column) for column in schema],
                "accepted": [list(column) for column in accepted] if number and accepted else None,
                "changes": changes,
            },
        )

    def changes(self, before: Schema, now: Schema) -> dict[str, list[str]]:
        """What differs, by the kind of change."""
        old = {name: kind for name, kind in before}  # noqa: C416 - pairs that JSON made lists
        new = {name: kind for name, kind in now}  # noqa: C416
        common = [name for name in old if name in new]
        retyped = [
            f"{name} {old[name]} → {new[name]}"
            for name in common
            if self.types and old[name] != new[name]
        ]
        moved = [name for name in new if name in old]
        return {
            "added": [name for name in new if name not in old],
            "removed": [name for name in old if name not in new],
            "type": retyped,
            "order": moved if self.order and moved != common else [],
        }


def accepted_schema(past: Sequence[PastEvaluation]) -> Schema | None:
    """The newest schema that was accepted: by the check itself, or by an acknowledgement."""
    for one in past:
        schema = _schema_of(one.metadata)
        if schema is not None and (not one.triggered or one.acknowledged):
            return schema
    return None


def _schema_of(metadata: Mapping[str, Any]) -> Schema | None:
    schema = metadata.get("schema")
    return schema if isinstance(schema, list) and schema else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SAID} more" if len(names) > _MOST_SAID else ""
    return ", ".join(names[:_MOST_SAID]) + more
