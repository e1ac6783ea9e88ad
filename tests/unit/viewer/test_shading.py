"""Rows with a background, as Streamlit takes them."""

import pandas as pd
import streamlit as st
from streamlit.elements.lib.pandas_styler_utils import marshall_styler
from streamlit.proto.ArrowData_pb2 import ArrowData

from viewer.shading import shaded

RED = "background-color: #f00"


def table(first: str = "one") -> pd.DataFrame:
    return pd.DataFrame({"Message": [first, "two"], "Count": [1, 2]})


def drawn(styler: object) -> ArrowData:
    """What Streamlit sends of it."""
    made = ArrowData()
    marshall_styler(made, styler, "x")  # type: ignore[arg-type]
    return made


def test_it_is_drawn_as_pandas_would_have_it() -> None:
    st.cache_resource.clear()
    plain = table().style.apply(lambda _column: [RED, ""], axis=0)
    ours = shaded(table(), [RED, ""])
    plain.set_uuid(ours.uuid)
    assert drawn(ours) == drawn(ours) == drawn(plain)
    assert RED in drawn(ours).styler.styles


def test_the_same_rows_are_worked_out_once() -> None:
    st.cache_resource.clear()
    first = shaded(table(), [RED, ""])
    assert shaded(table(), [RED, ""]) is first
    assert shaded(table(), ["", RED]) is not first
    assert shaded(table("other"), [RED, ""]) is not first


def test_a_table_without_backgrounds_is_left_alone() -> None:
    plain = table()
    assert shaded(plain, ["", ""]) is plain
