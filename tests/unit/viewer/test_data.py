"""Pages read the store through caches, and show at once what was acknowledged on them."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from tests.support.recorded import a_rule, fire
from viewer import data, writing
from viewer.filters import Choice
from viewer.writing import Given


def test_an_acknowledgement_is_shown_at_once_by_all_that_was_read_before(store: Engine) -> None:
    keys = [fire(store, a_rule(name), datetime.now(UTC)) for name in ("disk", "memory")]
    everything, live = Choice(view="all"), Choice()
    assert acknowledged(everything) == dict.fromkeys(keys, False)
    assert data.count(live) == 2
    assert sum(data.overview().unacknowledged.values()) == 2

    writing.change_events("acknowledge", dict.fromkeys(keys[:1]), Given("ana"))

    assert acknowledged(everything) == {keys[0]: True, keys[1]: False}
    assert data.count(live) == 1
    assert sum(data.overview().unacknowledged.values()) == 1


def acknowledged(choice: Choice) -> dict[int, bool]:
    """Which events of the first page are acknowledged, by id."""
    return {event["id"]: event["is_acknowledged"] for event in data.page(choice, None).page.rows}
