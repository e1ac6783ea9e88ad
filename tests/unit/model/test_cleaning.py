"""Text and JSON from outside become harmless."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.model.cleaning import (
    MESSAGE_LIMIT,
    clean_json,
    clean_line,
    clean_message,
    clean_text,
)

anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_clean_text_has_no_control_characters_and_is_clean_already(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert {c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs")} <= {"\t", "\n"}
    assert clean_text(cleaned) == cleaned


@given(anything)
def test_any_metadata_becomes_json_that_every_parser_takes(value: Any) -> None:
    cleaned = clean_json(value)
    text = json.dumps(cleaned, allow_nan=False)
    assert "\\u0000" not in text
    assert json.loads(text) == cleaned
    assert clean_json(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("  \n\t", ""),
        ("AAPL", "AAPL"),
        (" new \n disks\t are\r\nin ", "new disks are in"),
        ("a\x00b", "a\ufffdb"),
    ],
)
def test_a_clean_line_has_single_spaces_only(text: str, line: str) -> None:
    assert clean_line(text) == line


def test_a_clean_message_is_cut_at_the_limit() -> None:
    assert clean_message(" a\nb \n") == "a\nb"
    assert clean_message("x" * MESSAGE_LIMIT) == "x" * MESSAGE_LIMIT
    assert clean_message("x" * (MESSAGE_LIMIT + 1)) == "x" * (MESSAGE_LIMIT - 1) + "…"
