"""Columns against those that were accepted: by the first check, or by an acknowledgement."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, text

from sentinel_core import AlertOutput, NoHistory
from sentinel_core.decide.observe import judge
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.recording import record
from sentinel_core.store.state.rules import latest_evaluations
from tests.support.data_tables import pandas_frame
from tests.support.recorded import NOON, a_rule, a_run
from triggers.data.schema_change import SchemaChange
from triggers.sources.data_source import SqlData

BEFORE = [["id", "int"], ["price", "float"], ["shop", "text"]]


def past(schema: object, *, triggered: bool = False, acknowledged: bool = False) -> PastEvaluation:
    return PastEvaluation(NOON, "", triggered, {}, {"schema": schema}, acknowledged)


def against(now: object, *before: PastEvaluation, **settings) -> AlertOutput:
    return SchemaChange(**settings).evaluate(now, before or [past(BEFORE)])


@pytest.mark.parametrize(
    ("now", "settings", "said"),
    [
        (BEFORE, {}, None),
        (BEFORE[:2], {}, "removed: shop"),
        ([*BEFORE, ["at", "time"]], {}, "added: at"),
        ([["id", "text"], *BEFORE[1:]], {}, "type: id int → text"),
        ([["id", "text"], *BEFORE[1:]], {"types": False}, None),
        (BEFORE[::-1], {}, None),
        (BEFORE[::-1], {"order": True}, "order: shop, price, id"),
        ([["Id", "int"], *BEFORE[1:]], {}, "added: Id; removed: id"),
    ],
)
def test_what_counts_as_a_change(now, settings, said) -> None:
    output = against(now, **settings)
    assert output.triggered is (said is not None)
    assert said is None or said in output.message


def test_the_first_check_accepts_and_says_so() -> None:
    output = SchemaChange().evaluate(BEFORE, [])
    assert not output.triggered
    assert "accepted as they are: the first check" in output.message


def test_a_change_stays_one_until_it_is_acknowledged() -> None:
    now = BEFORE[:2]
    changed = past(now, triggered=True)
    assert against(now, changed, past(BEFORE)).triggered
    accepted = past(now, triggered=True, acknowledged=True)
    assert not against(now, accepted, past(BEFORE)).triggered
    assert against(BEFORE, accepted, past(BEFORE)).triggered  # the new columns are the accepted


def test_evaluations_without_columns_are_passed_over() -> None:
    assert against(BEFORE[:2], PastEvaluation(NOON, "", False), past(BEFORE)).triggered


class StoredPast:
    """A rule's past as the event store has it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        rows = latest_evaluations(self.engine, RULE.deployment_id, limit, ticker)
        return [
            PastEvaluation(
                *(row[name] for name in ("at", "ticker", "triggered", "metrics", "metadata")),
                row["acknowledged"],
            )
            for row in rows
        ]


RULE = a_rule("orders-schema")


def checked(engine: Engine, minute: int, frame: pd.DataFrame):
    """One evaluation, recorded as a rule's run."""
    output = SchemaChange().check_frame(frame, StoredPast(engine))[0]
    run = a_run(NOON + timedelta(minutes=minute))
    recorded = record(engine, RULE, run, judge(run, RULE.settings, [output]), now=run.state_at)
    return output, recorded


def test_acknowledging_the_event_accepts_the_columns_and_the_next_check_ends_it(
    engine: Engine,
) -> None:
    old, new = pandas_frame(), pandas_frame().drop(columns=["price"])
    assert not checked(engine, 0, old)[1].opened
    output, recorded = checked(engine, 1, new)
    [event] = recorded.opened
    assert "removed: price" in output.message
    assert checked(engine, 2, new)[0].triggered
    # Only for an hour: that is a delay, and accepts nothing.
    at = NOON + timedelta(minutes=2, seconds=30)
    acknowledge(engine, [event], by="ada", until=at + timedelta(hours=1), now=at)
    assert checked(engine, 3, new)[0].triggered


def test_an_acknowledgement_for_good_accepts(engine: Engine) -> None:
    old, new = pandas_frame(), pandas_frame().drop(columns=["price"])
    checked(engine, 0, old)
    [event] = checked(engine, 1, new)[1].opened
    acknowledge(engine, [event], by="ada", now=NOON + timedelta(minutes=1, seconds=30))
    output, recorded = checked(engine, 2, new)
    assert not output.triggered
    assert recorded.resolved == [event]
    # Another change after it is a new event.
    assert checked(engine, 3, old)[1].opened


def test_types_of_sqlite_and_postgresql(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTINEL_RULE_DB", postgres_url)
    for url in (f"sqlite:///{tmp_path}/x.db", postgres_url):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (id integer, price NUMERIC(10,2))"))
        engine.dispose()
    lite = SqlData(kind="sql", url=f"sqlite:///{tmp_path}/x.db", table="t")
    post = SqlData(kind="sql", url="env:SENTINEL_RULE_DB", table="t")
    found = [SchemaChange(source=s).check(NoHistory())[0].metadata["schema"] for s in (lite, post)]
    assert found == [
        [["id", "INTEGER"], ["price", "NUMERIC(10,2)"]],
        [["id", "int4"], ["price", "numeric(10,2)"]],
    ]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame, "there are no columns"),
        (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "a"),
    ],
)
def test_a_table_without_columns_or_with_two_of_a_name_is_an_error(frame, said) -> None:
    output = SchemaChange().check_frame(frame(), NoHistory())[0]
    assert output.problem == "error"
    assert said in output.message


def test_an_empty_frame_has_columns() -> None:
    output = SchemaChange().check_frame(pandas_frame([]), NoHistory())[0]
    assert (output.problem, output.metrics["columns"]) == (None, 3)
