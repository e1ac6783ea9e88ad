"""Health checks: tables of probes for what is pure, a real and often nasty server for the rest."""

import asyncio
import contextlib
import http.server
import ipaddress
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from sentinel_core.base.errors import SentinelError
from sentinel_core.model.trigger import NoHistory
from tests.support.processes import free_port
from triggers.service.health_check import HealthCheck
from triggers.sources.document import JsonField, json_difference
from triggers.sources.request import BODY_LIMIT, Probe

URL = "https://api.example.com/health"


def check(**settings) -> HealthCheck:
    return HealthCheck(**{"url": URL, **settings})


def probe(**seen) -> Probe:
    return Probe(**{"url": URL, "status": 200, "latency_ms": 40, "body": "", **seen})


# --- evaluating probes


@pytest.mark.parametrize(
    ("settings", "seen", "unmet"),
    [
        ({}, {}, []),
        ({}, {"status": 204}, []),
        ({}, {"status": 301}, ["status 301, expected 200-299"]),
        ({"expected_status": 204}, {"status": 204}, []),
        ({"expected_status": 204}, {"status": 200}, ["status 200, expected 204"]),
        ({"expected_status": [200, "400-404"]}, {"status": 403}, []),
        ({"expected_status": [200, "400-404"]}, {"status": 405}, ["status 405, expected 200, 4"]),
        ({"latency_limit_ms": 40}, {}, []),
        ({"latency_limit_ms": 39}, {}, ["latency 40 ms, limit 39 ms"]),
        ({"body_contains": "ok"}, {"body": "all ok"}, []),
        ({"body_contains": "ok"}, {"body": "nothing"}, ["'ok' is not in the body"]),
        ({"body_contains": "ok"}, {"body": "x", "body_cut": True}, ["first 1,048,576 bytes"]),
        ({"json_field": {"equals": True}}, {"body": "true"}, []),
        ({"json_field": {"equals": True}}, {"body": "true", "body_cut": True}, ["longer than"]),
        ({"json_field": {"path": "db", "equals": "up"}}, {"body": '{"db": "down"}'}, ['"down"']),
        ({"certificate_days": 14}, {"certificate_days": 14}, []),
        ({"certificate_days": 14}, {"certificate_days": 13.9}, ["ends in 13.9 days, expected 14"]),
        ({"certificate_days": 14}, {"certificate_days": -3}, ["ends in -3.0 days"]),
        ({"certificate_days": 14}, {}, ["no TLS certificate"]),
        ({}, {"certificate_days": -3}, []),  # known, and nobody asked
        ({}, {"status": None, "failure": "Connection refused"}, ["Connection refused"]),
        # what was received of a body that broke off is not held against it a second time
        ({"body_contains": "ok"}, {"failure": "no complete answer"}, ["no complete answer"]),
        ({"latency_limit_ms": 1}, {"status": 500}, ["status 500", "latency 40 ms"]),
    ],
)
def test_a_service_is_judged_by_what_is_expected_of_it(settings, seen, unmet):
    output = check(**settings).evaluate(probe(**seen))
    assert output.triggered == bool(unmet)
    reasons = output.metadata["unmet"]
    assert len(reasons) == len(unmet)
    for reason, expected in zip(reasons, unmet, strict=True):
        assert expected in reason
        assert reason in output.message


@pytest.mark.parametrize(
    ("settings", "seen", "shown"),
    [
        ({"latency_limit_ms": 50}, {}, (40, 50, "ms")),
        ({"latency_limit_ms": 30}, {}, (40, 30, "ms")),
        ({"certificate_days": 14}, {"certificate_days": 9}, (9, 14, "days")),
        (
            {"latency_limit_ms": 50, "certificate_days": 14},
            {"certificate_days": 9},
            (9, 14, "days"),
        ),
        ({"latency_limit_ms": 50, "certificate_days": 14}, {"certificate_days": 99}, None),
        ({"latency_limit_ms": 50}, {"status": 500}, None),  # the latency is not the trouble
        ({}, {}, None),
    ],
)
def test_value_and_threshold_are_those_of_the_one_number_that_matters(settings, seen, shown):
    output = check(**settings).evaluate(probe(**seen))
    found = output.metrics.get("value"), output.metrics.get("threshold")
    assert found == ((shown[0], shown[1]) if shown else (None, None))
    assert output.metadata.get("unit") == (shown[2] if shown else None)


