"""Saved filters: what is saved is what is opened, and nothing else is."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from sentinel_core.store.read.overview import Facets
from tests.support.recorded import NOON
from viewer import addresses, filters
from viewer.filters import Choice
from viewer.rows import COLUMNS

KNOWN = Facets(("cpu", "a & b=c"), ("Market",), (), ("production",))
TOKYO = ZoneInfo("Asia/Tokyo")


def test_the_page_as_it_opens_has_no_query_and_every_control_its_usual_value() -> None:
    assert addresses.query_of(Choice(me="ana"), COLUMNS) == ""
    values = addresses.values_of("", KNOWN, UTC)
    assert {name: values[name] for name in filters.SINGLE} == filters.SINGLE
    assert values["columns"] == list(COLUMNS)
    assert not any(values[name] for name in values if name not in (*filters.SINGLE, "columns"))


def test_what_was_saved_is_opened_whoever_opens_it() -> None:
    choice = Choice(
        view="all",
        importance=("critical", "low"),
        rule=("a & b=c",),
        environment=("production",),
        state=("NONE",),
        q="50% & more",
        range="7d",
        since=NOON,
        sort="acknowledged by ↑",
        size="100",
        me="ana",
    )
    query = addresses.query_of(choice, ("Time", "Event"))
    assert query.isascii()
    values = addresses.values_of(query, KNOWN, TOKYO)
    assert values["since"] == (NOON + timedelta(hours=9)).replace(tzinfo=None)
    assert values["importance"] == ["critical", "low"]
    assert values["columns"] == ["Time", "Event"]
    assert values["rule"] == ["a & b=c"]
    for name in ("view", "q", "range", "sort", "size"):
        assert values[name] == getattr(choice, name)


@pytest.mark.parametrize(
    "query",
    [
        "rule=gone&view=nothing&sort=1;DROP&size=9&columns=%3Cscript%3E&importance=urgent",
        "since=yesterday&until=9999-12-31T23:59:59-12:00&since=\x00",
        "&".join(["importance=high"] * 10_000),
        "me=bo&who=eve&acknowledge-by=eve&=&%",
    ],
)
def test_what_is_not_offered_is_left_out(query: str) -> None:
    assert addresses.values_of(query, KNOWN, TOKYO) == addresses.values_of("", KNOWN, TOKYO)
