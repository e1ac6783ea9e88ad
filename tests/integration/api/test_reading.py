"""What the API reads beside events: the values of rules, and the settings."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.model.alert import AlertOutput
from tests.support.recorded import NOON, a_rule, a_run, observe


def measured(store: Engine) -> None:
    rule = a_rule("disk")
    for n in range(5):
        at = NOON + timedelta(minutes=n)
        outputs = [
            AlertOutput(
                triggered=n == 4 and ticker == "b",
                importance="high",
                ticker=ticker,
                message="m",
                timestamp=at,
                metrics={"value": float(n)},
            )
            for ticker in ("a", "b")
        ]
        observe(store, rule, a_run(at), outputs)


def test_the_values_of_a_rule(http: httpx.Client, store: Engine) -> None:
    measured(store)
    whole = http.get("/rules/disk/series").json()
    assert (whole["ticker"], whole["tickers"]) == ("b", ["a", "b"])  # b fires, as on its page
    assert [point["metrics"]["value"] for point in whole["points"]] == [0, 1, 2, 3, 4]
    assert [point["triggered"] for point in whole["points"]] == [False] * 4 + [True]
    between = {"from": "2026-11-20T12:01:00Z", "until": "2026-11-20T14:03:00+02:00"}
    some = http.get("/rules/disk/series", params={"ticker": "a", **between}).json()
    assert [point["metrics"]["value"] for point in some["points"]] == [1, 2]
    newest = http.get("/rules/disk/series", params={"limit": 2}).json()
    assert [point["metrics"]["value"] for point in newest["points"]] == [3, 4]
    assert http.get("/rules/disk/series", params={"ticker": "c"}).json()["points"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/rules/nothing/series", 404),
        ("/rules/a%00/series", 422),
        ("/rules/" + "a" * 201 + "/series", 422),
        ("/rules/disk/series?limit=0", 422),
        ("/rules/disk/series?limit=1001", 422),
        ("/rules/disk/series?from=2026-11-20T12:00:00", 422),
        ("/rules/disk/series?from=2026-11-21T00:00:00Z&until=2026-11-20T00:00:00Z", 422),
        ("/rules/disk/series?until=9999-12-31T23:59:59-12:00", 422),
        ("/rules/disk/series?tickr=a", 422),
        ("/rules/disk/series?ticker=%00", 422),
        ("/rules/../configuration/series", 404),
        ("/rules/disk%2F..%2Fseries", 404),
    ],
)
def test_wrong_questions_about_values(
    http: httpx.Client, store: Engine, path: str, status: int
) -> None:
    measured(store)
    answer = http.get(path)
    sentence = answer.json()["error"]["sentence"]
    assert (answer.status_code, bool(sentence)) == (status, True)
    if "tickr" in path:
        assert sentence == (
            "tickr: there is no such parameter; /openapi.json lists those that there are"
        )


def test_the_settings_are_for_operators_and_without_secrets(
    http: httpx.Client,
    store: Engine,
    bearer: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert http.get("/configuration").status_code == 401  # also before there is a token
    reader, operator = bearer("read"), bearer("operate")
    refused = http.get("/configuration", headers=reader)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "wrong-role")
    monkeypatch.setenv("SENTINEL_SLACK_API_URL", "https://bot:hunter2@slack.example")
    monkeypatch.setenv("SENTINEL_VIEWR_URL", "http://127.0.0.1:1")
    get_settings.cache_clear()
    answer = http.get("/configuration", headers=operator)
    assert answer.status_code == 200
    settings = {one["name"]: one for one in answer.json()["settings"]}
    assert settings["SENTINEL_SLACK_API_URL"]["source"] == "environment"
    assert settings["SENTINEL_RECORD_TIMEOUT_SECONDS"]["source"] == "default"
    assert "hunter2" not in answer.text
    assert "SENTINEL_VIEWR_URL" in [one["name"] for one in answer.json()["problems"]]
    assert http.head("/configuration", headers=reader).status_code in (403, 405)
