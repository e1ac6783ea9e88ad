"""Health checks that say who asks, send a body, follow redirects and look at whole chains."""

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.blocks.system import Secret
from pydantic import SecretStr, ValidationError

from sentinel_core.base.errors import PrefectUnreachableError, SentinelError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.conditions import Samples, evaluate
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.condition import Condition
from sentinel_core.model.trigger import NoHistory
from tests.support.certificates import Chain, chain
from tests.support.channels import saved, talking_to
from tests.support.prefect import PrefectServer
from triggers.service.health_check import HealthCheck
from triggers.sources.errors import AccessError

TOKEN = "t0ken-4711"
BASIC = "Basic YW5hOmh1bnRlcjI="  # ana:hunter2


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path.partition("?")[0]:
            case "/echo":
                said = {
                    "method": self.command,
                    "body": body.decode(),
                    "type": self.headers.get("Content-Type"),
                }
                self.answer(200, json.dumps(said).encode())
            case "/guarded":
                known = self.headers.get("Authorization") in (f"Bearer {TOKEN}", BASIC)
                self.answer(200 if known else 401)
            case "/kept":
                self.answer(307, Location="/echo?moved")
            case "/moved":
                self.answer(302, Location="/echo?moved")
            case "/page":
                self.answer(200, b"<h1>all systems go</h1> secret-4711")
            case _:
                self.answer(404)

    do_POST = do_GET  # noqa: N815

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients without a certificate are the purpose here."""


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as running:
        if tls:
            running.socket = tls.wrap_socket(
                running.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http{'s' * bool(tls)}://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving() as url:
        yield url


def ask(url: str, **settings: Any) -> AlertOutput:
    found = HealthCheck(url=url, **settings).measure(NoHistory())
    assert isinstance(found, AlertOutput)
    return found


# --- bodies


def test_a_text_is_posted(site: str) -> None:
    output = ask(
        f"{site}/echo",
        method="POST",
        body="größer\n{{ x }}",
        headers={"Content-Type": "text/plain"},
        json_field={"equals": {"method": "POST", "body": "größer\n{{ x }}", "type": "text/plain"}},
    )
    assert not output.triggered, output.message


def test_json_is_posted_and_says_so(site: str) -> None:
    sent = {"query": "{ shop { up } }", "n": [1, None, "ü"]}
    output = ask(
        f"{site}/echo",
        method="POST",
        json_body=sent,
        json_field={"path": "type", "equals": "application/json"},
        body_contains=json.dumps(json.dumps(sent)),
    )
    assert not output.triggered, output.message


def test_a_post_without_a_body_is_one(site: str) -> None:
    assert not ask(
        f"{site}/echo", method="POST", json_field={"path": "body", "equals": ""}
    ).triggered


def test_a_text_that_must_not_be_there_triggers(site: str) -> None:
    output = ask(f"{site}/page", body_must_not_contain="all systems go")
    assert output.triggered
    assert "'all systems go' is in the body" in output.message
    assert not ask(f"{site}/page", body_must_not_contain="maintenance").triggered


def test_a_body_that_was_to_be_json_is_not_quoted(site: str) -> None:
    output = ask(f"{site}/page", json_field={"path": "a", "equals": 1})
    assert output.triggered
    assert "secret-4711" not in output.model_dump_json()
    assert "secret-4711" in ask(f"{site}/page").metadata["body"]


# --- redirects


@pytest.mark.parametrize(
    ("path", "expected", "reason"),
    [
        ("/moved", "/echo?moved", None),
        ("/moved", "/echo*", None),
        ("/echo", "/echo", None),
        ("/moved", "/echo", "the final URL is"),
        ("/moved", "/login*", "expected"),
        ("/echo", "/echo?moved", "the final URL is"),
    ],
)
def test_the_final_url_is_compared(site: str, path: str, expected: str, reason: str | None) -> None:
    output = ask(f"{site}{path}", expected_url=f"{site}{expected}")
    assert output.triggered == (reason is not None)
    assert (reason or "answered 200") in output.message


def test_a_redirect_that_keeps_the_method_keeps_the_body(site: str) -> None:
    kept = {"path": "body", "equals": "ping"}
    assert not ask(f"{site}/kept", method="POST", body="ping", json_field=kept).triggered
    assert not ask(
        f"{site}/moved", method="POST", body="ping", json_field={"path": "method", "equals": "GET"}
    ).triggered


# --- who asks


def test_a_bearer_token_and_a_password_come_from_blocks(site: str, server: PrefectServer) -> None:
    url = f"{site}/guarded"
    refused = ask(url)
    assert refused.triggered
    assert refused.metrics["status"] == 401
    with talking_to(server.api_url):
        token = saved(Secret(value=SecretStr(f"{TOKEN}\n")))
        password = saved(Secret(value=SecretStr("hunter2")))
        whole = saved(Secret(value=SecretStr(f"Bearer {TOKEN}")))
        for who in (
            {"bearer": f"block:{token}"},
            {"bearer": f"block:{token}/value"},
            {"basic": {"user": "ana", "password": f"block:{password}"}},
            {"headers": {"Authorization": f"block:{whole}"}},
        ):
            output = ask(url, **who)
            assert not output.triggered, output.message
            assert TOKEN not in output.model_dump_json()
        assert ask(url, basic={"user": "bo", "password": f"block:{password}"}).triggered
        absent = f"block:secret/absent-{uuid4().hex}"
        with pytest.raises(SentinelError, match="bearer: there is no block secret/absent"):
            ask(url, bearer=absent)
        with pytest.raises(SentinelError, match="has no text in its field name"):
            ask(url, bearer=f"block:{token}/name")


def test_without_prefects_api_a_block_cannot_be_read(site: str) -> None:
    with talking_to("http://127.0.0.1:9/api"), pytest.raises(PrefectUnreachableError):
        ask(f"{site}/guarded", bearer="block:secret/token")


def test_a_secret_that_no_header_can_hold_is_not_quoted(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("hunter2\nX-Evil: 1", "hunter2-é", "hunter2\r\n\r\nx"):
        monkeypatch.setenv("SENTINEL_RULE_TOKEN", value)
        with pytest.raises(SentinelError, match="headers are not valid HTTP") as caught:
            ask(f"{site}/guarded", bearer="env:SENTINEL_RULE_TOKEN")
        assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    with pytest.raises(AccessError, match="bearer: the environment variable GITHUB_TOKEN may not"):
        ask(f"{site}/guarded", bearer="env:GITHUB_TOKEN")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"body": "x"}, "a body is sent by `method: POST` only"),
        ({"method": "HEAD", "json_body": {}}, "a body is sent by `method: POST` only"),
        ({"method": "POST", "body": "", "json_body": 0}, "not both"),
        ({"method": "POST", "json_body": {"a": float("nan")}}, "is not JSON"),
        ({"method": "POST", "json_body": {"a": b"x"}}, "is not JSON"),
        ({"method": "POST", "json_body": "x" * 100_001}, "longer than 100,000 bytes"),
        ({"method": "POST", "body": "x" * 100_001}, "at most 100000"),
        ({"method": "PATCH"}, "'GET', 'HEAD' or 'POST'"),
        ({"method": "HEAD", "body_must_not_contain": "x"}, "HEAD has no body"),
        ({"body_must_not_contain": ""}, "at least 1 character"),
        ({"expected_url": "/login"}, "expected the whole URL"),
        ({"expected_url": "https://h/", "follow_redirects": False}, "needs follow_redirects"),
        ({"bearer": "t0ken"}, "a secret does not belong here"),
        ({"bearer": "block:token"}, "expected block:TYPE/NAME"),
        ({"bearer": "block:secret/../x"}, "expected block:TYPE/NAME"),
        ({"basic": {"user": "a:b", "password": "env:SENTINEL_RULE_P"}}, "pattern"),
        ({"basic": {"user": "a", "password": "hunter2"}}, "a secret does not belong here"),
        (
            {"bearer": "env:SENTINEL_RULE_T", "headers": {"authorization": "x"}},
            "give one of bearer, basic",
        ),
        ({"headers": {"X": "block:nothing"}}, "expected block:TYPE/NAME"),
        (
            {"url": "http://h/", "client_certificate": {"certificate": "a.pem"}},
            "client_certificate needs an https:// URL",
        ),
    ],
)
def test_a_request_that_cannot_work_is_refused_when_it_is_written(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        HealthCheck(**{"url": "https://api.example.com/health", **settings})
    assert "hunter2" not in caught.value.errors()[0]["msg"]


# --- TLS


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A chain whose root the checks trust, and whose intermediate ends before the server's own."""
    made = chain(tmp_path, intermediate_days=5, server_days=60)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return made