@pytest.mark.parametrize(
    ("body", "path", "equals", "difference"),
    [
        ('{"a": {"b": [1, {"c": null}]}}', "a.b.1.c", None, None),
        ('{"a": 1}', "a", 1.0, None),
        ('{"a": 1}', "a", True, "a is 1, expected true"),
        ('{"a": [1, true]}', "a", [1, 1], "a is [1, true], expected [1, 1]"),
        ('{"a": {"x": 1, "y": 2}}', "a", {"y": 2, "x": 1}, None),
        ('{"a": "1"}', "a", 1, 'a is "1", expected 1'),
        ('{"a": 1}', "b", 1, "b is missing"),
        ("[1]", "1", 1, "1 is missing"),
        ("[1]", "a.b", 1, "a.b is missing"),
        ("oops", "", 1, "not JSON"),
        ("[" * 100_000, "", 1, "not JSON"),
        ('{"a": "' + "x" * 500 + '"}', "a", 1, "x…, expected 1"),
    ],
)
def test_a_json_value_is_found_by_its_path_and_compared_as_json(body, path, equals, difference):
    found = json_difference(body, JsonField(path=path, equals=equals))
    assert found == difference if difference is None else difference in (found or "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ftp://host/"}, "expected http"),
        ({"url": "/health"}, "expected http"),
        ({"url": "http://"}, "expected http"),
        ({"url": "http://host:port/"}, "not a URL"),
        ({"url": "https://me:secret@host/"}, "credentials"),
        ({"expected_status": "2xx"}, "expected a status"),
        ({"expected_status": "299-200"}, "expected a status"),
        ({"expected_status": [200, 42]}, "expected a status"),
        ({"method": "HEAD", "body_contains": "x"}, "HEAD has no body"),
        ({"method": "HEAD", "json_field": {"equals": 1}}, "HEAD has no body"),
        ({"url": "http://host/", "certificate_days": 9}, "https"),
        ({"request_timeout_seconds": 3600}, "less than or equal to 60"),
    ],
)
def test_a_check_that_cannot_work_is_refused_when_it_is_written(settings, said):
    with pytest.raises(ValidationError, match=said):
        check(**settings)


# --- a real server


