"""Who may ask the HTTP API: tokens with roles, made and revoked at the command line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine, update

from sentinel_core.cli import main
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import API_TOKEN

PATHS = ("/status", "/metrics", "/events", "/openapi.json", "/nothing", "//health", "/health/")


def sentinel(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["api", "token", *words])
    out, err = capsys.readouterr()
    assert exit_.value.code == code, err
    return out if code == 0 else err


def test_reading_is_open_until_there_is_a_token(
    http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert http.get("/events").status_code == 200
    secret = sentinel(capsys, "create", "ci", "--role", "read", "--by", "ana").strip()
    for path in PATHS:
        refused = http.get(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "no-token"), path
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert http.get("/health").status_code == http.head("/health").status_code == 503
    assert http.get("/events", headers={"Authorization": f"bearer {secret}"}).status_code == 200
    sentinel(capsys, "revoke", "ci", "--by", "ana")
    assert http.get("/events").status_code == 401  # who revokes the last one opens nothing
    told = http.get("/events", headers={"Authorization": f"Bearer {secret}"})
    assert (told.status_code, told.json()["error"]["code"]) == (401, "revoked-token")


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer x",
        "Bearer sentinel_" + "A" * 43,
        "Bearer " + "x" * 10_000,
        "Basic YW5hOnNlY3JldA==",
        "Bearer ' OR 1=1 --",
        "Bearer \xff\xfe",
    ],
)
def test_a_token_that_is_none_is_refused_also_where_none_is_needed(
    http: httpx.Client, given: str
) -> None:
    for method, path in (("GET", "/events"), ("POST", "/events/1/acknowledge")):
        answer = http.request(method, path, headers={b"Authorization": given.encode("latin-1")})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown-token")
        assert "x" * 100 not in answer.text


def test_a_change_needs_a_token_always_and_one_of_an_operator(
    http: httpx.Client, bearer: Callable[[str], dict[str, str]]
) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert http.request(method, "/events/1/acknowledge").status_code == 401
    refused = http.post("/events/1/acknowledge", headers=bearer("read"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "wrong-role")
    assert "WWW-Authenticate" not in refused.headers
    allowed = bearer("operate")
    assert http.delete("/events", headers=allowed).status_code == 405
    twice = [*allowed.items(), *allowed.items()]
    assert http.get("/events", headers=twice).status_code == 401


def test_a_token_expires(
    http: httpx.Client, store: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    made = sentinel(capsys, "create", "ci", "--role", "operate", "--days", "2", "--json")
    [token] = json.loads(made)["changed"]
    header = {"Authorization": f"Bearer {token['token']}"}
    assert http.get("/events", headers=header).status_code == 200
    with writing(store) as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(update(API_TOKEN).values(expires_at=past))
    told = http.get("/events", headers=header)
    assert (told.status_code, told.json()["error"]["code"]) == (401, "expired-token")
    assert "expired" in sentinel(capsys, "list")
    [listed] = json.loads(sentinel(capsys, "list", "--json"))
    assert (listed["name"], listed["role"], listed["usable"]) == ("ci", "operate", False)
    assert token["token"] not in json.dumps(listed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "a b", "--role", "read"), "a token's name has"),
        (("create", "ci", "--role", "admin"), "admin"),
        (("create", "ci"), "role"),
        (("create", "ci", "--role", "read", "--days", "0"), "days"),
        (("create", "ci", "--role", "read", "--by", " "), "--by"),
        (("revoke", "nobody"), "nobody"),
    ],
)
def test_a_wrong_command_makes_nothing(
    store: Engine, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["api", "token", *words])
    out, err = capsys.readouterr()
    assert exit_.value.code in (1, 2)
    assert said in out + err
    assert "no tokens" in sentinel(capsys, "list")