@pytest.mark.parametrize("verify", [True, False])
def test_the_certificate_that_ends_first_counts_wherever_it_is_in_the_chain(
    trusted: Chain, verify: bool
) -> None:
    with serving(trusted.context()) as url:
        assert not ask(f"{url}/echo", certificate_days=4, verify=verify).triggered
        output = ask(f"{url}/echo", certificate_days=14, verify=verify)
    assert output.triggered
    assert 4.9 < output.metrics["certificate_days"] <= 5
    assert "the TLS certificate of CN=Sentinel test intermediate, in the chain, ends in" in (
        output.message
    )
    assert output.metadata["certificate"] == "CN=Sentinel test intermediate"


def test_a_services_own_certificate_that_ends_first_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = chain(tmp_path, intermediate_days=90, server_days=3)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
    with serving(made.context()) as url:
        output = ask(f"{url}/echo", certificate_days=14)
    assert "the TLS certificate ends in 3.0 days, expected 14" in output.message
    assert "certificate" not in output.metadata


def test_a_service_that_asks_for_a_certificate_is_shown_one(trusted: Chain) -> None:
    with serving(trusted.context(clients=True)) as url:
        refused = ask(f"{url}/echo")
        assert refused.triggered
        assert "status" not in refused.metrics
        shown = ask(f"{url}/echo", client_certificate={"certificate": str(trusted.client)})
        assert not shown.triggered, shown.message


