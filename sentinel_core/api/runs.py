"""Runs that operators start and cancel, in Prefect, signed by the token in the audit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from sentinel_core.api.access import Signed
from sentinel_core.api.rules import Name, named
from sentinel_core.api.store import Store
from sentinel_core.flow.operate import cancel_runs, run_now

MOST_RULES = 100


class Chosen(BaseModel):
    """Rules by their names."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[list[Name], Field(min_length=1, max_length=MOST_RULES)]


def runs(store: Store) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.post("/rules/run")
    def run_rules(given: Chosen, by: Signed) -> Any:
        """Start one run of each of these rules, a second apart."""
        return _run(store, given.rules, by.name)

    @router.post("/rules/{name}/run")
    def run_rule(name: Name, by: Signed) -> Any:
        """Start one run of a rule now."""
        return _run(store, [name], by.name)

    @router.post("/runs/cancel")
    def cancel(given: Chosen, by: Signed) -> Any:
        """Cancel the runs of these rules that run or should have begun. Later ones stay due."""
        with store.writable() as engine:
            wanted = _deployments(engine, given.rules)
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
        wanted = _deployments(engine, names)
        started = run_now(engine, list(wanted.values()), by=by, now=datetime.now(UTC))
    return {
        "started": [
            {"rule": name, "flow_run_id": run} for name, run in zip(wanted, started, strict=True)
        ]
    }


def _deployments(engine: Engine, names: Sequence[str]) -> dict[str, UUID]:
    return {name: rule["deployment_id"] for name, rule in named(engine, names).items()}
