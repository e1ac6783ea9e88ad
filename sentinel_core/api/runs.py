"""Runs that operators start and cancel, in Prefect, signed by the token in the audit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from sentinel_core.api.access import Signed
from sentinel_core.api.errors import ApiError
from sentinel_core.api.events import storable
from sentinel_core.api.store import Store
from sentinel_core.flow.operate import cancel_runs, run_now
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.system_rule import DEPLOYMENT_ID
from sentinel_core.wording.text import flat

MOST_RULES = 100
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable)]


class Rules(BaseModel):
    """Rules by their names."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[list[Name], Field(min_length=1, max_length=MOST_RULES)]


def runs(store: Store) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.post("/rules/run")
    def run_rules(given: Rules, by: Signed) -> Any:
        """Start one run of each of these rules, a second apart."""
        return _run(store, given.rules, by.name)

    @router.post("/rules/{name}/run")
    def run_rule(name: Name, by: Signed) -> Any:
        """Start one run of a rule now."""
        return _run(store, [name], by.name)

    @router.post("/runs/cancel")
    def cancel(given: Rules, by: Signed) -> Any:
        """Cancel the runs of these rules that run or should have begun. Later ones stay due."""
        with store.writable() as engine:
            wanted = deployments(engine, given.rules)
            found = cancel_runs(engine, wanted, by=by.name, now=datetime.now(UTC))
        return {
            "cancelled": [
                {"rule": name, "flow_run_ids": done.cancelled, "refused": done.refused}
                for name, done in found.items()
            ]
        }

    return router


def _run(store: Store, names: Sequence[str], by: str) -> dict[str, Any]:
    with store.writable() as engine:
        wanted = deployments(engine, names)
        started = run_now(engine, list(wanted.values()), by=by, now=datetime.now(UTC))
    return {
        "started": [
            {"rule": name, "flow_run_id": run} for name, run in zip(wanted, started, strict=True)
        ]
    }


def deployments(engine: Engine, names: Sequence[str]) -> dict[str, UUID]:
    """The deployments of these rules, each once, in this order; all of them, or an error."""
    known: dict[str, list[UUID]] = {}
    for row in all_rules(engine):
        if row["deployment_id"] != DEPLOYMENT_ID:
            known.setdefault(row["name"], []).append(row["deployment_id"])
    found: dict[str, UUID] = {}
    for name in names:
        mine = known.get(name, [])
        if not mine:
            shown = flat(name, 60)
            raise ApiError(404, "no-such-rule", f"there is no rule {shown!r} on record")
        if len(mine) > 1:
            raise ApiError(409, "ambiguous", f"{len(mine)} rules are named {flat(name, 60)!r}")
        found[name] = mine[0]
    return found