def test_a_client_certificate_that_cannot_be_used_is_an_error(
    trusted: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://127.0.0.1:9/"
    (tmp_path / "no.pem").write_text("secret-4711")
    for files, said in (
        ({"certificate": str(tmp_path / "absent.pem")}, "there is no file"),
        ({"certificate": str(tmp_path / "no.pem")}, "can't be used"),
        ({"certificate": str(trusted.client), "key": str(trusted.server)}, "can't be used"),
        ({"certificate": str(trusted.root)}, "can't be used"),
    ):
        with pytest.raises(SentinelError, match=said) as caught:
            ask(url, client_certificate=files)
        assert "secret-4711" not in str(caught.value)
    monkeypatch.setenv("SENTINEL_SOURCE_ROOTS", "")
    get_settings.cache_clear()
    with pytest.raises(AccessError, match="SENTINEL_SOURCE_ROOTS"):
        ask(url, client_certificate={"certificate": str(trusted.client)})


# --- latency over a window


def test_percentiles_of_the_latency_are_conditions_of_the_rule(site: str) -> None:
    samples = Samples()
    for at in range(20):
        samples.add(60.0 * at, ask(f"{site}/echo").metrics)
    measured = sorted(samples.column("latency_ms").values)

    def breached(percentile: float, limit: float) -> bool | None:
        condition = Condition.model_validate(
            {
                "metric": "latency_ms",
                "aggregate": "percentile",
                "percentile": percentile,
                "over_seconds": 3_600,
                "op": "gt",
                "value": limit,
                "minimum_points": 20,
            }
        )
        return evaluate([condition], samples, 60.0 * 19, firing=False).breached

    assert breached(95, measured[17]) is True
    assert breached(95, measured[19]) is False
    assert breached(50, measured[0]) is True
