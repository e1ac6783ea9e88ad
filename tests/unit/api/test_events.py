"""Cursors of the list of events: each that is handed out is taken back, and no forged one is."""

import base64
import json

import pytest
from pydantic import ValidationError

from sentinel_core.api.events import EventQuery, written
from sentinel_core.store.read.event_list import Cursor
from sentinel_core.store.read.filters import Sort


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        (Sort.TICKER, "\N{ROCKET}" * 200),
        (Sort.RULE, "\N{ROCKET}" * 1_000),
        (Sort.MESSAGE, "\"\\'\n%_"),
        (Sort.IMPORTANCE, -1),
        (Sort.OCCURRENCES, 2**31 - 1),
    ],
)
def test_a_cursor_that_was_written_is_understood(sort: Sort, value: object) -> None:
    cursor = Cursor(value, 2**63 - 1)
    assert EventQuery(sort=sort, cursor=written(cursor)).after() == cursor


@pytest.mark.parametrize(
    ("sort", "forged"),
    [
        *((sort, [2**31, 5]) for sort in (Sort.IMPORTANCE, Sort.STATUS, Sort.RETRIES)),
        (Sort.OCCURRENCES, [-(2**63), 5]),
        (Sort.OCCURRENCES, [1, 2**63]),
        *((sort, ["\ud800", 5]) for sort in (Sort.RULE, Sort.TICKER, Sort.COMMENT)),
        (Sort.RULE, ["\x00", 5]),
        (Sort.TIME, ["2026-01-01T00:00:00", 5]),
    ],
)
def test_a_forged_cursor_is_refused(sort: Sort, forged: list[object]) -> None:
    text = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
    with pytest.raises(ValidationError, match="take `next` of the page before"):
        EventQuery(sort=sort, cursor=text)
