"""Saved views in the store: each name once, for everybody, audited."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.tables import AUDIT
from sentinel_core.store.read.views import views
from sentinel_core.store.record.views import MOST_VIEWS, remove, save

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def listed(engine: Engine) -> list[tuple[str, str, str]]:
    return [(view.name, view.query, view.created_by) for view in views(engine)]


def audited(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as connection:
        found = rows(connection, select(AUDIT).order_by(AUDIT.c.id))
    return [(row["actor"], row["action"], row["detail"]["view"]) for row in found]


def test_a_view_is_saved_once_and_deleted_once(engine: Engine) -> None:
    key = save(engine, "  My\n market ", "quick=market", by="ana", now=NOW)
    with pytest.raises(ValueError, match="there is a view of this name already"):
        save(engine, "My market", "view=all", by="bo", now=NOW)
    assert listed(engine) == [("My market", "quick=market", "ana")]
    assert remove(engine, key, by="bo", now=NOW)
    assert not remove(engine, key, by="bo", now=NOW)
    assert not remove(engine, 2**70, by="bo", now=NOW)
    assert listed(engine) == []
    assert audited(engine) == [
        ("ana", "view-saved", "My market"),
        ("bo", "view-deleted", "My market"),
    ]


@pytest.mark.parametrize("name", ["", " \n", "x" * 61])
def test_a_name_that_can_not_be_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 60 characters"):
        save(engine, name, "view=all", by="ana", now=NOW)


@pytest.mark.parametrize("query", ["q=" + "x" * 8_000, "q=\x00", "q=ä", "a=1\nb=2"])
def test_a_query_that_no_address_has_is_refused(engine: Engine, query: str) -> None:
    with pytest.raises(ValueError, match="too long to save"):
        save(engine, "name", query, by="ana", now=NOW)


def test_a_hostile_name_is_kept_as_text(engine: Engine) -> None:
    save(engine, "'); DROP TABLE x; --\x00<script>", "", by="=cmd|x", now=NOW)
    assert listed(engine) == [("'); DROP TABLE x; --\ufffd<script>", "", "=cmd|x")]


def test_nobody_saves_or_deletes_without_a_name(engine: Engine) -> None:
    with pytest.raises(ValueError, match="say who"):
        save(engine, "name", "", by=" ", now=NOW)
    with pytest.raises(ValueError, match="say who"):
        remove(engine, 1, by="", now=NOW)


def test_there_are_not_endlessly_many(engine: Engine) -> None:
    for n in range(MOST_VIEWS):
        save(engine, f"view {n}", "", by="ana", now=NOW)
    with pytest.raises(ValueError, match="delete one"):
        save(engine, "one more", "", by="ana", now=NOW)
