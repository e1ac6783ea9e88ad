"""What was due of rules and deployments in some time, and what became of it.

The store says what was evaluated; of due times without an evaluation, Prefect says whether their
runs exist. Of people's own flows Prefect alone knows.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from sqlalchemy import Connection, Engine, RowMapping

from sentinel_core.decide.due import Limits, Outcome
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.run import Rule, Schedule
from sentinel_core.prefect_io.facts import is_rule, rule_facts, schedule_facts
from sentinel_core.report.account import (
    SCHEDULING,
    Account,
    Known,
    Span,
    State,
    Subject,
    account,
    done,
)
from sentinel_core.report.due_runs import (
    NOT_STARTED,
    due_runs,
    of_gap,
    of_prefect,
    pauses_by_rule,
    recorded,
    runs_due,
)
from sentinel_core.store.db.engine import reading
from sentinel_core.store.retention.evaluations import deleted_before
from sentinel_core.store.state import system_rule
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.watched import WATCHED

_SOON = timedelta(minutes=5)  # in which a deployment that is made comes to be on record

Deployed = tuple[DeploymentResponse, str]


def rule_accounts(
    client: SyncPrefectClient, engine: Engine, deployed: Iterable[Deployed], span: Span
) -> list[Account]:
    """The accounts of deployed rules, by the evaluations on record."""
    rows = {row["deployment_id"]: row for row in all_rules(engine)}
    with reading(engine) as connection:
        pauses = pauses_by_rule(connection, span)
    accounts = []
    for item, flow in deployed:
        if not is_rule(item):
            continue
        row = rows.get(item.id)
        with reading(engine) as connection:
            subject = _rule_subject(connection, item, rule_facts(item, flow), row, span)
            on_record = {} if row is None else recorded(connection, row["id"], span.since)
        made = account(subject, due_runs(on_record.values()), span)
        late: list[FlowRun] = []
        if subject.since > span.since:  # until shortly after that, only runs say what was due
            until = min(subject.since + SCHEDULING, span.until)
            late += runs_due(client, [item.id], span.since, until, NOT_STARTED).get(item.id, [])
        if missed := made.times(Outcome.MISSED):  # their runs may exist all the same
            late += runs_due(client, [item.id], missed[0], missed[-1]).get(item.id, [])
        if late:
            known = {run.id: of_gap(run, on_record.pop(run.id, None)) for run in late}
            made = account(subject, [*due_runs(on_record.values()), *known.values()], span)
        accounts.append(replace(made, pauses=pauses.get(subject.name, ())))
    return accounts


def removed_accounts(engine: Engine, deployed: Iterable[Deployed], span: Span) -> list[Account]:
    """The accounts of rules that were evaluated in this time and are no longer deployed."""
    there = {item.id for item, _ in deployed} | {system_rule.DEPLOYMENT_ID}
    accounts = []
    for row in all_rules(engine):
        if row["deployment_id"] in there or row["trigger"] == WATCHED:
            continue
        with reading(engine) as connection:
            runs = due_runs(recorded(connection, row["id"], span.since).values())
        if before := done(runs, span.since, span.until):
            name, state = row["name"], State.REMOVED
            accounts.append(Account(name, True, state, span.until, Known.CHANGED, before=before))
    return accounts


def deployment_accounts(
    client: SyncPrefectClient, deployed: Iterable[Deployed], span: Span
) -> list[Account]:
    """The accounts of deployments that are no rules, by the runs that Prefect has of them.

    Raises ReportError if these are more than can be read.
    """
    subjects = [
        _deployment_subject(item, flow, span) for item, flow in deployed if not is_rule(item)
    ]
    scheduled = [subject.id for subject in subjects if subject.schedules]
    runs = runs_due(client, scheduled, span.since, span.until)
    return [
        account(subject, [of_prefect(run) for run in runs.get(subject.id, ())], span)
        for subject in subjects
    ]


# -- what Prefect and the store say about a rule or a deployment ---------------------------


def _rule_subject(
    connection: Connection,
    item: DeploymentResponse,
    rule: Rule,
    row: RowMapping | None,
    span: Span,
) -> Subject:
    policy = rule.settings.policy
    schedules, state = _schedules(item)
    created = item.created or span.since
    moments = [(span.since, Known.WHOLE), (created, Known.DEPLOYED)]
    if row is not None:
        changed, first = row["changed_at"], row["first_seen_at"]
        now = [asdict(schedule) for schedule in rule.schedules], rule.active
        if now != (row["schedules"], row["is_active"]):  # reconcile has yet to see it
            moments.append((span.now, Known.CHANGED))
        elif changed > first:
            moments.append((changed, Known.CHANGED))
        elif first - created > _SOON:
            moments.append((first, Known.RECORDED))
        if (deleted := deleted_before(connection, row["id"])) is not None:
            moments.append((deleted, Known.DELETED))
    since, known = max(moments, key=lambda pair: pair[0])
    limits = Limits(policy.grace_seconds, policy.stale_seconds)
    return Subject(item.id, rule.name, schedules, state, since, known, True, limits)


def _deployment_subject(item: DeploymentResponse, flow: str, span: Span) -> Subject:
    schedules, state = _schedules(item)
    created = item.created or span.since
    moments = [(span.since, Known.WHOLE), (created, Known.DEPLOYED)]
    for schedule in item.schedules:
        changed = max(filter(None, (schedule.created, schedule.updated)), default=created)
        if changed - created > _SOON:
            moments.append((changed, Known.CHANGED))
    since, known = max(moments, key=lambda pair: pair[0])
    name = clean_text(f"{flow}/{item.name}")
    return Subject(item.id, name, schedules, state, since, known, False, Limits())


def _schedules(item: DeploymentResponse) -> tuple[tuple[Schedule, ...], State]:
    """The schedules in effect; of something paused, those that would be."""
    active = [schedule for schedule in item.schedules if schedule.active]
    if not item.schedules:
        return (), State.UNSCHEDULED
    is_paused = item.paused or not active
    chosen = active or item.schedules
    state = State.PAUSED if is_paused else State.ACTIVE
    return tuple(schedule_facts(item.schedule) for item in chosen), state
