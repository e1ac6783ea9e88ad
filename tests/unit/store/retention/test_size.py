"""The size of the store and its growth, on each kind of database."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel

from sentinel_core.store.retention.size import StoreSize, TableSize, store_bytes, store_size
from sentinel_core.store.state import rules
from tests.support.recorded import NOON, a_rule, calm, fire

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def sizes(found: StoreSize) -> dict[str, TableSize]:
    return {size.table: size for size in found.tables}


def test_every_table_is_listed_with_its_rows_and_its_first_row(engine: Engine) -> None:
    rule = a_rule("disk", notify={"high": ["slack-incoming-webhook/ops"]})
    calm(engine, rule, NOON - 2 * DAY)
    fire(engine, rule, NOON - DAY)
    calm(engine, rule, NOON)
    found = sizes(store_size(engine, NOON))
    assert set(found) == set(SQLModel.metadata.tables)
    counted: dict[str, Any] = {name: (size.rows, size.oldest) for name, size in found.items()}
    assert counted["evaluation"] == (3, NOON - 2 * DAY)
    assert counted["alert_event"] == (1, NOON - DAY)
    assert counted["alert_series"] == (1, NOON)
    assert counted["alert_rule"] == (1, None)
    assert counted["evaluation_hour"] == (0, None)
    assert counted["notification"][0] == 1


def test_each_table_takes_whole_pages_and_all_together_no_more_than_the_store(
    engine: Engine,
) -> None:
    calm(engine, a_rule("disk"), NOON)
    found = sizes(store_size(engine, NOON))
    page = 8192 if engine.dialect.name == "postgresql" else 4096
    for size in found.values():
        assert size.bytes is not None
        assert size.bytes >= page
        assert size.bytes % page == 0
    taken = sum(size.bytes or 0 for size in found.values())
    whole = store_bytes(engine)
    if engine.dialect.name == "postgresql":
        assert whole == taken
    else:
        assert taken < whole == Path(str(engine.url.database)).stat().st_size


def test_a_table_that_grows_takes_more(engine: Engine) -> None:
    before = sizes(store_size(engine, NOON))["evaluation"].bytes or 0
    for n in range(60):
        evidence = secrets.token_hex(1_000)  # PostgreSQL compresses what repeats itself
        calm(engine, a_rule("disk"), NOON + n * HOUR, metadata={"evidence": evidence})
    found = sizes(store_size(engine, NOON))
    assert (found["evaluation"].bytes or 0) > before + 60 * 1_000
    assert (found["alert_event"].bytes or 0) < 100_000


def test_rules_grow_by_their_evaluations_a_day_the_fastest_first(engine: Engine) -> None:
    slow, fast, new = a_rule("slow"), a_rule("fast"), a_rule("new")
    for n in range(14):
        calm(engine, slow, NOON - n * HOUR * 12)
        calm(engine, fast, NOON - n * HOUR * 12)
        calm(engine, fast, NOON - n * HOUR * 12 - HOUR)
    calm(engine, slow, NOON - 8 * DAY)  # before the days that count
    calm(engine, slow, NOON + HOUR)  # of a clock that is ahead
    for n in range(2):
        calm(engine, new, NOON - n * timedelta(minutes=1))
    rules.sync(engine, [a_rule("idle")], NOON)
    found = store_size(engine, NOON)
    evaluation = sizes(found)["evaluation"]
    each = (evaluation.bytes or 0) / evaluation.rows
    grown = {rule.rule: rule.evaluations for rule in found.growth}
    assert list(grown) == ["new", "fast", "slow"]
    assert grown["new"] == 2 * 24  # of an hour at least
    assert grown["fast"] == pytest.approx(28 / (6.5 + 1 / 24))
    assert grown["slow"] == pytest.approx(14 / 6.5)
    assert [rule.bytes for rule in found.growth] == pytest.approx(
        [evaluations * each for evaluations in grown.values()]
    )


def test_a_rule_that_was_evaluated_for_all_those_days_grows_by_the_average(engine: Engine) -> None:
    disk = a_rule("disk")
    for n in range(8):
        calm(engine, disk, NOON - n * DAY)
    [growth] = store_size(engine, NOON).growth
    assert growth.evaluations == pytest.approx(8 / 7)


def test_an_empty_store_has_a_size_and_no_growth(engine: Engine) -> None:
    found = store_size(engine, NOON)
    assert found.growth == []
    assert {size.rows for size in found.tables if size.table != "store_identity"} == {0}
