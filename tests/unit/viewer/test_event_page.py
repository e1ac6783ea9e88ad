"""What people and providers wrote is text on the page of an event."""

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import assign
from tests.support.processes import ROOT
from tests.support.recorded import NOON, a_rule, fire
from viewer.escape import plain
from viewer.event_page import judged_by

MARKUP = "**done** [x](http://y.example) :red[z] | $a$ <b>"


@pytest.fixture
def event(store: Engine) -> int:
    """An event that was acknowledged, assigned and judged with markup in every text."""
    key = fire(store, a_rule("disk", runbook=MARKUP, category=MARKUP), NOON)
    acknowledge(store, [key], by=f"ana {MARKUP}", comment=f"comment {MARKUP}", now=NOON)
    assign(store, [key], by="ana", to=f"bo {MARKUP}", now=NOON)
    return key


@pytest.mark.parametrize("text", [f"comment {MARKUP}", f"ana {MARKUP}", f"bo {MARKUP}", MARKUP])
def test_a_text_with_markup_is_shown_as_it_was_written(event: int, text: str) -> None:
    app = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30)
    app.query_params["event"] = str(event)
    app.run()
    assert not app.exception
    written = "\n".join(str(part.value) for part in app.markdown)
    assert plain(text) in written
    assert text not in written


def test_the_times_are_said_to_be_of_a_zone(event: int) -> None:
    app = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30)
    app.query_params["event"] = str(event)
    app.run()
    assert any(f"| Event {event} | times in UTC |" in part.value for part in app.markdown)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (None, ""),
        ([], ""),
        (
            [{"op": "gt", "value": 85, "aggregate": "avg", "over_seconds": 300}],
            "`avg(value) over 5 min > 85`",
        ),
        (
            [{"any": [{"op": "lt", "value": 1}, {"op": "gte", "value": 9.5}]}],
            "`value < 1`, `value ≥ 9.5`",
        ),
        ([{"op": "of another release"}], "its conditions"),
        ("not a list", "its conditions"),
    ],
)
def test_a_chart_says_what_the_conditions_of_its_rule_judge(conditions: object, words: str) -> None:
    assert judged_by({"parameters": {"conditions": conditions}}) == words


def test_an_event_whose_rule_is_gone_was_judged_by_a_threshold() -> None:
    assert judged_by(None) == judged_by({"parameters": None}) == ""
