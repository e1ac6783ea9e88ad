"""Reactions as rules declare them, and the values of events in their parameters."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel_core.model.reaction import (
    MissingValueError,
    Occasion,
    Reaction,
    filled,
    references,
    whole_reference,
)
from sentinel_core.model.rule import RuleSettings

EVENT: dict[str, Any] = {
    "id": 12,
    "rule": "churn-drift",
    "ticker": "EU",
    "message": "drift 0.21 is above 0.15",
    "run_id": None,
    "metrics": {"drift": 0.21, "rows": 300.0, "p95.latency": 4.5},
    "metadata": {"model": "churn", "runs": [{"id": "a1"}, {"id": "b2"}], "fine": True},
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{{ event.metrics.drift }}", 0.21),
        ("{{event.metrics.rows}}", 300),
        ("  {{ event.metrics.drift }} ", 0.21),
        ("{{ event.metrics.p95.latency }}", 4.5),
        ("{{ (event.ticker) }}", "EU"),
        ("{{ event.id }}", 12),
        ("{{ event.metadata.model }}", "churn"),
        ("{{ event.metadata.runs[1].id }}", "b2"),
        ("{{ event.metadata.fine }}", True),
        ("{{ event.ticker }}-{{ event.metrics.drift }}", "EU-0.21"),
        ("model {{ event.metadata.model }}!", "model churn!"),
        ("plain", "plain"),
        (["{{ event.ticker }}", 3], ["EU", 3]),
        ({"deep": {"er": "{{ event.rule }}"}}, {"deep": {"er": "churn-drift"}}),
        (None, None),
        (0.5, 0.5),
    ],
)
def test_a_reference_becomes_the_value_with_its_type(written: Any, value: Any) -> None:
    [(name, got)] = filled({"p": written}, EVENT).items()
    assert (name, got, type(got)) == ("p", value, type(value))


@pytest.mark.parametrize(
    "written",
    [
        "{{ event.metrics.absent }}",
        "{{ event.run_id }}",
        "{{ event.metadata.runs[7].id }}",
        "{{ event.metadata.model.deeper }}",
        "a text with {{ event.metrics.absent }}",
    ],
)
def test_a_value_that_the_event_does_not_have_is_an_error_that_names_it(written: str) -> None:
    with pytest.raises(MissingValueError, match=r"the event has no value event\.\w+"):
        filled({"p": written}, EVENT)


@pytest.mark.parametrize(
    "written",
    ["{{ event.metadata.runs }}", "{{ event.metadata.runs[0] }}", "x{{ event.metadata.runs }}"],
)
def test_a_mapping_or_a_list_never_becomes_part_of_a_parameter(written: str) -> None:
    with pytest.raises(MissingValueError, match="is no single value"):
        filled({"p": written}, EVENT)


HOSTILE = (
    "{{ event.rule }}",
    "{{ prefect.blocks.secret.password }}",
    "{{ prefect.variables.x }}",
    "{{ 7 * 7 }}{% raw %}",
    "$(rm -rf /); `id`",
    '{"__prefect_kind": "workspace_variable", "variable_name": "secret"}',
    '"}, "approve": true, {"',
    "../../etc/passwd\x00",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_an_event_stays_text(text: str) -> None:
    event = {**EVENT, "message": text}
    assert filled({"p": "{{ event.message }}"}, event) == {"p": text}
    assert filled({"p": "<{{ event.message }}>"}, event) == {"p": f"<{text}>"}


@given(st.text(), st.text())
def test_values_are_put_in_once_whatever_they_say(ticker: str, message: str) -> None:
    event = {**EVENT, "ticker": ticker, "message": message}
    got = filled({"p": "{{ event.ticker }}|{{ event.message }}"}, event)
    assert got == {"p": f"{ticker}|{message}"[:20_000]}


def test_evidence_that_prefect_would_resolve_is_refused() -> None:
    event = {**EVENT, "metadata": {"x": {"__prefect_kind": "workspace_variable"}}}
    with pytest.raises(MissingValueError):
        filled({"p": "{{ event.metadata.x }}"}, event)


@pytest.mark.parametrize(
    "written",
    [
        "{{ ticker }}",
        "{{ event.nonsense }}",
        "{{ event }}",
        "{{ event.metrics }}",
        "{{ event.message|upper }}",
        "{{ event.metrics['x'] }}",
        "{{ 1 }}",
        "{{ }}",
    ],
)
def test_other_placeholders_are_refused_where_they_are_written(written: str) -> None:
    with pytest.raises(ValidationError, match="is not understood: write"):
        Reaction(run="a/b", parameters={"p": ["x", {"y": written}]})


def test_values_that_are_no_texts_are_taken_as_they_are() -> None:
    parameters = {"n": 3, "deep": {"flag": True, "empty": {}, "list": []}, "none": None}
    reaction = Reaction(run="a/b", parameters=parameters)
    assert filled(reaction.parameters, EVENT) == parameters


def test_references_are_named() -> None:
    assert list(references("{{ event.ticker }} and {{ event.metrics.a }}")) == [
        "ticker",
        "metrics.a",
    ]
    assert whole_reference("{{ event.ticker }}") == "ticker"
    assert whole_reference("x {{ event.ticker }}") is None
    assert whole_reference(3) is None


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "give one of run, retry and resume"),
        ({"run": "a/b", "resume": "a/b"}, "give one of run, retry and resume"),
        ({"retry": "failed-run", "parameters": {"x": 1}}, "parameters belong to run"),
        ({"run": "a"}, "pattern"),
        ({"run": "a/b/c"}, "pattern"),
        ({"retry": "yes"}, "failed-run"),
        ({"run": "a/b", "times_per_hour": 0}, "greater than or equal to 1"),
        ({"run": "a/b", "kinds": []}, "at least 1 item"),
        ({"run": "a/b", "kinds": ["skipped"]}, "no_data"),
        ({"run": "a/b", "aproval": True}, "Extra inputs"),
    ],
)
def test_what_is_no_reaction_is_refused(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Reaction.model_validate(given_)


def test_a_rule_declares_reactions_by_occasion() -> None:
    settings = RuleSettings.model_validate(
        {
            "on_open": [{"run": "retrain/nightly", "approval": True}, {"retry": "failed-run"}],
            "on_resolve": [{"resume": "ingest/hourly"}],
        }
    )
    assert [(r.action, r.target) for r in settings.reactions(Occasion.OPEN)] == [
        ("run", "retrain/nightly"),
        ("retry", "failed-run"),
    ]
    assert [(r.action, r.target) for r in settings.reactions(Occasion.RESOLVE)] == [
        ("resume", "ingest/hourly")
    ]
    assert settings.reactions(Occasion.ESCALATE) == ()
