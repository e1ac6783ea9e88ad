"""Rows with a background, as Streamlit takes them."""

from datetime import UTC, datetime

import pandas as pd
import pytest
import streamlit as st
from streamlit.elements.lib.pandas_styler_utils import marshall_styler
from streamlit.proto.ArrowData_pb2 import ArrowData

from sentinel_core.store.read.event_list import Page
from viewer.data import Listed
from viewer.shading import shaded, styled

RED = "background-color: #f00"
COLUMNS = ("Time", "Importance", "Message")


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def listed(content: bytes = b"1", importance: str = "critical") -> Listed:
    """A page of one event."""
    row = {
        "id": 1,
        "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "importance": importance,
        "message": "CPU is high",
        "is_acknowledged": False,
    }
    return Listed(Page([row], None, 1), content)


def table() -> pd.DataFrame:
    return pd.DataFrame({"Message": ["one", "two"], "Count": [1, 2]})


def drawn(styler: object) -> ArrowData:
    """What Streamlit sends of it."""
    made = ArrowData()
    marshall_styler(made, styler, "x")  # type: ignore[arg-type]
    return made


def test_it_is_drawn_as_pandas_would_have_it() -> None:
    plain = table().style.apply(lambda _column: [RED, ""], axis=0)
    ours = styled(table(), [RED, ""])
    plain.set_uuid(ours.uuid)
    assert drawn(ours) == drawn(ours) == drawn(plain)
    assert RED in drawn(ours).styler.styles


def test_the_same_rows_are_worked_out_once() -> None:
    first = shaded(listed(), COLUMNS, dark=False)
    assert shaded(listed(), COLUMNS, dark=False) is first
    others = (
        shaded(listed(b"2"), COLUMNS, dark=False),
        shaded(listed(), COLUMNS[:2], dark=False),
        shaded(listed(), COLUMNS, dark=True),
        shaded(listed(), COLUMNS, dark=False, cursor=0),
    )
    assert all(other is not first for other in others)


def test_a_table_without_backgrounds_is_a_plain_one() -> None:
    plain = shaded(listed(importance="low"), COLUMNS, dark=False)
    assert isinstance(plain, pd.DataFrame)
    assert list(plain.columns) == list(COLUMNS)
