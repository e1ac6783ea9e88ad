"""What a trigger hands back is made harmless or refused, and nothing in between."""

import json
import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel_core.base.errors import OutputError
from sentinel_core.model.alert import (
    AlertOutput,
    Importance,
    as_outputs,
    describe,
    dump_outputs,
    load_outputs,
)
from sentinel_core.model.cleaning import MESSAGE_LIMIT, clean_json, clean_text
from tests.support.hostile import HARMLESS, REFUSED, returned_by_triggers
from tests.support.runs import fired, quiet

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


@pytest.mark.parametrize("case", HARMLESS)
def test_what_can_be_made_harmless_survives_the_way_through_json(case: str) -> None:
    output = fired(**HARMLESS[case])
    [back] = load_outputs(json.loads(json.dumps(dump_outputs([output]), allow_nan=False)))
    assert back == output
    assert not any(unicodedata.category(c) == "Cc" for c in output.ticker)
    assert len(output.message) <= MESSAGE_LIMIT


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_made_harmless_is_refused_in_words(case: str) -> None:
    fields, words = REFUSED[case]
    with pytest.raises(ValidationError) as caught:
        fired(**fields)
    text = describe(caught.value)
    assert re.search(words, text), text
    text.encode()


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


def test_an_overlong_message_is_cut_and_says_so() -> None:
    assert fired(message="x" * 100_000).message == "x" * (MESSAGE_LIMIT - 1) + "…"
    assert fired(message="x" * 20_000).message == "x" * 20_000


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    tokyo = datetime(2026, 11, 2, 18, tzinfo=timezone(timedelta(hours=9)))
    output = fired(timestamp=tokyo)
    assert output.timestamp == tokyo
    assert output.timestamp.tzinfo is UTC


def test_an_output_without_a_time_was_measured_now() -> None:
    output = AlertOutput(triggered=False)
    assert abs(datetime.now(UTC) - output.timestamp) < timedelta(seconds=5)


def test_not_a_number_is_kept_as_a_word_in_the_evidence() -> None:
    output = fired(metadata={"a": math.nan, "b": [math.inf, 1.5]})
    assert output.metadata == {"a": "nan", "b": ["inf", 1.5]}


def test_an_output_does_not_change_with_the_dictionary_it_was_made_from() -> None:
    evidence = {"rows": [1]}
    output = fired(metadata=evidence)
    evidence["rows"].append(2)
    assert output.metadata == {"rows": [1]}


def test_importance_is_ordered() -> None:
    assert sorted(Importance, key=lambda i: i.rank) == ["low", "medium", "high", "critical"]


@pytest.mark.parametrize("case", returned_by_triggers())
def test_what_is_no_output_is_an_error_and_never_not_triggered(case: str) -> None:
    with pytest.raises(OutputError, match="expected AlertOutput"):
        as_outputs(returned_by_triggers()[case])


def test_one_output_or_a_list_or_none_at_all_is_fine() -> None:
    assert as_outputs(fired()) == [fired()]
    assert as_outputs((fired("A"), quiet("B"))) == [fired("A"), quiet("B")]
    assert as_outputs([]) == []
    assert len(as_outputs([fired(f"T{n}") for n in range(10_000)])) == 10_000


@pytest.mark.parametrize("twin", ["AAPL", " AAPL\n", "AAPL\t"])
def test_a_ticker_may_come_only_once(twin: str) -> None:
    with pytest.raises(OutputError, match="'AAPL' more than once"):
        as_outputs([fired("AAPL"), quiet("NVDA"), quiet(twin)])


def test_what_was_slipped_into_an_output_later_is_looked_at_too() -> None:
    late = fired(metadata={"a": 1})
    late.metadata["b"] = math.nan
    assert as_outputs(late)[0].metadata == {"a": 1, "b": "nan"}
    with pytest.raises(OutputError, match="metric 'value' is nan"):
        as_outputs(fired().model_copy(update={"metrics": {"value": math.nan}}))


@pytest.mark.parametrize("data", [None, {}, "[]", [1], [{"triggered": "maybe"}], [{}]])
def test_only_what_was_dumped_can_be_loaded(data: object) -> None:
    with pytest.raises(OutputError):
        load_outputs(data)
