"""Files and real HTTP answers, good and bad."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from triggers.sources import fetch as fetch_module
from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.fetch import fetch, shown
from triggers.sources.quotes import read_quotes

LATIN = "ticker,time,close\nM\u00dcV2,2013-03-01,101\n".encode("latin-1")
BODY = b"ticker,time,close,volume\nAAPL,2013-03-01,430.47,19730300\n"


class Quotes(BaseHTTPRequestHandler):
    """Serves a small file in every way a server can."""

    stopping: threading.Event

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/hang":
            self.stopping.wait()
            return
        if path == "/moved":
            self.answer(302, b"", Location="/quotes.csv")
        elif path == "/to-file":
            self.answer(302, b"", Location="file:///etc/hostname")
        elif path == "/broken":
            self.answer(500, b"sorry")
        elif path == "/drip":
            self.drip()
        elif path == "/packed.csv.gz":
            self.answer(200, gzip.compress(BODY))
        elif path == "/encoded.csv":
            self.answer(200, gzip.compress(BODY), **{"Content-Encoding": "gzip"})
        elif path == "/cut":
            self.answer(200, BODY, **{"Content-Length": str(len(BODY) + 100)})
        elif path == "/latin.csv":
            self.answer(200, LATIN, **{"Content-Type": "text/csv; charset=ISO-8859-1"})
        elif path == "/quotes.csv":
            self.answer(200, BODY)
        else:
            self.answer(404, b"no such thing")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        """One byte at a time, each well within any timeout between bytes."""
        self.send_response(200)
        self.end_headers()
        while not self.stopping.is_set():
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    stopping = threading.Event()
    handler = type("Handler", (Quotes,), {"stopping": stopping})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        stopping.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "path", ["/quotes.csv", "/moved", "/encoded.csv", "/quotes.csv?key=s3cr3t"]
)
def test_what_a_server_sends_is_what_comes_back(site: str, path: str) -> None:
    assert fetch(site + path, 5).data == BODY


def test_quotes_are_read_in_the_charset_that_the_server_names(site: str) -> None:
    (series,) = read_quotes(
        f"{site}/latin.csv", Columns(), "close", ["*"], rows=1, timeout_seconds=5
    )
    assert (series.ticker, series.values) == ("MÜV2", (101,))


def test_a_compressed_file_comes_back_as_it_is_stored(site: str) -> None:
    assert gzip.decompress(fetch(f"{site}/packed.csv.gz", 5).data) == BODY


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/broken", "answered 500"),
        ("/nowhere", "answered 404"),
        ("/cut", "cannot be read"),
        ("/to-file", "cannot be read"),
    ],
)
def test_an_answer_that_is_not_the_file_is_an_error(site: str, path: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        fetch(site + path, 5)


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_server_that_takes_too_long_is_given_up(site: str, path: str) -> None:
    with pytest.raises(SourceError, match=r"did not answer completely within 0.5 s"):
        fetch(site + path, 0.5)


def test_a_download_that_never_ends_is_cut_off(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "MOST_BYTES", 20)
    with pytest.raises(SourceError, match="is larger than"):
        fetch(f"{site}/quotes.csv", 5)


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        fetch("http://127.0.0.1:9/quotes.csv", 5)


@pytest.mark.parametrize(
    "source",
    ["file:///etc/passwd", "file:/etc/passwd", "ftp://host/quotes.csv", "s3://bucket/q", "data:,x"],
)
def test_other_schemes_are_refused(source: str) -> None:
    with pytest.raises(SourceError, match="URLs are not read; give a local path"):
        fetch(source, 5)


@pytest.mark.parametrize("source", ["http://", "http://[", "https://host:99999999/x"])
def test_a_broken_url_is_an_error(source: str) -> None:
    with pytest.raises(SourceError):
        fetch(source, 2)


def test_a_local_path_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quotes.csv").write_bytes(BODY)
    monkeypatch.chdir(tmp_path)
    assert fetch("quotes.csv", 5).data == BODY
    with pytest.raises(SourceError, match="no such file"):
        fetch("other.csv", 5)
    with pytest.raises(SourceError, match="is a folder"):
        fetch(".", 5)
    with pytest.raises(SourceError, match="can't be followed to a file"):
        fetch("nul\0.csv", 5)


def test_messages_show_no_password_and_no_query() -> None:
    assert shown("https://me:pw@host:8443/q.csv?key=s3cr3t#x") == "https://host:8443/q.csv"
    assert shown("http://[?key=s3cr3t") == "http://…"
    assert shown("quotes.csv") == "quotes.csv"
