"""Pruning on both databases: what goes, what must stay, and that nothing is recorded twice."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from sentinel_core.base.settings import Settings
from sentinel_core.flow.reconcile import OVERLAP
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import AUDIT, HOUR, NOTIFICATION, RULE
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.retention import cutoffs
from sentinel_core.store.retention.cutoffs import Periods
from sentinel_core.store.retention.evaluations import deleted_before
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import Pruned, prune, would_prune
from sentinel_core.store.state.rules import RECONCILE, RETENTION, checkpoint, set_checkpoint, sync
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, snapshot, told

DAY = 24 * 60
RULE_A = a_rule()
KEPT = Periods.of(Settings())
LATER = at(60 * DAY)


@pytest.fixture(autouse=True)
def _few_runs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the rules ran often: otherwise each test would need more than a hundred runs."""
    monkeypatch.setattr(cutoffs, "LATEST_RUNS", 2)


def pruned(engine: Engine, now: datetime = LATER, periods: Periods = KEPT, **given: Any) -> Pruned:
    """A pruning that does not wait, after a reconcile."""
    set_checkpoint(engine, RECONCILE, now)
    return prune(engine, periods, now, pace=Pace(sleep=lambda _: None, **given))


def ran(engine: Engine, minute: float, *outputs: Any, rule: Rule = RULE_A, **given: Any) -> Any:
    """A run, recorded when it ended."""
    run = a_run(minute, **given)
    return told(engine, rule, run, list(outputs) or None, now=run.state_at)


def hours(engine: Engine, **where: Any) -> list[dict[str, Any]]:
    """The rows of deleted evaluations."""
    with reading(engine) as connection:
        statement = select(HOUR).filter_by(**where).order_by(*HOUR.primary_key)
        return [dict(row) for row in connection.execute(statement).mappings()]


def recent_runs(engine: Engine, rule: Rule = RULE_A) -> None:
    """Two runs just before the cutoff, which stay with it, and one of the last days."""
    for day in (28, 29, 59):
        ran(engine, day * DAY, quiet("RECENT"), rule=rule)


def test_old_evaluations_become_one_row_an_hour(engine: Engine) -> None:
    ran(engine, 0, quiet("A"))  # the first one stays
    for minute, value in ((60, 1.0), (70, 5.0), (80, 3.0), (120, 7.0)):
        ran(engine, minute, quiet("A", metrics={"value": value}))
    ran(engine, 90, fired("A", metrics={}))
    ran(engine, 100, state="FAILED")
    recent_runs(engine)
    done = pruned(engine)
    assert done.rows["evaluation"] == 6
    assert len(rows(engine, "evaluation")) == 1 + 3
    summary = hours(engine, kind="alert", hour=at(60), metric="value")[0]
    del summary["rule_id"]
    assert summary == {
        "hour": at(60),
        "kind": "alert",
        "ticker": "A",
        "metric": "value",
        "count": 3,
        "triggered": 0,
        "ok": 0,
        "errors": 0,
        "minimum": 1.0,
        "maximum": 5.0,
        "average": 3.0,
        "last": 3.0,
        "last_at": at(80),
    }
    counts = ("count", "triggered", "ok", "errors")
    [alerts] = hours(engine, kind="alert", hour=at(60), metric="")
    assert [alerts[name] for name in counts] == [4, 1, 3, 0]
    [failures] = hours(engine, kind="failure", hour=at(60), metric="")
    assert [failures[name] for name in counts] == [1, 0, 0, 1]


