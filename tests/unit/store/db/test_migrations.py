"""The tables as declared and as migrated are the same, and an older store goes on living."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlmodel import SQLModel

from sentinel_core.base.errors import SchemaBehindError
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.schema import (
    SCHEMA_HEAD,
    VERSION_TABLE,
    ensure_schema,
    schema_revision,
    upgrade,
)
from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.record.resolve import resolve
from tests.support.migrated import VERSIONS, columns_of, old_store
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, snapshot, told
from tests.support.swarm import own_engine

RULE = a_rule()


def test_migrations_bring_a_database_to_the_shape_of_the_models(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_head_named_in_code_is_the_newest_file(engine: Engine) -> None:
    newest = max(path.name[1:5] for path in VERSIONS.glob("v*.py"))
    assert schema_revision(engine) == SCHEMA_HEAD == newest


def test_ensuring_the_schema_twice_changes_nothing(engine: Engine) -> None:
    ensure_schema(engine)
    assert schema_revision(engine) == SCHEMA_HEAD
    upgrade(engine)
    assert rows(engine, "audit_entry") == []


# -- a store of the first schema goes on living --------------------------------------------


@pytest.fixture
def upgraded(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A store with an open event, one that is over, a failing rule and messages owed, at 0001;
    then upgraded."""
    with own_engine(f"sqlite:///{tmp_path / 'then.db'}") as then:
        ensure_schema(then)
        told(then, RULE, a_run(0), [fired("A"), fired("B"), quiet("C")])
        told(then, RULE, a_run(5), [fired("A"), quiet("B"), quiet("C")])
        told(then, RULE, a_run(10, "FAILED"))
        told(then, a_rule("empty"), a_run(0), [])
        recorded = snapshot(then)
    with own_engine(database_url) as engine:
        old_store(engine, "0001", recorded)
        assert schema_revision(engine) == "0001"
        assert not columns_of(engine, "alert_series") & {"recent", "untold"}
        with pytest.raises(SchemaBehindError, match="sentinel db upgrade"):
            ensure_schema(engine)
        upgrade(engine)
        assert schema_revision(engine) == SCHEMA_HEAD
        yield engine


def test_an_upgrade_keeps_every_row(upgraded: Engine) -> None:
    counted = {name: len(found) for name, found in snapshot(upgraded).items()}
    assert counted == {
        "alert_rule": 2,
        "evaluation": 8,
        "alert_series": 5,
        "alert_event": 3,
        "notification": 3,
    }


def test_an_upgrade_is_in_the_audit_once(upgraded: Engine) -> None:
    upgrade(upgraded)
    [entry] = rows(upgraded, "audit_entry")
    assert (entry["actor"], entry["action"]) == ("sentinel", "store-upgraded")
    assert entry["detail"] == {"from": "0001", "to": SCHEMA_HEAD}


def test_an_event_that_was_open_before_an_upgrade_goes_on_and_ends(upgraded: Engine) -> None:
    [before] = rows(upgraded, "alert_event", kind="alert", resolved_at=None)
    assert before["occurrences"] == 2
    again = told(upgraded, RULE, a_run(15), [fired("A"), quiet("B"), quiet("C")])
    assert (again.opened, again.notifications) == ([], [])
    [event] = rows(upgraded, "alert_event", id=before["id"])
    assert (event["occurrences"], event["first_seen"], event["last_seen"]) == (3, at(0), at(15))
    [series] = rows(upgraded, "alert_series", kind="alert", ticker="A")
    assert (series["breaches"], series["tells"], series["told_at"]) == (2, 1, at(5))
    [failure] = rows(upgraded, "alert_event", kind="failure")
    assert failure["resolved_at"] == at(15)
    assert told(upgraded, RULE, a_run(20), [quiet("A")]).resolved == [before["id"]]
    [event] = rows(upgraded, "alert_event", id=before["id"])
    assert (event["resolved_at"], event["resolution"]) == (at(20), "recovered")


def test_a_message_owed_before_an_upgrade_is_still_owed(upgraded: Engine) -> None:
    owed = [row["id"] for row in rows(upgraded, "notification")]
    assert due(upgraded, NOW) == owed
    assert claim(upgraded, owed[0], NOW) is not None


def test_an_event_that_was_open_before_an_upgrade_is_handled_by_hand(upgraded: Engine) -> None:
    [before] = rows(upgraded, "alert_event", kind="alert", resolved_at=None)
    resolve(upgraded, [before["id"]], by="ana", now=NOW)
    assert len(told(upgraded, RULE, a_run(15), [fired("A")]).opened) == 1


def test_reminders_of_an_event_count_from_its_last_breach_before_the_upgrade(
    upgraded: Engine,
) -> None:
    rule = a_rule(policy={"repeat_seconds": 900})
    assert told(upgraded, rule, a_run(15), [fired("A")]).notifications == []
    assert len(told(upgraded, rule, a_run(20), [fired("A")]).notifications) == 1


def test_a_condition_given_after_an_upgrade_looks_back_on_what_was_measured_before(
    upgraded: Engine,
) -> None:
    condition = {"metric": "value", "op": "gt", "value": 150}
    window = {**condition, "aggregate": "min", "over_seconds": 1200, "minimum_points": 3}
    rule = a_rule(conditions=[window])
    told(upgraded, rule, a_run(15), [fired("A")])
    [newest] = rows(upgraded, "evaluation", at=at(15))
    assert (newest["kind"], newest["triggered"]) == ("alert", True)


def test_what_a_trigger_said_before_an_upgrade_is_known_after(upgraded: Engine) -> None:
    said = {
        (row["kind"], row["ticker"], row["triggered"], row["reported"])
        for row in rows(upgraded, "evaluation")
    }
    assert said == {
        ("alert", "A", True, True),
        ("alert", "B", True, True),
        ("alert", "B", False, False),
        ("alert", "C", False, False),
        ("alert", "", False, None),  # a check that found no series said nothing of any
        ("failure", "", True, None),
    }
