"""Rows for the table, the dialog and the CSV."""

from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from sentinel_core.base.settings import Settings
from sentinel_core.store.state import system_rule
from sentinel_core.wording.labels import audit_words, leading_up, status_of
from tests.support.recorded import NOON
from viewer import rows

RUN = UUID("a8098c1a-f86e-11da-bd1a-00112444be1e")
SETTINGS = Settings(prefect_ui_url="http://127.0.0.1:4200")


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "rule_name": "price",
        "ticker": "AAPL",
        "kind": "alert",
        "category": "Market",
        "importance": "critical",
        "message": "AAPL above 150",
        "timestamp": NOON,
        "first_seen": NOON,
        "last_seen": NOON,
        "occurrences": 1,
        "is_acknowledged": False,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "comment": None,
        "resolved_at": None,
        "suppressed": None,
        "prefect_flow_run_id": RUN,
        "prefect_state": "COMPLETED",
        "prefect_state_name": "Triggered",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["open"]),
        ({"is_acknowledged": True}, ["acknowledged"]),
        ({"resolved_at": NOON}, ["resolved"]),
        ({"resolved_at": NOON, "is_acknowledged": True}, ["resolved", "acknowledged"]),
    ],
)
def test_a_resolved_event_still_shows_whether_anybody_took_it(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert status_of(row(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "open"),
        ({"suppressed": "silenced by ana: tidying"}, "open, muted"),
        ({"suppressed": "rate limit: 1 in an hour", "resolved_at": NOON}, "resolved, muted"),
    ],
)
def test_an_event_whose_message_was_held_back_is_marked_in_the_list(
    changes: dict[str, Any], expected: str
) -> None:
    assert list(rows.table([row(**changes)], SETTINGS)["Status"]) == [expected]


def test_breaches_that_were_not_yet_enough_lead_up_to_an_event() -> None:
    def reading(triggered: bool, event_id: int | None = None) -> dict[str, Any]:
        return {"triggered": triggered, "event_id": event_id}

    newest_first = [reading(True), reading(True), reading(False), reading(True)]
    assert leading_up(newest_first) == newest_first[:2]
    assert leading_up([reading(True, event_id=3), reading(True)]) == []
    assert leading_up([]) == []


def test_an_audit_entry_says_the_comment_first_and_then_the_rest() -> None:
    until = {"until": "2026-11-20T18:00:00.5+02:00", "comment": "on it"}
    assert audit_words(until) == "on it; until 2026-11-20 16:00 UTC"
    assert audit_words({"until": "tomorrow"}) == "until tomorrow"
    assert audit_words({"to": "2026-11-20"}) == "to 2026-11-20"
    assert audit_words({"disposition": "noise"}) == "noise"
    assert audit_words({"disposition": None}) == "none"
    assert audit_words({}) == ""


def test_a_row_of_the_table_carries_what_the_blotter_shows() -> None:
    frame = rows.table(
        [row(), row(id=8, prefect_flow_run_id=None, prefect_state_name=None)], SETTINGS
    )
    first = dict(frame.iloc[0])
    assert first["Time"] == NOON
    assert first["Importance"] == ["critical"]
    assert first["State"] == ["Triggered"]
    assert first["Run"] == f"http://127.0.0.1:4200/runs/flow-run/{RUN}"
    assert first["id"] == "?event=7"
    assert pd.isna(frame.iloc[1]["Run"])
    assert frame.iloc[1]["State"] == []


def test_a_table_without_rows_still_has_its_columns() -> None:
    assert list(rows.table([], SETTINGS).columns) == [*rows.COLUMNS[:-1], "id"]


def test_every_column_that_can_be_chosen_has_a_value_for_an_event_that_has_none() -> None:
    empty = row(**dict.fromkeys(("environment", "resolution", "assigned_to", "disposition")))
    given = {**empty, "started_at": None, "completed_at": None, "retry_count": 0}
    for columns in (rows.ALL_COLUMNS, rows.HISTORY_COLUMNS):
        [shown] = rows.table([given], SETTINGS, columns, "./event").to_dict("records")
        assert len(shown) == len(columns) == len(set(columns)) == 24
        assert (shown["id"], shown["Environment"], shown["By"]) == ("./event?event=7", "", "")


def test_columns_are_in_one_order_and_never_none() -> None:
    assert rows.in_order(["B", "A", "x"], ["A", "B", "C"], ["C"]) == ("A", "B")
    assert rows.in_order(["x"], ["A", "B", "C"], ["C"]) == ("C",)


def test_a_message_in_a_cell_is_one_line_of_bounded_length() -> None:
    frame = rows.table([row(message="a\n\tb  \x1b[31m" + "c" * 20_000)], SETTINGS)
    assert frame.iloc[0]["Message"].startswith("a b \ufffd[31mccc")
    assert len(frame.iloc[0]["Message"]) == 400


def test_only_critical_and_high_that_nobody_took_stand_out() -> None:
    given = [
        row(),
        row(importance="high"),
        row(importance="medium"),
        row(is_acknowledged=True),
        row(resolved_at=NOON),
    ]
    red, amber, *others, resolved = rows.shades(given, dark=False)
    assert "209,36,47" in red
    assert "212,136,6" in amber
    assert others == ["", ""]
    assert resolved == red


def test_a_failed_run_has_another_badge_than_one_that_ended_well() -> None:
    badges = rows.state_badges(
        [
            row(),
            row(prefect_state="FAILED", prefect_state_name="TimedOut"),
            row(prefect_state_name=None),
        ]
    )
    assert set(badges) == {"Triggered", "TimedOut"}
    assert badges["Triggered"] != badges["TimedOut"]
    assert rows.state_colour("Triggered", "COMPLETED") == badges["Triggered"]
    assert rows.state_colour("Completed", "COMPLETED") != badges["Triggered"]


def test_a_dialog_lists_exactly_the_chosen_events() -> None:
    frame = rows.chosen([row(id=3), row(id=9)])
    assert list(frame["id"]) == [3, 9]
    assert list(frame.columns) == ["id", "Time", "Importance", "Rule", "Ticker", "Message"]


def test_only_a_rule_that_is_deployed_has_a_page_in_prefect() -> None:
    deployed = {"deployment_id": RUN}
    assert rows.rule_url(deployed, SETTINGS) == (
        f"http://127.0.0.1:4200/deployments/deployment/{RUN}"
    )
    assert rows.rule_url({"deployment_id": system_rule.DEPLOYMENT_ID}, SETTINGS) is None
    assert rows.rule_url(None, SETTINGS) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "open"),
        ({"undelivered": True}, "open, not delivered"),
        ({"undelivered": True, "suppressed": "silenced"}, "open, muted, not delivered"),
        ({"undelivered": True, "is_acknowledged": True}, "acknowledged, not delivered"),
    ],
)
def test_the_status_says_that_a_message_was_not_delivered(
    changes: dict[str, Any], words: str
) -> None:
    assert rows.table([row(**changes)], SETTINGS)["Status"][0] == words


def test_a_watched_flow_leads_to_the_deployment_it_runs_for_if_any() -> None:
    key = "11111111-1111-1111-1111-111111111111"
    rule = {"deployment_id": UUID(int=5), "trigger": "watched-flow"}
    plain = rows.rule_url({**rule, "parameters": {"deployment_id": None}}, SETTINGS)
    deployed = rows.rule_url({**rule, "parameters": {"deployment_id": key}}, SETTINGS)
    assert plain is None
    assert deployed == SETTINGS.deployment_url(key)
