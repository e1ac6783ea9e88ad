"""What rules may read: variables, files and hosts, by tables; real links and connections."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from sentinel_core.base.settings import get_settings
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.json_site import json_site
from triggers.market.price_surge import PriceSurge
from triggers.sources.access import environment_refusal, file_refusal, host_refusal
from triggers.sources.allowed import allowed_file, require_resolved
from triggers.sources.database import database_warnings, read_rows
from triggers.sources.endpoint import Endpoint as Address
from triggers.sources.endpoint import json_of
from triggers.sources.errors import AccessError, SourceError
from triggers.sources.fetch import fetch

METADATA = "169.254.169.254"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with http_endpoint() as running:
        yield running


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"SENTINEL_{name.upper()}", value)
    get_settings.cache_clear()


# --- variables


@pytest.mark.parametrize(
    ("name", "listed", "allowed"),
    [
        ("SENTINEL_RULE_TOKEN", (), True),
        ("SENTINEL_RULE_", (), True),
        ("AWS_SECRET_ACCESS_KEY", (), False),
        ("SENTINEL_DATABASE_URL", (), False),
        ("sentinel_rule_token", (), False),
        ("", (), False),
        ("SHOP_TOKEN", ("SHOP_TOKEN",), True),
        ("SHOP_TOKEN_2", ("SHOP_TOKEN",), False),
        ("SHOP_TOKEN", ("SHOP_*",), True),
        ("MY_SHOP_TOKEN", ("SHOP_*",), False),
        ("PGPASSWORD", ("*",), True),
    ],
)
def test_a_variable_is_read_by_its_prefix_or_from_the_list(name, listed, allowed):
    refusal = environment_refusal(name, listed)
    assert (refusal is None) == allowed
    if refusal:
        assert "SENTINEL_RULE_…" in refusal
        assert "SENTINEL_ENV_ALLOW" in refusal


def test_the_store_is_a_database_and_no_header(monkeypatch, store):
    assert read_rows("env:SENTINEL_DATABASE_URL", "SELECT 1 AS n") == [{"n": 1}]
    with pytest.raises(AccessError, match="header X: the environment variable SENTINEL_DATABASE_"):
        Address(url="http://127.0.0.1:9/", headers={"X": "env:SENTINEL_DATABASE_URL"}).get()
    with pytest.raises(AccessError, match="SENTINEL_DATABASE_URL may not be read"):
        Address(url="env:SENTINEL_DATABASE_URL/").get()
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with pytest.raises(AccessError, match="PGPASSWORD may not be read"):
        read_rows("env:PGPASSWORD", "SELECT 1")


def test_a_variable_that_is_listed_is_sent(monkeypatch, endpoint):
    monkeypatch.setenv("OLD_TOKEN", "s3cret")
    address = Address(url=endpoint.url, headers={"X-Token": "env:OLD_TOKEN"})
    with pytest.raises(AccessError, match="OLD_TOKEN"):
        address.get()
    assert endpoint.received == []
    settings(monkeypatch, env_allow="OTHER, OLD_*")
    address.get()
    assert endpoint.received[0].headers["x-token"] == "s3cret"


# --- files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "quotes.csv").write_text("inside")
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2" / "quotes.csv").write_text("outside")
    (folder / "out").symlink_to(tmp_path / "project-2")
    (folder / "in").symlink_to(folder / "data")
    (folder / "circle").symlink_to(folder / "circle")
    return folder


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("data/quotes.csv", True),
        ("data/../data/quotes.csv", True),
        ("in/quotes.csv", True),
        ("data/absent.csv", True),
        (".", True),
        ("../project-2/quotes.csv", False),
        ("data/../../project-2/quotes.csv", False),
        ("out/quotes.csv", False),
        ("out/absent.csv", False),
        ("/etc/passwd", False),
        ("/proc/self/environ", False),
        ("..", False),
        ("circle", False),
        ("nul\0.csv", False),
    ],
)
def test_a_file_is_read_where_its_links_lead(project, path, allowed):
    refusal = file_refusal(Path(path), (), project)
    assert (refusal is None) == allowed


def test_a_named_folder_is_read_and_the_root_is_no_project(project):
    other = project.parent / "project-2"
    assert file_refusal(other / "quotes.csv", (other,), project) is None
    assert file_refusal(project / "out" / "quotes.csv", (project / "out",), project) is None
    assert file_refusal(Path("/etc/passwd"), (), Path("/"))
    assert file_refusal(Path("/etc/passwd"), (Path("/"),), project) is None


def test_no_trigger_reads_beyond_and_none_says_whether_it_is_there(project, monkeypatch):
    settings(monkeypatch, source_roots="")
    monkeypatch.chdir(project)
    assert fetch("in/quotes.csv", 5).data == b"inside"
    assert allowed_file("in/quotes.csv") == project.resolve() / "data" / "quotes.csv"
    said = []
    for path in ("/etc/passwd", "/etc/no-such-file"):
        with pytest.raises(AccessError, match="SENTINEL_SOURCE_ROOTS") as caught:
            fetch(path, 5)
        said.append(str(caught.value).replace(path, ""))
        with pytest.raises(AccessError, match="SENTINEL_SOURCE_ROOTS"):
            read_rows(f"sqlite:///{path}", "SELECT 1")
    assert said[0] == said[1]
    (warning,) = database_warnings("url", "sqlite:////etc/passwd")
    assert "SENTINEL_SOURCE_ROOTS" in warning[1]
    assert database_warnings("url", "sqlite:///data/shop.db") == []


# --- hosts


@pytest.mark.parametrize(
    ("host", "address", "deny", "allow", "allowed"),
    [
        ("127.0.0.1", None, (), (), True),
        ("10.1.2.3", None, (), (), True),
        ("localhost", "::1", (), (), True),
        (METADATA, None, (), (), False),
        ("::ffff:169.254.169.254", None, (), (), False),
        ("64:ff9b::a9fe:a9fe", None, (), (), False),
        ("2002:a9fe:a9fe::1", None, (), (), False),
        ("fe80::1", None, (), (), False),
        ("fe80::1%eth0", None, (), (), False),
        ("fd00:ec2::254", None, (), (), False),
        ("metadata.example", METADATA, (), (), False),
        ("metadata.example", METADATA, (), ("169.254.0.0/16",), True),
        ("metadata.example", METADATA, (), ("metadata.example",), True),
        ("127.0.0.1", None, ("private",), (), False),
        ("0.0.0.0", None, ("private",), (), False),
        ("fd12::1", None, ("private",), (), False),
        ("100.64.0.1", None, ("private",), (), False),
        ("::ffff:10.0.0.1", None, ("private",), (), False),
        ("93.184.216.34", None, ("private",), (), True),
        ("db.internal", "10.1.0.9", ("private",), ("10.1.0.0/16",), True),
        ("db.internal", "10.2.0.9", ("private",), ("10.1.0.0/16",), False),
        ("api.evil.example", None, ("*.evil.example",), (), False),
        ("API.Evil.Example.", None, ("*.evil.example",), (), False),
        ("evil.example", None, ("evil.example",), (), False),
        ("notevil.example", None, ("evil.example", "*.evil.example"), (), True),
    ],
)
def test_a_host_is_judged_by_its_name_and_its_address(host, address, deny, allow, allowed):
    refusal = host_refusal(host, ip_address(address) if address else None, deny, allow)
    assert (refusal is None) == allowed
    if refusal:
        assert "SENTINEL_HOSTS_ALLOW" in refusal


def test_a_metadata_address_is_not_asked(endpoint):
    for url in (f"http://{METADATA}/latest", f"http://[::ffff:{METADATA}]/"):
        with pytest.raises(AccessError, match=r"169\.254\.0\.0/16 is among the addresses"):
            fetch(url, 2)
        with pytest.raises(AccessError):
            Address(url=url).get()


def test_a_name_is_judged_by_the_address_connected_to_before_anything_is_sent(
    endpoint, monkeypatch
):
    settings(monkeypatch, hosts_deny="127.0.0.0/8,::1")
    url = f"http://localhost:{endpoint.port}/"
    with pytest.raises(AccessError, match=r"localhost \(found at 127\.0\.0\.1\)"):
        Address(url=url).get()
    with pytest.raises(AccessError, match=r"localhost \(found at 127\.0\.0\.1\)"):
        fetch(url, 5)
    with pytest.raises(AccessError, match="found at"):
        require_resolved("localhost")
    assert endpoint.received == []
    settings(monkeypatch, hosts_allow="localhost")
    assert fetch(url, 5).data == b"ok"


def test_private_addresses_can_be_denied(endpoint, monkeypatch):
    assert fetch(endpoint.url, 5).data == b"ok"
    settings(monkeypatch, hosts_deny="private")
    with pytest.raises(AccessError, match="private is among SENTINEL_HOSTS_DENY"):
        fetch(endpoint.url, 5)
    with pytest.raises(AccessError, match="private"):
        read_rows("postgresql://u@127.0.0.1:9/shop", "SELECT 1")
    with pytest.raises(AccessError, match="private"):
        read_rows("postgresql://u@/shop?host=127.0.0.1&port=9", "SELECT 1")


def test_a_redirect_does_not_lead_to_a_denied_host():
    with json_site() as site:
        url = site.at("/", "", 302, Location=f"http://{METADATA}/latest/meta-data")
        with pytest.raises(AccessError, match="169"):
            fetch(url, 2)
        with pytest.raises(AccessError, match="169"):
            Address(url=url).get()


def test_headers_from_a_variable_stay_with_the_first_host(endpoint, monkeypatch):
    monkeypatch.setenv("SENTINEL_RULE_TOKEN", "s3cret")
    headers = {"X-Token": "env:SENTINEL_RULE_TOKEN", "X-Plain": "yes"}
    with json_site() as site:
        url = site.at("/", "", 302, Location=f"http://localhost:{endpoint.port}/")
        Address(url=url, headers=headers).get()
        assert site.asked[0].headers["X-Token"] == "s3cret"
    assert "x-token" not in endpoint.received[0].headers
    assert endpoint.received[0].headers["x-plain"] == "yes"


# --- what could not be parsed


def test_the_first_line_of_a_file_that_is_no_table_is_not_quoted(tmp_path):
    for text in ("root:x:0:0:secret:/root\n", "key,s3cret,other\n1,2,3\n", '{"s3cret": [1]}'):
        (tmp_path / "file").write_text(text)
        rule = PriceSurge(ticker="A", threshold=1, source=str(tmp_path / "file"))
        with pytest.raises(SourceError, match="has no column 'ticker'") as caught:
            rule.check()
        assert "secret" not in str(caught.value)
        assert "s3cret" not in str(caught.value)
    (tmp_path / "file").write_text("Ticker,Time,Close\nA,2026-01-02,5\n")
    with pytest.raises(SourceError, match="among its 3; it has 'Ticker', 'Time', 'Close'"):
        PriceSurge(ticker="A", threshold=1, source=str(tmp_path / "file")).check()


def test_nothing_that_could_not_be_parsed_is_quoted(endpoint):
    endpoint.reply = lambda _: b"root:x:0:0:secret"
    with pytest.raises(SourceError, match="the answer is not JSON") as caught:
        json_of(Address(url=endpoint.url).get())
    assert "root" not in str(caught.value)
    for read in (lambda url: Address(url=url).get(), lambda url: fetch(url, 5)):
        with pytest.raises(SourceError, match="illegal") as caught, no_http() as url:
            read(url)
        assert "root" not in str(caught.value)


@contextlib.contextmanager
def no_http() -> Iterator[str]:
    """A service that speaks something else to the first who asks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"root:x:0:0:secret\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            thread.join()
