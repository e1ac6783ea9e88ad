"""An event as people read it: every kind and every end has a word."""

from typing import Any

import pytest

from sentinel_core.decide.observe import Kind
from sentinel_core.wording.labels import KINDS, RESOLUTIONS, audit_words, held_until, system_words


def test_every_kind_that_is_not_simply_an_alert_is_said_in_words() -> None:
    assert set(KINDS) == {kind.value for kind in Kind} - {Kind.ALERT.value, Kind.SKIPPED.value}


def test_every_way_in_which_an_event_ends_is_said_in_words() -> None:
    ends = {"recovered", "flapping-ended", "expired", "by-hand", "late", "rule-removed"}
    assert set(RESOLUTIONS) == ends


@pytest.mark.parametrize(
    ("until", "above", "below", "words"),
    [
        ("", None, None, ""),
        ("12:00", None, None, ", until 12:00"),
        ("", 95.5, None, ", until the value is above 95.5"),
        ("12:00", None, 0.0, ", until 12:00 or the value is below 0"),
    ],
)
def test_what_ends_an_acknowledgement_is_said_in_words(
    until: str, above: float | None, below: float | None, words: str
) -> None:
    event = {"acknowledged_above": above, "acknowledged_below": below}
    assert held_until(event, until) == words


def test_an_entry_of_the_audit_says_up_to_which_value_an_event_is_acknowledged() -> None:
    assert audit_words({"above": 95.0}) == "until the value is above 95"
    detail = {"reason": "value-crossed", "sentence": "the value 97 is above 95"}
    assert audit_words(detail) == "reason value-crossed; the value 97 is above 95"


@pytest.mark.parametrize(
    ("action", "detail", "words"),
    [
        (
            "store-upgraded",
            {"from": "0014", "to": "0015"},
            "the tables went from revision 0014 to 0015",
        ),
        (
            "store-adopted",
            {"host": "alpha"},
            "registered in Prefect on alpha as the store of all runs",
        ),
        (
            "store-adopted",
            {"host": "alpha", "replaces": "sqlite:///a.db, identity 7"},
            "registered in Prefect on alpha as the store of all runs in place of "
            "sqlite:///a.db, identity 7",
        ),
        (
            "retention",
            {"alert_event": 1, "evaluation": 1200, "alert_series": 2},
            "deleted 1,200 evaluations, 1 event, 2 series",
        ),
        ("recorded-late", {"recorded": 2}, "2 runs recorded that had no record"),
        (
            "recorded-late",
            {"recorded": 1, "closed": 1},
            "1 run recorded that had no record, 1 stuck run closed",
        ),
        (
            "reaction-failed",
            {"reaction": "restart", "reason": "gone"},
            "reaction restart; reason gone",
        ),
    ],
)
def test_what_sentinel_did_by_itself_is_said_in_words(
    action: str, detail: dict[str, Any], words: str
) -> None:
    assert system_words(action, detail) == words
