"""Hostile outputs on both databases: recorded, read back equal, and harmless in a message."""

import json

import pytest
from sqlalchemy import Engine

from sentinel_core.message.content import Content, Item, Links, Medium
from sentinel_core.message.render import render
from tests.support.hostile import HARMLESS
from tests.support.runs import a_rule, a_run, fired, rows, told

RULE = a_rule(category="<b>\0", runbook="docs/run_books/<x>.md")


@pytest.mark.parametrize("case", HARMLESS)
def test_it_is_recorded_and_read_back_as_it_was(engine: Engine, case: str) -> None:
    output = fired(**HARMLESS[case])
    told(engine, RULE, a_run(name="Triggered"), [output])
    told(engine, RULE, a_run(5, name="Triggered"), [output])
    [event] = rows(engine, "alert_event")
    assert event["occurrences"] == 2
    for row in (event, *rows(engine, "evaluation")):
        assert (row["ticker"], row["message"]) == (output.ticker, output.message)
        assert {name: float(value) for name, value in row["metrics"].items()} == output.metrics
        assert same(row["metadata"], output.metadata)


@pytest.mark.parametrize("case", HARMLESS)
def test_its_message_pings_nobody_and_forges_nothing(engine: Engine, case: str) -> None:
    told(engine, RULE, a_run(), [fired(**HARMLESS[case])])
    [event] = rows(engine, "alert_event")
    links = Links("https://blotter", "https://prefect")
    message = render(Medium.SLACK, Content(items=(Item(event, "opened"),)), links)
    subject, body = message.subject, message.body
    assert "<" not in subject
    assert body.count("<") == body.count(">") - sum(
        line.startswith("> ") for line in body.split("\n")
    )
    assert body.count("<") == 2
    assert f"{subject}\n{body}".encode()
    assert len(body) < 12_000


def same(read: object, written: object) -> bool:
    """Equal but for whole floats of 1e22 and more, which PostgreSQL's JSON gives back as ints."""
    return _floats(json.loads(json.dumps(read))) == _floats(written)


def _floats(value: object) -> object:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    is_float = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e308
    return float(value) if is_float else str(value) if isinstance(value, int) else value
