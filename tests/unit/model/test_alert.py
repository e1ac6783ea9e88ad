"""What a trigger hands back is made harmless or refused, and nothing in between."""

import json
import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from sentinel_core.base.errors import OutputError
from sentinel_core.model.alert import (
    AlertOutput,
    Importance,
    Outputs,
    as_outputs,
    describe,
    dump_outputs,
    load_outputs,
)
from sentinel_core.model.cleaning import MESSAGE_LIMIT
from tests.support.hostile import HARMLESS, REFUSED, returned_by_triggers
from tests.support.runs import fired, quiet


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


@pytest.mark.parametrize("metrics", [[1.5], 1.5, "value=1.5", None])
def test_metrics_are_numbers_by_name_and_nothing_else(metrics: object) -> None:
    with pytest.raises(ValidationError, match="metrics"):
        AlertOutput.model_validate({"triggered": True, "metrics": metrics})


def test_a_series_with_a_problem_was_not_measured_and_cannot_have_triggered() -> None:
    assert AlertOutput(triggered=False, problem="no_data").problem == "no_data"
    with pytest.raises(ValidationError, match="`problem` can't have triggered"):
        AlertOutput(triggered=True, problem="error")


def test_the_outputs_of_a_run_are_read_like_a_list() -> None:
    first, second = fired(ticker="A"), quiet(ticker="B")
    outputs = Outputs([first, second])
    assert outputs == [first, second] == outputs
    assert outputs == Outputs([first, second]) != Outputs([first])
    assert (len(outputs), outputs[1], list(outputs[:1])) == (2, second, [first])
    assert isinstance(outputs[:1], Outputs)
    assert outputs != "AB"
    assert repr(Outputs([])) == "Outputs([])"
    assert as_outputs(outputs) == [first, second]  # as of a trigger that hands on another's
    with pytest.raises(TypeError, match="unhashable"):
        hash(outputs)
