"""Pings of jobs outside Prefect, for the rules that wait for them (the trigger missed_pings)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import RowMapping

from sentinel_core.api.access import Signed
from sentinel_core.api.errors import ApiError
from sentinel_core.api.store import Store
from sentinel_core.model.ping import Key
from sentinel_core.store.record.pings import ping
from sentinel_core.store.state.rules import all_rules

_TRIGGER = "missed-pings"


def pings(store: Store) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.post("/ping/{key}")
    def receive(key: Key, by: Signed) -> Any:
        """Say that a job ran. 404 for a key that no rule waits for."""
        now = datetime.now(UTC)
        with store.writable() as engine:
            rules = waiting_for(key, all_rules(engine))
            if not rules:
                raise ApiError(
                    404,
                    "no-such-key",
                    f"no rule waits for pings of {key}: name it in the keys of a rule with the "
                    "trigger missed_pings, and deploy that",
                )
            count = ping(engine, key, by=by.name, now=now)
        return {"key": key, "at": now, "count": count, "rules": rules}

    return router


def waiting_for(key: str, rules: Sequence[RowMapping]) -> list[str]:
    """The names of the rules that wait for pings of this key."""
    return sorted(rule["name"] for rule in rules if key in _keys(rule))


def _keys(rule: RowMapping) -> Sequence[str]:
    check = rule["parameters"].get("check") if rule["trigger"] == _TRIGGER else None
    found = check.get("keys") if isinstance(check, dict) else None
    return found if isinstance(found, list) else []
