"""An event as people read it: every kind and every end has a word."""

from sentinel_core.decide.observe import Kind
from sentinel_core.wording.labels import KINDS, RESOLUTIONS


def test_every_kind_that_is_not_simply_an_alert_is_said_in_words() -> None:
    assert set(KINDS) == {kind.value for kind in Kind} - {Kind.ALERT.value, Kind.SKIPPED.value}


def test_every_way_in_which_an_event_ends_is_said_in_words() -> None:
    ends = {"recovered", "flapping-ended", "expired", "by-hand", "late", "rule-removed"}
    assert set(RESOLUTIONS) == ends