def test_pruning_in_the_smallest_parts_gives_the_same_hours(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinel_core.store.retention.pace.adapted", lambda *_: 1)
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A", metrics={"value": minute}), quiet("B"))
    recent_runs(engine)
    pruned(engine, size=1)
    [hour] = hours(engine, ticker="A", metric="value", hour=at(60))
    assert (hour["count"], hour["minimum"], hour["maximum"], hour["last"]) == (6, 60, 110, 110)
    assert hour["average"] == pytest.approx(85)
    assert sum(hour["count"] for hour in hours(engine, metric="")) == 2 * 18 - 1


def test_a_second_pruning_changes_nothing(engine: Engine) -> None:
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    pruned(engine)
    before = snapshot(engine), hours(engine)
    assert not any(pruned(engine).rows.values())
    assert (snapshot(engine), hours(engine)) == before


def test_a_dry_run_counts_what_would_go_and_changes_nothing(engine: Engine) -> None:
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    set_checkpoint(engine, RECONCILE, LATER)
    before = snapshot(engine), hours(engine), checkpoint(engine, RETENTION)
    would = would_prune(engine, KEPT, LATER)
    assert (snapshot(engine), hours(engine), checkpoint(engine, RETENTION)) == before
    assert would.rows == pruned(engine).rows
    assert would.sentence().startswith("Would delete 17 evaluations")


def test_without_a_reconcile_nothing_goes(engine: Engine) -> None:
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    before = snapshot(engine)
    done = prune(engine, KEPT, LATER, pace=Pace(sleep=lambda _: None))
    assert snapshot(engine) == before
    assert "first reconcile" in done.sentence()


def test_what_reconcile_may_still_look_at_stays() -> None:
    assert cutoffs.RECONCILE_MARGIN > OVERLAP


# -- recorded twice ------------------------------------------------------------------------------


def test_a_run_whose_evaluations_are_gone_is_not_recorded_again(engine: Engine) -> None:
    ran(engine, 0, quiet("A"))
    old = a_run(60)
    told(engine, RULE_A, old, [fired("A")])
    ran(engine, 120, quiet("A"))
    recent_runs(engine)
    pruned(engine)
    assert rows(engine, "evaluation", prefect_flow_run_id=old.id) == []
    before = snapshot(engine)
    again = told(engine, RULE_A, old, [fired("A")], now=LATER)
    assert (again.evaluations, again.opened, again.notifications) == (0, [], [])
    assert snapshot(engine)["evaluation"] == before["evaluation"]
    assert snapshot(engine)["alert_event"] == before["alert_event"]
    assert snapshot(engine)["notification"] == before["notification"]


def test_a_run_of_which_some_evaluations_are_gone_is_not_recorded_again(engine: Engine) -> None:
    """Killed between two transactions."""
    ran(engine, 0, quiet("A"))
    old = a_run(60)
    told(engine, RULE_A, old, [quiet("A"), quiet("B"), quiet("C")])
    recent_runs(engine)
    set_checkpoint(engine, RECONCILE, LATER)

    def killed(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(engine, KEPT, LATER, pace=Pace(sleep=killed, size=1))
    assert len(rows(engine, "evaluation", prefect_flow_run_id=old.id)) == 2
    assert [hour["count"] for hour in hours(engine, metric="")] == [1]
    assert told(engine, RULE_A, old, [fired("A"), fired("D")], now=LATER).evaluations == 0
    assert pruned(engine).rows["evaluation"] == 2


def test_a_run_that_ended_late_is_recorded_although_it_was_due_long_ago(engine: Engine) -> None:
    ran(engine, 0, quiet("A"))
    recent_runs(engine)
    pruned(engine)
    late = a_run(60, "CRASHED", ended=59.9 * DAY)
    assert told(engine, RULE_A, late, None, now=LATER).evaluations == 1
    assert pruned(engine).rows["evaluation"] == 0


# -- what must never go --------------------------------------------------------------------------


def test_an_unresolved_event_stays_with_everything_that_belongs_to_it(engine: Engine) -> None:
    ran(engine, 0, quiet("A"))
    [event] = ran(engine, 60, fired("A"), quiet("B")).opened
    ran(engine, 120, fired("A"), quiet("B"))
    with writing(engine) as connection:
        connection.execute(update(NOTIFICATION).values(status="sent", sent_at=at(61)))
    recent_runs(engine)
    done = pruned(engine, at(2000 * DAY))
    assert done.rows["evaluation"] >= 2
    assert len(rows(engine, "evaluation", event_id=event)) == 2
    assert [row["id"] for row in rows(engine, "alert_event")] == [event]
    assert rows(engine, "notification", event_id=event)
    assert rows(engine, "alert_series", ticker="A", status="firing")


@pytest.mark.parametrize(
    ("changed", "stays"),
    [
        ({"status": "sent"}, False),
        ({"status": "sent", "unknown": 1}, False),
        ({"status": "suppressed"}, False),
        ({"status": "failed"}, False),
        ({"status": "failed", "unknown": 1}, True),
        ({"status": "suppressed", "unknown": 1}, True),
        ({"status": "pending"}, True),
        ({"status": "pending", "claimed_at": at(61)}, True),
    ],
)
def test_a_resolved_event_goes_after_a_year_unless_a_notification_has_no_outcome(
    engine: Engine, changed: dict[str, Any], stays: bool
) -> None:
    ran(engine, 0, quiet("A"))
    [event] = ran(engine, 60, fired("A")).opened
    acknowledge(engine, [event], by="ana", now=at(65))
    ran(engine, 70, quiet("A"))
    with writing(engine) as connection:
        connection.execute(update(NOTIFICATION).values(**changed))
    recent_runs(engine)
    pruned(engine, at(365 * DAY))
    assert rows(engine, "alert_event")
    done = pruned(engine, at(366 * DAY))
    assert bool(rows(engine, "alert_event")) is stays
    assert bool(rows(engine, "notification")) is stays
    assert done.rows["alert_event"] == (0 if stays else 1)
    assert rows(engine, "audit_entry", event_id=event)


def test_an_event_stays_as_long_as_its_evaluations(engine: Engine) -> None:
    ran(engine, 0, quiet("A"))
    ran(engine, 60, fired("A"))
    ran(engine, 70, quiet("A"))
    with writing(engine) as connection:
        connection.execute(update(NOTIFICATION).values(status="sent"))
    recent_runs(engine)
    for_ever = Periods(None, None, timedelta(days=1), None)
    assert pruned(engine, periods=for_ever).rows["alert_event"] == 0


def test_a_window_longer_than_the_period_keeps_what_it_needs(engine: Engine) -> None:
    window = {"op": "gte", "value": 10, "aggregate": "avg", "over_seconds": 50 * 86_400}
    rule = replace(a_rule("windows", conditions=[window]), parameters={"conditions": [window]})
    for day in (0, 5, 15, 25):
        ran(engine, day * DAY, quiet("A", metrics={"value": 9.0}), rule=rule)
    recent_runs(engine, rule)
    # Due before day 60 - 30 - 50 days: nothing; at day 100, before day 20.
    assert pruned(engine, LATER).rows["evaluation"] == 0
    assert pruned(engine, at(100 * DAY)).rows["evaluation"] == 2


def test_the_latest_runs_of_a_rule_that_rarely_runs_stay(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutoffs, "LATEST_RUNS", 3)
    for day in (0, 1, 2, 3, 4):
        ran(engine, day * DAY, quiet("A"), quiet("B"))
    assert pruned(engine).rows["evaluation"] == 2 + 2 - 1
    assert {row["at"] for row in rows(engine, "evaluation")} == {at(d * DAY) for d in (0, 2, 3, 4)}


def test_a_rule_whose_settings_can_not_be_read_keeps_everything(engine: Engine) -> None:
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    with writing(engine) as connection:
        connection.execute(update(RULE).values(parameters={"policy": {"breaches": "many"}}))
    done = pruned(engine)
    assert not any(done.rows.values())
    assert RULE_A.name in done.sentence()


# -- series --------------------------------------------------------------------------------------


def test_a_series_that_no_run_reports_for_long_goes_and_begins_anew(engine: Engine) -> None:
    ran(engine, 0, quiet("A"), quiet("B"))
    for day in (50, 95, 100):
        ran(engine, day * DAY, quiet("B"))
    done = pruned(engine, at(100 * DAY))
    assert done.rows["alert_series"] == 1
    assert [row["ticker"] for row in rows(engine, "alert_series")] == ["B"]
    assert len(ran(engine, 100 * DAY + 5, fired("A"), quiet("B")).opened) == 1


def test_no_series_goes_while_its_rule_is_not_checked(engine: Engine) -> None:
    ran(engine, 0, quiet("A"), quiet("B"))
    ran(engine, DAY, quiet("B"))
    assert pruned(engine, at(1000 * DAY)).rows["alert_series"] == 0


def test_the_series_of_a_removed_rule_go(engine: Engine) -> None:
    gone, present = a_rule("gone"), a_rule("present")
    sync(engine, [gone], at(0))
    ran(engine, 0, quiet("A"), rule=gone)
    sync(engine, [present], at(100 * DAY))
    assert pruned(engine, at(89 * DAY)).rows["alert_series"] == 0
    assert pruned(engine, at(100 * DAY)).rows["alert_series"] == 1


def test_a_ticker_that_is_reported_as_missing_stays(engine: Engine) -> None:
    rule = a_rule("missing", policy={"on_missing": "event"})
    ran(engine, 0, quiet("A"), quiet("B"), rule=rule)
    for day in (50, 95, 100):
        ran(engine, day * DAY, quiet("B"), rule=rule)
    assert pruned(engine, at(100 * DAY)).rows["alert_series"] == 0


# -- the rest ------------------------------------------------------------------------------------


def test_hours_go_after_their_own_time_but_for_the_newest(engine: Engine) -> None:
    for minute in range(0, 300, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    pruned(engine)
    [rule_id] = (row["id"] for row in rows(engine, "alert_rule"))
    assert len(hours(engine, metric="")) == 5
    pruned(engine, at(400 * DAY))
    assert {hour["hour"] for hour in hours(engine)} == {at(28 * DAY)}
    pruned(engine, at(800 * DAY))
    assert {hour["hour"] for hour in hours(engine)} == {at(28 * DAY)}
    with reading(engine) as connection:
        assert deleted_before(connection, rule_id) == at(28 * DAY + 60)


def test_the_audit_and_the_identity_stay(engine: Engine) -> None:
    with writing(engine) as connection:
        entry = {"at": at(0), "actor": "ana", "action": "silence-created", "detail": {}}
        connection.execute(insert(AUDIT).values(entry))
    ran(engine, 0, quiet("A"))
    pruned(engine, at(5000 * DAY))
    assert len(rows(engine, "audit_entry", actor="ana")) == 1
    assert len(rows(engine, "store_identity")) == 1


def test_what_was_deleted_is_an_entry_of_the_audit_and_nothing_is_none(engine: Engine) -> None:
    for minute in (0, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    done = pruned(engine)
    [entry] = rows(engine, "audit_entry")
    assert (entry["actor"], entry["action"]) == ("sentinel", "retention")
    assert entry["detail"] == {name: count for name, count in done.rows.items() if count}
    assert entry["detail"]["evaluation"] > 0
    assert LATER <= entry["at"] < LATER + timedelta(minutes=1)
    pruned(engine)
    assert len(rows(engine, "audit_entry")) == 1


def test_a_pruning_that_is_stopped_leaves_an_entry_of_what_it_deleted(engine: Engine) -> None:
    for minute in (0, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    set_checkpoint(engine, RECONCILE, LATER)
    pauses = [0]
    with pytest.raises(IndexError):  # in the second pause
        prune(engine, KEPT, LATER, pace=Pace(sleep=lambda _: pauses.pop(), size=1))
    [entry] = rows(engine, "audit_entry", action="retention")
    assert entry["detail"] == {"evaluation": 1}


def test_for_ever_is_for_ever(engine: Engine) -> None:
    for minute in range(0, 180, 10):
        ran(engine, minute, quiet("A"))
    recent_runs(engine)
    zero = {f"retention_{name}_days": 0 for name in ("evaluation", "hourly", "event", "series")}
    done = pruned(engine, at(9000 * DAY), Periods.of(Settings(**zero)))  # type: ignore[arg-type]
    assert not any(done.rows.values())
    assert checkpoint(engine, RETENTION) is None
