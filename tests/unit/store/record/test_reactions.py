"""Reactions in the store: written with the event, claimed, settled, approved, and never lost."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, insert

from sentinel_core.model.reaction import ReactionCode
from sentinel_core.model.run import Run
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import REACTION
from sentinel_core.store.outbox import reaction_claims
from sentinel_core.store.outbox.reaction_claims import claim, due
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.react import approve
from sentinel_core.store.record.reaction_failure import record_outcome
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.retention.events import count_events, delete_events
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.state import rules, system_rule
from tests.support.runs import NOW, a_rule, a_run, a_silence, at, fired, quiet, rows, told
from tests.support.swarm import killed_at_statement

RETRAIN: dict[str, Any] = {
    "run": "retrain/nightly",
    "parameters": {"ticker": "{{ event.ticker }}", "event": "{{ event.id }}"},
}
DRIFT = a_rule("drift", on_open=[RETRAIN], policy={"flapping": None})
CAREFUL = a_rule("careful", on_open=[{**RETRAIN, "approval": True}], policy={"flapping": None})
MINUTE = timedelta(minutes=1)


def reactions(engine: Engine) -> list[dict[str, Any]]:
    return rows(engine, "reaction")


def audited(engine: Engine, *actions: str) -> list[tuple[str, str, int | None]]:
    found = rows(engine, "audit_entry")
    return [(r["actor"], r["action"], r["event_id"]) for r in found if r["action"] in actions]


def open_event(engine: Engine, rule: Any = DRIFT, minute: float = 0) -> int:
    [event_id] = told(engine, rule, a_run(minute), [fired()], at(minute)).opened
    return event_id


def test_a_reaction_is_written_with_its_event(engine: Engine) -> None:
    recorded = told(engine, DRIFT, a_run(0), [fired("A"), fired("B"), quiet("C")], at(0))
    found = reactions(engine)
    assert [row["id"] for row in found] == recorded.reactions == due(engine, at(0))
    assert [(row["event_id"], row["parameters"]) for row in found] == [
        (key, {"ticker": ticker, "event": key})
        for key, ticker in zip(recorded.opened, "AB", strict=True)
    ]
    assert {row["identity"] for row in found} == {"drift on_open: run retrain/nightly"}


def test_recording_a_run_again_adds_no_reaction(engine: Engine) -> None:
    run = a_run(0)
    for _ in range(2):
        told(engine, DRIFT, run, [fired()], at(0))
    assert len(reactions(engine)) == 1


def test_a_storm_starts_no_more_than_the_bound_and_says_so_of_each(engine: Engine) -> None:
    outputs = [fired(f"T{n:04}") for n in range(1_000)]
    recorded = told(engine, DRIFT, a_run(0), outputs, at(0))
    found = reactions(engine)
    assert (len(recorded.opened), len(found), len(recorded.reactions)) == (1_000, 1_000, 6)
    held = [row for row in found if row["code"] == ReactionCode.BOUND]
    assert len(held) == 994
    assert all("times_per_hour: 6" in row["sentence"] for row in held)
    assert {(row["status"], row["ended_at"]) for row in held} == {("skipped", at(0))}
    assert len(audited(engine, "reaction-not-started")) == 994
    later = told(engine, DRIFT, a_run(1), [fired("X")], at(1))
    assert later.reactions == []
    other = a_rule("other", on_open=[RETRAIN])  # has a bound of its own
    assert len(told(engine, other, a_run(1), [fired("X")], at(1)).reactions) == 1
    assert len(told(engine, DRIFT, a_run(61), [fired("Y")], at(61)).reactions) == 1


def test_a_process_killed_anywhere_leaves_both_or_neither(
    engine: Engine, database_url: str
) -> None:
    """Killed before each statement in turn: an event without its reaction is never on record."""
    outputs = [{"triggered": True, "ticker": "AAPL", "message": "up"}]
    run, number = a_run(0), 1
    while killed_at_statement(number, database_url, DRIFT, run, outputs):
        assert len(rows(engine, "alert_event")) == len(reactions(engine)) == 0
        number += 1
    assert number > 5
    assert len(rows(engine, "alert_event")) == len(reactions(engine)) == 1


def test_one_of_two_claims_it_and_a_claim_ends_with_its_lease(engine: Engine) -> None:
    open_event(engine)
    [key] = due(engine, at(1))
    first = claim(engine, key, at(1))
    assert first is not None
    assert claim(engine, key, at(1)) is None
    assert due(engine, at(2)) == []
    again = claim(engine, key, at(1) + reaction_claims.LEASE)
    assert again is not None
    assert (again.attempt, again.key) == (2, first.key)


def test_what_was_started_is_not_started_again(engine: Engine) -> None:
    event_id = open_event(engine)
    [key] = due(engine, at(1))
    first = claim(engine, key, at(1))
    second = claim(engine, key, at(5))
    assert first is not None
    assert second is not None
    run = uuid4()
    reaction_claims.started(engine, second, run, "brave-otter", at(5))
    reaction_claims.started(engine, first, uuid4(), "late", at(6))
    [row] = reactions(engine)
    assert (row["status"], row["flow_run_id"], row["flow_run_name"]) == (
        "started",
        run,
        "brave-otter",
    )
    assert due(engine, at(60)) == []
    assert audited(engine, "reaction-started") == [("sentinel", "reaction-started", event_id)]


def test_an_attempt_that_failed_is_made_again_later(engine: Engine) -> None:
    open_event(engine)
    [key] = due(engine, at(1))
    claimed = claim(engine, key, at(1))
    assert claimed is not None
    reaction_claims.postponed(engine, claimed, "Prefect does not answer", at(1))
    assert due(engine, at(1)) == []
    assert due(engine, at(2)) == [key]


def test_the_end_of_its_run_is_written_once(engine: Engine) -> None:
    event_id = open_event(engine)
    start(engine, at(1), uuid4())
    [row] = reaction_claims.running(engine)
    for _ in range(2):
        reaction_claims.ended(engine, row, ("COMPLETED", "Completed"), None, at(3), at(4))
    [row] = reactions(engine)
    assert (row["status"], row["run_state_name"], row["ended_at"]) == ("ended", "Completed", at(3))
    assert audited(engine, "reaction-ended") == [("sentinel", "reaction-ended", event_id)]


def start(engine: Engine, now: datetime, run: UUID) -> int:
    [key] = due(engine, now)
    claimed = claim(engine, key, now)
    assert claimed is not None
    reaction_claims.started(engine, claimed, run, "brave-otter", now)
    return key


# -- approval -------------------------------------------------------------------------------------


def test_an_approval_starts_it_acknowledges_and_is_audited(engine: Engine) -> None:
    event_id = open_event(engine, CAREFUL)
    assert due(engine, at(1)) == []
    result = approve(engine, [event_id, 4_711], by="ana", comment="go", now=at(1))
    assert (result.events.done, result.events.missing) == ((event_id,), (4_711,))
    assert result.reactions == ("careful on_open: run retrain/nightly",)
    [row] = reactions(engine)
    assert (row["status"], row["approved_by"], row["approved_at"]) == ("pending", "ana", at(1))
    assert due(engine, at(1)) == [row["id"]]
    [event] = rows(engine, "alert_event")
    assert (event["acknowledged_by"], event["comment"]) == ("ana", "go")
    assert audited(engine, "approved", "acknowledged") == [
        ("ana", "approved", event_id),
        ("ana", "acknowledged", event_id),
    ]


def test_a_second_approval_changes_nothing(engine: Engine) -> None:
    event_id = open_event(engine, CAREFUL)
    approve(engine, [event_id], by="ana", now=at(1))
    again = approve(engine, [event_id], by="ben", now=at(2))
    assert (again.events.done, again.events.already) == ((), (event_id,))
    assert reactions(engine)[0]["approved_by"] == "ana"


def test_an_acknowledgement_alone_approves_nothing(engine: Engine) -> None:
    event_id = open_event(engine, CAREFUL)
    acknowledge(engine, [event_id], by="ben", now=at(1))
    assert due(engine, at(1)) == []
    approve(engine, [event_id], by="ana", now=at(2))
    assert len(due(engine, at(2))) == 1
    assert rows(engine, "alert_event")[0]["acknowledged_by"] == "ben"


def test_an_approval_needs_a_name(engine: Engine) -> None:
    event_id = open_event(engine, CAREFUL)
    with pytest.raises(ValueError, match="say who approves"):
        approve(engine, [event_id], by=" ", now=at(1))


def test_what_nobody_approved_lapses_with_the_event(engine: Engine) -> None:
    event_id = open_event(engine, CAREFUL)
    assert reaction_claims.lapse_approvals(engine, at(1)) == 0
    told(engine, CAREFUL, a_run(2), [quiet()], at(2))
    assert reaction_claims.lapse_approvals(engine, at(3)) == 1
    [row] = reactions(engine)
    assert (row["status"], row["code"]) == ("skipped", ReactionCode.EVENT_ENDED)
    assert approve(engine, [event_id], by="ana", now=at(4)).events.done == ()
    assert audited(engine, "reaction-not-started") == [
        ("sentinel", "reaction-not-started", event_id)
    ]


def test_a_reaction_to_the_end_still_waits_after_it(engine: Engine) -> None:
    rule = a_rule("end", on_resolve=[{**RETRAIN, "approval": True}])
    event_id = open_event(engine, rule)
    told(engine, rule, a_run(2), [quiet()], at(2))
    assert reaction_claims.lapse_approvals(engine, at(3)) == 0
    assert approve(engine, [event_id], by="ana", now=at(4)).events.done == (event_id,)


# -- what people do -------------------------------------------------------------------------------


def test_an_end_by_hand_is_reacted_to_with_the_rule_on_record(engine: Engine) -> None:
    reaction = {"run": "a/end", "parameters": {"t": "{{ event.ticker }}", "by": "{{ event.rule }}"}}
    rule = a_rule("hand", on_resolve=[reaction])
    rule = type(rule)(**{**rule_fields(rule), "parameters": {"on_resolve": [reaction]}})
    rules.sync(engine, [rule], at(0))
    event_id = open_event(engine, rule)
    resolve(engine, [event_id], by="ana", now=at(2))
    [row] = reactions(engine)
    assert (row["occasion"], row["target"], row["parameters"]) == (
        "resolve",
        "a/end",
        {"t": "AAPL", "by": "hand"},
    )
    resolve(engine, [event_id], by="ana", now=at(3))
    assert len(reactions(engine)) == 1


def rule_fields(rule: Any) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in type(rule).__dataclass_fields__}


def test_a_silenced_event_says_that_its_reaction_was_not_started(engine: Engine) -> None:
    muted = a_silence(0, 60, matchers={"rule": "drift"})
    silences.create(engine, muted, now=at(0))
    open_event(engine, DRIFT, 1)
    [row] = reactions(engine)
    assert (row["status"], row["code"]) == ("skipped", ReactionCode.MUTED)
    assert row["sentence"].startswith("the event is muted: silenced by ana")


# -- loops ----------------------------------------------------------------------------------------


def test_an_event_about_the_run_that_a_reaction_started_is_a_loop(engine: Engine) -> None:
    first = open_event(engine)
    run = uuid4()
    key = start(engine, at(1), run)
    seen = fired("B", metadata={"runs": [{"id": str(run)}, {"id": str(uuid4())}]})
    told(engine, DRIFT, a_run(2), [seen], at(2))
    [_, row] = reactions(engine)
    assert (row["status"], row["code"]) == ("skipped", ReactionCode.LOOP)
    assert f"reaction {key} of event {first} started" in row["sentence"]


def test_a_rule_that_a_reaction_runs_does_not_run_itself_for_ever(engine: Engine) -> None:
    open_event(engine)
    run = a_run(2)
    start(engine, at(1), run.id)
    told(engine, DRIFT, run, [fired("B")], at(2))
    assert reactions(engine)[1]["code"] == ReactionCode.LOOP


def test_a_loop_over_two_rules_is_named(engine: Engine) -> None:
    other = a_rule("failures", on_open=[{"run": "repair/now"}])
    open_event(engine)
    first, second = uuid4(), uuid4()
    start(engine, at(1), first)
    told(engine, other, a_run(2), [fired("x", metadata={"run_id": str(first)})], at(2))
    start(engine, at(3), second)
    told(engine, DRIFT, a_run(4), [fired("y", metadata={"run_id": str(second)})], at(4))
    steps = [row["identity"] for row in reactions(engine)]
    assert reactions(engine)[1]["chain"] == steps[:2]
    assert reactions(engine)[2]["sentence"].startswith(f"a loop: {' → '.join(steps)} (")


def test_a_reaction_without_the_values_it_asks_for_is_claimed_and_says_which(
    engine: Engine,
) -> None:
    """Where it is claimed, its failure becomes an event."""
    asks = {"run": "retrain/nightly", "parameters": {"drift": "{{ event.metrics.drift }}"}}
    open_event(engine, a_rule("asks", on_open=[asks]))
    [row] = reactions(engine)
    assert (row["status"], row["code"], row["ended_at"]) == ("pending", "parameters", None)
    claimed = a_claim(engine)
    assert (claimed.code, claimed.sentence) == (
        "parameters",
        "not started: the event has no value event.metrics.drift",
    )


def test_evidence_without_readable_ids_is_no_cause(engine: Engine) -> None:
    told(engine, DRIFT, a_run(0), [fired("B", metadata={"run_id": "nonsense"})], at(0))
    assert reactions(engine)[0]["status"] == "pending"


# -- failures -------------------------------------------------------------------------------------


def failures(engine: Engine) -> list[dict[str, Any]]:
    return rows(engine, "alert_event", rule_name=system_rule.REACTIONS)


def test_a_failure_is_an_event_for_whom_the_rule_notifies(engine: Engine) -> None:
    rule = type(DRIFT)(**{**rule_fields(DRIFT), "parameters": {"notify": {"high": ["a-b/c"]}}})
    rules.sync(engine, [rule], at(0))
    event_id = open_event(engine, rule)
    key = start(engine, at(1), uuid4())
    recorded = record_outcome(engine, key, "its run ended as Failed.", at(2))
    [event] = failures(engine)
    assert recorded.opened == [event["id"]]
    assert event["ticker"] == "drift on_open: run retrain/nightly"
    assert f"started about event {event_id}: its run ended as Failed." in event["message"]
    assert (event["kind"], event["importance"]) == ("failure", "high")
    [notification] = rows(engine, "notification", event_id=event["id"])
    assert notification["channel"] == "a-b/c"


def test_a_success_ends_the_event_of_the_failure(engine: Engine) -> None:
    open_event(engine)
    key = start(engine, at(1), uuid4())
    assert record_outcome(engine, key, "", at(2)).opened == []
    assert failures(engine) == []
    record_outcome(engine, key, "its run ended as Failed.", at(2))
    record_outcome(engine, key, "its run ended as Failed.", at(3))
    [event] = failures(engine)
    assert event["occurrences"] == 2
    record_outcome(engine, key, "", at(4))
    assert failures(engine)[0]["resolved_at"] == at(4)


def test_sentinels_own_rule_is_never_taken_for_a_removed_one(engine: Engine) -> None:
    open_event(engine)
    key = start(engine, at(1), uuid4())
    record_outcome(engine, key, "its run ended as Failed.", at(2))
    assert [row["name"] for row in rules.rules_with_open_events(engine)] == ["drift"]


# -- reading and deleting -------------------------------------------------------------------------


def test_an_event_is_shown_with_its_reactions(engine: Engine) -> None:
    event_id = open_event(engine)
    detail = event_detail(engine, event_id)
    assert detail is not None
    assert [row["identity"] for row in detail.reactions] == ["drift on_open: run retrain/nightly"]


def test_reactions_go_with_their_event_once_they_are_over(engine: Engine) -> None:
    open_event(engine, a_rule("drift", notify={}, on_open=[RETRAIN]))
    run: Run = a_run(2)
    told(engine, a_rule("drift", notify={}, on_open=[RETRAIN]), run, [quiet()], at(2))
    with writing(engine) as connection:
        connection.execute(rows_of("evaluation").delete())
    delete_events(engine, NOW, Pace(sleep=lambda _: None), lambda *_: None)
    assert len(reactions(engine)) == 1
    start(engine, at(3), uuid4())
    [row] = reaction_claims.running(engine)
    reaction_claims.ended(engine, row, ("COMPLETED", "Completed"), None, at(4), at(4))
    with writing(engine) as connection:
        assert count_events(connection, NOW)[0] == 1
    delete_events(engine, NOW, Pace(sleep=lambda _: None), lambda *_: None)
    assert reactions(engine) == []


def rows_of(name: str) -> Any:
    return REACTION.metadata.tables[name]


def test_the_database_itself_keeps_a_reaction_from_being_written_twice(engine: Engine) -> None:
    open_event(engine)
    [row] = reactions(engine)
    copy = {key: value for key, value in row.items() if key != "id"}
    with pytest.raises(Exception, match=r"(?i)unique"), writing(engine) as connection:
        connection.execute(insert(REACTION), [copy])


def a_claim(engine: Engine) -> reaction_claims.ClaimedReaction:
    """The first reaction that is due, claimed at once."""
    claimed = claim(engine, due(engine, at(0))[0], at(0))
    assert claimed is not None
    return claimed


def test_a_reaction_that_can_t_be_started_has_failed_and_says_why(engine: Engine) -> None:
    event = open_event(engine)
    claimed = a_claim(engine)
    sentence = "there is no deployment retrain/nightly"
    refused = (claimed, ReactionCode.DEPLOYMENT_MISSING, sentence)
    reaction_claims.refused(engine, *refused, at(1))
    [row] = reactions(engine)
    known = ("status", "code", "sentence", "ended_at", "claimed_at", "flow_run_id")
    assert [row[name] for name in known] == [
        "failed",
        "deployment-missing",
        sentence,
        at(1),
        None,
        None,
    ]
    [entry] = rows(engine, "audit_entry", action="reaction-failed")
    assert (entry["event_id"], entry["at"]) == (event, at(1))
    assert entry["detail"] == {"reaction": claimed.identity, "reason": sentence}
    reaction_claims.refused(engine, *refused, at(2))  # it is settled
    assert reactions(engine) == [row]
    assert due(engine, at(60)) == []


def test_what_is_claimed_carries_what_is_to_be_done(engine: Engine) -> None:
    event = open_event(engine)
    claimed = a_claim(engine)
    [row] = reactions(engine)
    assert (claimed.event_id, claimed.identity) == (event, "drift on_open: run retrain/nightly")
    assert (claimed.action, claimed.target) == ("run", "retrain/nightly")
    assert claimed.parameters == {"ticker": "AAPL", "event": event}
    assert (claimed.attempt, claimed.claimed_at) == (1, at(0))
    assert claimed.key == f"sentinel/{row['created_at'].isoformat()}/{row['id']}"
    assert (claimed.failed_state_id, claimed.flow_run_id) == (None, None)
    assert claim(engine, claimed.id, at(1)) is None


def test_the_failed_run_that_is_to_be_retried_is_written_before_it_is(engine: Engine) -> None:
    open_event(engine)
    other = told(engine, DRIFT, a_run(1), [fired("B")], at(1)).opened
    claimed, run, state = a_claim(engine), uuid4(), uuid4()
    reaction_claims.note_failed_state(engine, claimed, run, state)
    found = {
        row["event_id"]: (row["flow_run_id"], row["failed_state_id"]) for row in reactions(engine)
    }
    assert found == {claimed.event_id: (run, state), other[0]: (None, None)}
    again = claim(engine, claimed.id, at(0) + reaction_claims.LEASE)
    assert again is not None
    assert (again.attempt, again.flow_run_id, again.failed_state_id) == (2, run, state)


def test_a_reaction_without_a_run_has_ended_when_it_was_started(engine: Engine) -> None:
    event = open_event(engine)
    claimed = a_claim(engine)
    reaction_claims.started(engine, claimed, None, None, at(1))
    [row] = reactions(engine)
    known = ("status", "started_at", "ended_at", "claimed_at", "flow_run_id")
    assert [row[name] for name in known] == ["ended", at(1), at(1), None, None]
    [entry] = rows(engine, "audit_entry", action="reaction-started")
    assert (entry["event_id"], entry["detail"]) == (event, {"reaction": claimed.identity})


def test_the_run_of_a_reaction_is_on_record_from_its_start_to_its_end(engine: Engine) -> None:
    event, run = open_event(engine), uuid4()
    claimed = a_claim(engine)
    reaction_claims.started(engine, claimed, run, "brave-otter", at(1))
    [row] = reaction_claims.running(engine)
    assert (row["flow_run_id"], row["flow_run_name"], row["ended_at"]) == (run, "brave-otter", None)
    state = ("FAILED", "TimedOut")
    reaction_claims.ended(engine, row, state, ReactionCode.RUN_FAILED, at(5), at(6))
    assert reaction_claims.running(engine) == []
    [row] = reactions(engine)
    known = ("status", "run_state", "run_state_name", "code", "ended_at")
    assert [row[name] for name in known] == ["ended", *state, "run-failed", at(5)]
    entries = [
        (entry["action"], entry["event_id"], entry["at"], entry["detail"])
        for entry in rows(engine, "audit_entry")
        if entry["action"] in ("reaction-started", "reaction-ended")
    ]
    about = {"reaction": claimed.identity, "run": str(run)}
    assert entries == [
        ("reaction-started", event, at(1), about),
        ("reaction-ended", event, at(6), {**about, "state": "TimedOut"}),
    ]
