"""The rules, found by their names, and what they measured."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Engine, RowMapping

from sentinel_core.api.errors import ApiError
from sentinel_core.api.events import Text, Time, storable
from sentinel_core.api.store import Store
from sentinel_core.store.read.rule_history import rule_series
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.system_rule import DEPLOYMENT_ID
from sentinel_core.wording.text import flat

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable)]
_SHOWN = (
    "name",
    "category",
    "importance",
    "description",
    "trigger",
    "tags",
    "is_active",
    "cron",
    "interval_seconds",
    "timezone",
    "last_evaluated_at",
    "last_prefect_state",
    "last_prefect_sync",
)


class SeriesQuery(BaseModel):
    """Which values of a rule: of one ticker, the newest `limit` of a time."""

    model_config = ConfigDict(extra="forbid")

    ticker: Text | None = None
    since: Annotated[Time | None, Field(alias="from")] = None
    until: Time | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("from is not before until")
        return self


def rules(store: Store) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/rules")

    @router.get("")
    def read_rules() -> Any:
        """The rules as Prefect last described them, with their newest evaluation."""
        with store.opened() as engine:
            return {"rules": [{name: row[name] for name in _SHOWN} for row in all_rules(engine)]}

    @router.get("/{name}/series")
    def read_series(name: Name, query: Annotated[SeriesQuery, Query()]) -> Any:
        """What a rule measured, oldest first; without a ticker of the series that the page shows.

        `tickers` names the series that it has, at most 200.
        """
        with store.opened() as engine:
            [rule] = named(engine, [name]).values()
            found = rule_series(
                engine,
                rule["id"],
                ticker=query.ticker,
                since=query.since,
                until=query.until,
                limit=query.limit,
            )
        return {
            "rule": name,
            "ticker": found.ticker,
            "tickers": found.tickers,
            "points": [
                {"at": point.at, "triggered": point.triggered, "metrics": point.metrics}
                for point in found.points
            ],
        }

    return router


def named(engine: Engine, names: Sequence[str]) -> dict[str, RowMapping]:
    """The rules of these names, each once, in this order; all of them, or an error."""
    known: dict[str, list[RowMapping]] = {}
    for row in all_rules(engine):
        if row["deployment_id"] != DEPLOYMENT_ID:
            known.setdefault(row["name"], []).append(row)
    found: dict[str, RowMapping] = {}
    for name in names:
        mine = known.get(name, [])
        if not mine:
            raise ApiError(404, "no-such-rule", f"there is no rule {flat(name, 60)!r} on record")
        if len(mine) > 1:
            raise ApiError(409, "ambiguous", f"{len(mine)} rules are named {flat(name, 60)!r}")
        found[name] = mine[0]
    return found
