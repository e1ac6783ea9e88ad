"""What people and providers wrote is text on the page of an event."""

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import assign
from tests.support.processes import ROOT
from tests.support.recorded import NOON, a_rule, fire
from viewer.escape import plain

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
