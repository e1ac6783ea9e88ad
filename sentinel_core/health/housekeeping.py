"""The flows that Sentinel itself needs: deployed, not paused, and run on time."""

from datetime import datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from sqlalchemy import Engine, select

from sentinel_core.base.settings import Settings
from sentinel_core.flow import opening
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.health.installation import Installation
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.prefect_io.due import schedule_status
from sentinel_core.prefect_io.facts import schedule_facts
from sentinel_core.prefect_io.latest_runs import newest_runs
from sentinel_core.rulefile.check_housekeeping import NEEDED, WITHOUT
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import explained
from sentinel_core.store.db.tables import IDENTITY
from sentinel_core.store.state.rules import RECONCILE, checkpoint
from sentinel_core.wording.text import flat
from sentinel_core.wording.times import moment

COMPONENT = "housekeeping"
_finding = Reporter(COMPONENT)
PATIENCE = timedelta(minutes=10)  # reconcile runs every minute
FIRST_RECONCILE = timedelta(minutes=3)  # from a new store until reconcile has run
_OPTIONAL = "daily-report"
_SEVERAL = 3  # runs that failed in a row are no accident


def look(installation: Installation) -> list[Finding]:
    """The findings on each of Sentinel's own flows."""
    found: list[Finding] = []
    deployed = [one for one in installation.deployed() if not one.is_rule]
    with prefect_api() as client:
        for flow in WITHOUT:
            mine = [one.item for one in deployed if one.flow_name == flow]
            if not mine:
                found.append(_missing(flow))
            found += [_look_at(client, flow, item, installation.now) for item in mine]
    return found


def _missing(flow: str) -> Finding:
    sentence = f"not deployed: {WITHOUT[flow]}"
    if flow == _OPTIONAL:
        return _finding(flow, State.OK, sentence)
    state = State.DOWN if flow in NEEDED else State.DEGRADED
    advice = f"add a deployment of the flow {flow} to prefect.yaml and run `sentinel rules deploy`"
    return _finding(flow, state, sentence, advice)


def _look_at(
    client: SyncPrefectClient, flow: str, item: DeploymentResponse, now: datetime
) -> Finding:
    runs = newest_runs(client, item.id, _SEVERAL)
    last = runs[0] if runs else None
    at = (last.start_time or last.expected_start_time) if last else None
    data = {
        "deployment": item.name,
        "last_run": at,
        "last_state": last.state_name if last else None,
        "last_message": flat(last.state.message or "", 500) if last and last.state else None,
    }
    bad = State.DOWN if flow in NEEDED else State.DEGRADED
    active = [schedule for schedule in item.schedules if schedule.active]
    if item.paused or not active:
        why = "paused" if item.paused or item.schedules else "without a schedule"
        advice = f"sentinel rules resume {item.name}"
        if not item.schedules:
            advice = "give it a schedule in prefect.yaml and run `sentinel rules deploy`"
        return _finding(flow, bad, f"{why}: {WITHOUT[flow]}", advice, **data)
    changed = [schedule.updated for schedule in active] + [item.created]
    since = max(
        time for time in [last.expected_start_time if last else None, *changed] if time is not None
    )
    status = schedule_status([schedule_facts(one.schedule) for one in active], since, now, None)
    if status.overdue:
        words = _run_words(last, at) if last else "never run"
        return _finding(
            flow,
            bad,
            f"{words}, and {flat(status.sentence, 200)}: {WITHOUT[flow]}",
            "see whether its work pool has a worker, and its late runs in Prefect",
            **data,
        )
    if last is None:
        return _finding(flow, State.OK, "not run yet, and not due", **data)
    if _failed(last):
        return _finding(
            flow,
            bad if len(runs) == _SEVERAL and all(map(_failed, runs)) else State.DEGRADED,
            f"{_run_words(last, at)}: {data['last_message'] or 'no reason given'}",
            "see the run's log in Prefect",
            **data,
        )
    return _finding(flow, State.OK, _run_words(last, at), **data)


def _failed(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_failed() or run.state.is_crashed())


def _run_words(last: FlowRun, at: datetime | None) -> str:
    state = flat(last.state_name or "unknown", 40).lower()
    return f"last run {moment(at)}, {state}" if at else f"last run {state}"


def look_at_record(settings: Settings, now: datetime) -> list[Finding]:
    """The age of the time up to which every ended run is on record."""
    url = settings.database_url
    with explained(url):
        engine, _ = opening.look(url)
        if engine is None:
            sentence = "not checked, as there is no event store"
            advice = "see what is said about the store"
            return [_finding("record", State.UNKNOWN, sentence, advice)]
        at = checkpoint(engine, RECONCILE)
        made = _made_at(engine)
    if at is None and made is not None and now - made <= FIRST_RECONCILE:
        return [_finding("record", State.OK, "nothing yet: the store has just been made")]
    if at is None:
        sentence = "no reconcile has recorded its work in this store yet"
        return [_finding("record", State.UNKNOWN, sentence, "run `sentinel reconcile`")]
    sentence = f"every run that ended before {moment(at)} is on record"
    if now - at > PATIENCE:
        minutes = (now - at).total_seconds() // 60
        return [
            _finding(
                "record",
                State.DOWN,
                f"{sentence}; of the {minutes:,.0f} minutes since then that is not known",
                "see the runs of reconcile in Prefect, or run `sentinel reconcile`",
                recorded_until=at,
            )
        ]
    return [_finding("record", State.OK, sentence, recorded_until=at)]


def _made_at(engine: Engine) -> datetime | None:
    with reading(engine) as connection:
        return connection.scalar(select(IDENTITY.c.created_at))
