"""What a channel is told: everything worth knowing, and nothing that poses as ours."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.message import slack_escape, slack_text, value_against_threshold
from tests.support.runs import T0

RUN_URL = "http://127.0.0.1:4200/runs/flow-run/1"
EVENT_URL = "http://127.0.0.1:8501/?event=1"
EVENT: dict[str, Any] = {
    "id": 1,
    "rule_name": "aapl-price-surge",
    "kind": "alert",
    "ticker": "AAPL",
    "importance": "high",
    "message": "AAPL trades at 151.2",
    "metrics": {"value": 151.2, "threshold": 150.0},
    "metadata": {"unit": "USD"},
    "timestamp": T0,
    "runbook": "docs/runbooks/price_surge.md",
}
hostile = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=())),
    st.text(alphabet="<>&|!@#*_~`\n\r\u2028\x85 aT-", max_size=40),
    st.sampled_from(
        ["<!channel>", "<https://evil|Open in the blotter>", "\n2026-11-02 UTC", "```"]
    ),
)


def told(**changes: Any) -> tuple[str, str]:
    return slack_text({**EVENT, **changes}, run_url=RUN_URL, event_url=EVENT_URL)


def test_a_message_says_what_a_person_needs_to_know() -> None:
    subject, body = told()
    assert subject == "🟠 *HIGH* · aapl-price-surge · AAPL"
    assert body.split("\n") == [
        "> AAPL trades at 151.2",
        "151.2 USD against threshold 150 USD",
        "2026-11-02 09:00:00 UTC",
        f"<{EVENT_URL}|Open in the blotter> · <{RUN_URL}|Flow run in Prefect> "
        "· Runbook: docs/runbooks/price_surge.md",
    ]


@pytest.mark.parametrize(
    ("kind", "words"), [("failure", "check failed"), ("silent", "not checked")]
)
def test_an_event_that_is_no_alert_says_so_in_its_subject(kind: str, words: str) -> None:
    assert told(kind=kind, ticker="")[0] == f"🟠 *HIGH* · aapl-price-surge · {words}"


def test_an_event_no_run_tells_of_links_to_no_run() -> None:
    _, body = slack_text({**EVENT, "runbook": None}, run_url=None, event_url=EVENT_URL)
    assert body.endswith(f"<{EVENT_URL}|Open in the blotter>")


def test_every_line_of_a_message_is_quoted() -> None:
    _, body = told(message="one\ntwo\u2028three", metrics={})
    assert body.split("\n")[:3] == ["> one", "> two", "> three"]


def test_a_message_without_text_says_so() -> None:
    assert told(message="")[1].startswith("> (no message)\n")


def test_a_long_message_is_cut_before_it_is_escaped() -> None:
    quoted = told(message="<" * 20_000)[1].split("\n")[0]
    assert quoted == "> " + "&lt;" * 1_999 + "…"


def test_times_are_told_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert "2026-11-02 09:00:00 UTC" in told(timestamp=datetime(2026, 11, 2, 18, tzinfo=tokyo))[1]


def test_slacks_control_characters_are_escaped_and_come_back_as_they_were() -> None:
    assert slack_escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize(
    ("metrics", "unit", "text"),
    [
        ({"value": 97.25, "threshold": 90}, "%", "97.25% against threshold 90%"),
        ({"value": 512, "threshold": 256}, "MB", "512 MB against threshold 256 MB"),
        ({"value": -1e308, "threshold": 10**308}, None, "-1e+308 against threshold 1e+308"),
        ({"value": 1_234_567.8, "threshold": 1e6}, "", "1,234,568 against threshold 1,000,000"),
        ({"value": 0.12345678, "threshold": 0}, "", "0.123457 against threshold 0"),
        ({"value": 1}, "%", None),
        ({"threshold": 1}, "%", None),
        ({}, "%", None),
    ],
)
def test_the_value_stands_against_its_threshold(
    metrics: dict[str, float], unit: str | None, text: str | None
) -> None:
    assert value_against_threshold(metrics, {"unit": unit}) == text


@given(
    rule_name=hostile,
    ticker=hostile,
    message=hostile,
    unit=st.one_of(hostile, st.integers(), st.lists(hostile), st.none()),
    runbook=st.one_of(st.none(), hostile),
    metrics=st.dictionaries(
        st.sampled_from(["value", "threshold"]), st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_nothing_from_outside_poses_as_ours(
    rule_name: str,
    ticker: str,
    message: str,
    unit: object,
    runbook: str | None,
    metrics: dict[str, float],
) -> None:
    subject, body = told(
        rule_name=rule_name,
        ticker=ticker,
        message=message,
        metadata={"unit": unit},
        runbook=runbook,
        metrics=metrics,
    )
    assert len(subject.splitlines()) == 1
    assert not set("<>") & set(subject)
    ours = [line for line in body.splitlines() if not line.startswith("> ")]
    assert len(ours) == 2 + (len(metrics) == 2)
    links = f"<{EVENT_URL}|Open in the blotter> · <{RUN_URL}|Flow run in Prefect>"
    assert ours[-1].startswith(links)
    quoted = [line.removeprefix("> ") for line in body.splitlines() if line.startswith("> ")]
    from_outside = "".join([subject, *quoted, *ours[:-1], ours[-1].removeprefix(links)])
    assert not set("<>") & set(from_outside)
    without_entities = from_outside
    for entity in ("&amp;", "&lt;", "&gt;"):
        without_entities = without_entities.replace(entity, "")
    assert "&" not in without_entities
    assert subject.count("*") - subject.count("*\N{WORD JOINER}") == 2
    f"{subject}\n{body}".encode()