class Handler(http.server.BaseHTTPRequestHandler):
    """One path for each way a server can answer, or not."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, self.path.strip("/").split("?")[0].replace("-", "_"))()

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_args):
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def ok(self):
        seen = {"method": self.command, "token": self.headers.get("X-Token"), "state": "fine"}
        self.answer(200, json.dumps(seen).encode())

    def broken(self):
        self.answer(500, b"database is away\n" * 100)

    def slow(self):
        time.sleep(0.4)
        self.answer(200)

    def hang(self):
        self.server.closing.wait()

    def drip_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server.closing.wait(0.1):
            self.wfile.write(b"X-A: 1\r\n")

    def drip_body(self):
        self.start_body()
        while not self.server.closing.wait(0.1):
            self.wfile.write(b".")

    def endless(self):
        self.start_body()
        while not self.server.closing.is_set():
            self.wfile.write(b"x" * 65_536)

    def start_body(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def half(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half of ")
        self.close_connection = True

    def nonsense(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        self.close_connection = True

    def moved(self):
        self.answer(302, Location="/ok")

    def loop(self):
        self.answer(302, Location="/loop")

    def elsewhere(self):
        self.answer(302, Location="ftp://127.0.0.1/")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.closing = threading.Event()
        if tls:
            # each handshake in its own thread, so that a client that gives up stops nobody else
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, _request, _client_address):
        pass  # clients that hang up are the purpose here

    @property
    def url(self) -> str:
        return f"http{'s' * isinstance(self.socket, ssl.SSLSocket)}://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def ask(url: str, **settings):
    return HealthCheck(url=url, **settings).measure(NoHistory())


def test_a_healthy_service_is_measured(server, monkeypatch):
    monkeypatch.setenv("SENTINEL_RULE_DEMO_TOKEN", "s3cret")
    output = ask(
        f"{server.url}/ok",
        headers={"X-Token": "env:SENTINEL_RULE_DEMO_TOKEN"},
        body_contains="s3cret",
        json_field={"path": "state", "equals": "fine"},
        latency_limit_ms=5_000,
    )
    assert not output.triggered
    assert output.ticker == "127.0.0.1"
    assert output.metrics["status"] == 200
    assert 0 < output.metrics["latency_ms"] == output.metrics["value"] < 5_000
    assert output.metrics["threshold"] == 5_000
    assert "answered 200 in" in output.message


def test_head_asks_for_no_body(server):
    output = ask(f"{server.url}/ok", method="HEAD", service="shop")
    assert not output.triggered
    assert (output.ticker, output.metadata["body"]) == ("shop", "")


def test_a_wrong_status_triggers_with_the_page_as_evidence(server):
    output = ask(f"{server.url}/broken")
    assert output.triggered
    assert output.metrics["status"] == 500
    assert output.metadata["body"].startswith("database is away")
    assert len(output.metadata["body"]) == 500


def test_a_slow_answer_triggers(server):
    output = ask(f"{server.url}/slow", latency_limit_ms=200)
    assert output.triggered
    assert output.metrics["value"] >= 400


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("hang", "is unreachable: no answer within 0.7 s"),
        ("drip-headers", "is unreachable: no answer within 0.7 s"),
        ("drip-body", ": no complete answer within 0.7 s"),
    ],
)
def test_whoever_keeps_a_check_waiting_triggers_in_time(server, path, said):
    output = ask(f"{server.url}/{path}", request_timeout_seconds=0.7)
    assert output.triggered
    assert said in output.message


def test_an_endless_body_is_read_up_to_the_limit(server):
    output = ask(f"{server.url}/endless", body_contains="y")
    assert output.triggered
    assert output.metadata["unmet"] == [f"'y' is not in the first {BODY_LIMIT:,} bytes of the body"]
    assert not ask(f"{server.url}/endless").triggered


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("reset", "reset|disconnected"),
        ("half", "peer closed connection"),
        ("nonsense", "illegal status line|SSH"),
        ("loop", "redirects"),
        ("elsewhere", "ftp"),
    ],
)
def test_a_server_that_breaks_the_rules_triggers(server, path, said):
    output = ask(f"{server.url}/{path}")
    assert output.triggered
    assert re.search(said, output.message), output.message


def test_redirects_are_followed_unless_told_otherwise(server):
    followed = ask(f"{server.url}/moved")
    assert not followed.triggered
    assert followed.metadata["url"].endswith("/ok")
    kept = ask(f"{server.url}/moved", follow_redirects=False, expected_status=302)
    assert not kept.triggered


def test_nobody_there_triggers():
    refused = ask(f"http://127.0.0.1:{free_port()}/")
    assert refused.triggered
    assert refused.message.endswith("is unreachable: Connection refused")
    assert refused.metrics == {"up": 0}
    unknown = ask("http://no-such-host.invalid/")
    assert unknown.triggered
    assert unknown.ticker == "no-such-host.invalid"


@pytest.mark.parametrize("value", ["env:SENTINEL_RULE_NOT_SET_ANYWHERE", "two\nlines"])
def test_a_header_that_cannot_be_sent_is_an_error(server, value):
    with pytest.raises(SentinelError, match="header"):
        ask(f"{server.url}/ok", headers={"X-Token": value})


# --- TLS


def certificate(folder: Path, days: float, host: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate that ends in `days`, and a server's context that presents it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sentinel test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    public, both = folder / "public.pem", folder / "both.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(
        public.read_bytes()
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return public, context


def test_a_trusted_certificate_near_its_end_triggers(tmp_path, monkeypatch):
    public, context = certificate(tmp_path, days=10)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with serving(context) as server:
        assert not ask(f"{server.url}/ok", certificate_days=9).triggered
        output = ask(f"{server.url}/moved", certificate_days=11)
    assert output.triggered
    assert output.metrics["status"] == 200
    assert output.metrics["value"] == output.metrics["certificate_days"]
    assert 9.9 < output.metrics["certificate_days"] <= 10


@pytest.mark.parametrize(("days", "said"), [(10, "self-signed"), (-2, "refused")])
def test_a_certificate_that_cannot_be_verified_triggers(tmp_path, days, said):
    _, context = certificate(tmp_path, days=days)
    with serving(context) as server:
        output = ask(f"{server.url}/ok")
    assert output.triggered
    assert "certificate was refused" in output.message
    assert said in output.message


def test_an_expired_certificate_is_refused_even_from_a_trusted_issuer(tmp_path, monkeypatch):
    public, context = certificate(tmp_path, days=-2)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with serving(context) as server:
        output = ask(f"{server.url}/ok", certificate_days=5)
    assert output.triggered
    assert "certificate has expired" in output.message


def test_an_expired_and_self_signed_certificate_is_still_measured_when_told_not_to_verify(tmp_path):
    _, context = certificate(tmp_path, days=-2)
    with serving(context) as server:
        assert not ask(f"{server.url}/ok", verify=False).triggered
        output = ask(f"{server.url}/ok", verify=False, certificate_days=0)
    assert output.triggered
    assert -2.1 < output.metrics["certificate_days"] <= -2
    assert output.metrics["status"] == 200


def test_tls_spoken_to_a_plain_server_and_the_other_way_round_trigger(server, tmp_path):
    assert ask(f"https://127.0.0.1:{server.server_port}/ok").triggered
    _, context = certificate(tmp_path, days=10)
    with serving(context) as tls:
        assert ask(f"http://127.0.0.1:{tls.server_port}/ok").triggered


def test_the_beginning_of_the_url_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENTINEL_RULE_SOME_API", "http://127.0.0.1:9/api/")
    output = asyncio.run(HealthCheck(url="env:SENTINEL_RULE_SOME_API/health").check())
    assert output.triggered
    assert output.ticker == "127.0.0.1"
    assert output.message.startswith("http://127.0.0.1:9/api/health is unreachable")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "SENTINEL_RULE_SOME_API, which is not set"),
        ("ftp://files.example", "expected http"),
        ("http://user:secret@host/api", "credentials"),
    ],
)
def test_a_url_from_the_environment_that_is_no_use_is_an_error(
    monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    if value is None:
        monkeypatch.delenv("SENTINEL_RULE_SOME_API", raising=False)
    else:
        monkeypatch.setenv("SENTINEL_RULE_SOME_API", value)
    with pytest.raises(SentinelError, match=said) as caught:
        asyncio.run(HealthCheck(url="env:SENTINEL_RULE_SOME_API/health").check())
    assert "secret" not in str(caught.value)
