"""`sentinel sla list`: the SLAs that are watched, and whether they are kept."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.client.schemas.responses import DeploymentResponse
from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import SentinelError
from sentinel_core.cli.options import Json
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.store import event_store
from sentinel_core.model.sla import SlaKind, WatchedSla
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.rulefile.sla_rule import FLOW_NAME
from sentinel_core.wording.times import stamp

_SLAS: TypeAdapter[list[WatchedSla]] = TypeAdapter(list[WatchedSla])
_COLUMNS = ("deployment", "sla", "promise", "severity", "state", "checked", "rule")
_PROMISES = {
    SlaKind.TIME_TO_COMPLETION: "completes within",
    SlaKind.LATENESS: "starts within",
    SlaKind.FREQUENCY: "completes every",
}
_Rows = list[dict[str, Any]]
_States = Mapping[tuple[UUID, str], Mapping[str, Any]]


def list_slas(*, as_json: Json = False) -> None:
    """List the SLAs that are watched: what is promised, and whether it is kept.

    A state is kept, violated, not checked (Prefect has no such deployment), not evaluated yet,
    disabled or paused; times are in UTC. Without the event store the states are left out.
    """
    with prefect_api() as client:
        rules = [item for item, flow in all_deployments(client) if flow == FLOW_NAME]
    states: _States = {}
    note = None
    try:
        states = _states([item.id for item in rules]) if rules else {}
    except SentinelError as error:
        note = f"whether they are kept is not known: {error}"
    rows = [row for item in rules for row in _rows(item, states, known=note is None)]
    if as_json:
        print_json(rows)
    elif not rows:
        print("no SLAs are watched: `sentinel sla deploy` watches those of prefect.yaml")
    else:
        table = [[_cell(row[column]) for column in _COLUMNS] for row in rows]
        print_table(_COLUMNS, table, least=("rule", "checked"))
    if note:
        print(f"note: {note}", file=sys.stderr)


def _states(deployments: Sequence[UUID]) -> _States:
    """What is on record of each series, by rule and ticker."""
    from sentinel_core.store.read.series_state import series_of

    with event_store() as engine:
        found = series_of(engine, deployments)
    states: dict[tuple[UUID, str], dict[str, Any]] = {}
    for one in found:
        firing = one.status == "firing"
        if one.kind == "no_data" and firing:
            state = "not checked"
        elif one.kind == "alert":
            state = "violated" if firing else "kept"
        else:
            continue
        key = (one.deployment_id, one.ticker)
        if state == "not checked" or states.get(key, {}).get("state") != "not checked":
            states[key] = {"state": state, "checked": one.last_at}
    return states


def _rows(item: DeploymentResponse, states: _States, *, known: bool) -> _Rows:
    check = item.parameters.get("check")
    try:
        slas = _SLAS.validate_python(check.get("slas") if isinstance(check, dict) else None)
    except ValidationError:  # edited in Prefect's UI: its runs fail, and say why
        return []
    rows = []
    for sla in slas:
        found = states.get((item.id, sla.title), {})
        state = found.get("state", "not evaluated yet") if known else None
        if not sla.enabled:
            state = "disabled"
        elif item.paused:
            state = "paused"
        rows.append(
            {
                "deployment": sla.deployment,
                "sla": sla.name,
                "kind": sla.kind.name.lower(),
                "seconds": sla.limit,
                "promise": f"{_PROMISES[sla.kind]} {span(sla.limit)}",
                "severity": sla.severity.value,
                "importance": sla.severity.importance.value,
                "state": state,
                "checked": found.get("checked"),
                "rule": item.name,
            }
        )
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return one_line(value) if isinstance(value, str) else stamp(value, year=False, seconds=False)
