"""How many people can leave the blotter open, against a bare Streamlit page in the same run.

A real viewer process reads a store of generated events. `usable` is a real Chromium, from opening
the address to a drawn table. A session is what a browser's tab is for the viewer: a WebSocket that
runs the page once and reruns its fragments when their intervals say so; it asks for
news, and presses the blotter's hidden button when there is any. It parses what it gets and draws
nothing. First nothing happens, then an event is recorded every few seconds, which all sessions
draw at once. `record to screen` is from before a recording until a session has its message. The
bare page has one table of 50 rows that refreshes as often, with Streamlit's own settings.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks._support import database, p95_ms, report
from benchmarks.queries import fill
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.recording import record
from tests.support.blotter import chromium, viewer
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, answers, free_port, running, wait_for
from viewer.blotter import REFRESH_SECONDS

OPENED = 5  # times a browser opens the page
RECORDED = 5  # events during a measurement
LOOK, SHARE = 0.7, 1  # as in viewer/window.js
# The word for what is drawn, in viewer/window.py's script.
_NEWS = re.compile(rb'"news": "([0-9a-f]+)"')
_ASKED = "news"  # among the fragments: not one, and due after LOOK
_BARE = """
import pandas as pd
import streamlit as st

@st.fragment(run_every={seconds})
def table():
    names = ["Time", "Importance", "Rule", "Ticker", "Message", "State", "Status", "Category"]
    st.dataframe(pd.DataFrame([[f"{{n}} {{i}}" for n in names] for i in range(50)], columns=names))

table()
"""


@dataclass
class Session:
    """One tab: its fragments with their intervals, how long each rerun took, what it looks for."""

    socket: Any
    times: list[float] = field(default_factory=list)
    waits: dict[str, float] = field(default_factory=dict)
    seen: dict[bytes, float] = field(default_factory=dict)
    looks_for: set[bytes] = field(default_factory=set)
    button: tuple[str, str] = ("", "")
    """The blotter's hidden button and its fragment, by their ids."""
    drawn: bytes = b""
    """The word for what is drawn."""

    async def run(self, fragment: str = "", press: str = "") -> None:
        """Ask for one run of the page or of a fragment, and take everything until it has ended.

        `press` is a button to press.
        """
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.context_info.timezone = "UTC"
        message.rerun_script.context_info.url = "http://127.0.0.1/"
        if fragment:
            message.rerun_script.fragment_id = fragment
            message.rerun_script.is_auto_rerun = not press
        if press:
            message.rerun_script.widget_states.widgets.add(id=press, trigger_value=True)
        await self.socket.send(message.SerializeToString())
        while True:
            data = await asyncio.wait_for(self.socket.recv(), 120)
            if word := _NEWS.search(data):
                self.drawn = word[1]
            for token in [token for token in self.looks_for if token in data]:
                self.seen.setdefault(token, time.monotonic())
            got = ForwardMsg.FromString(data)
            kind = got.WhichOneof("type")
            if kind == "new_session" and not fragment:
                self.waits.clear()
            elif kind == "auto_rerun":
                self.waits[got.auto_rerun.fragment_id] = got.auto_rerun.interval
            elif kind == "delta":
                element = got.delta.new_element
                if element.WhichOneof("type") == "button" and element.button.label == "Draw now":
                    self.button = (element.button.id, got.delta.fragment_id)
            elif kind == "script_finished":
                if got.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                break

    async def ask(self, client: httpx.AsyncClient, address: str) -> None:
        """Have the blotter drawn if there is anything new."""
        answer = await client.get(f"{address}/news")
        if answer.status_code == httpx.codes.OK and answer.content != self.drawn:
            await self.run(self.button[1], self.button[0])

    async def stay(
        self, ends: float, client: httpx.AsyncClient, address: str, share: float
    ) -> None:
        """Rerun each fragment at its interval until then, from this share of the first one on."""
        begins = time.monotonic()
        if self.drawn:
            self.waits[_ASKED] = LOOK
        due = {name: begins + seconds * share for name, seconds in self.waits.items()}
        while due and (now := time.monotonic()) < ends:
            fragment = min(due, key=lambda name: due[name])
            await asyncio.sleep(max(0, min(due[fragment], ends) - now))
            if time.monotonic() >= ends:
                return
            began = time.monotonic()
            if fragment == _ASKED:
                await self.ask(client, address)
                took = time.monotonic() - began
                began = max(began, time.monotonic() + SHARE * took - self.waits[_ASKED])
            else:
                await self.run(fragment)
                self.times.append(time.monotonic() - began)
            known = self.waits
            due = {name: due.get(name, began + seconds) for name, seconds in known.items()}
            if fragment in due:
                due[fragment] = began + known[fragment]


@asynccontextmanager
async def session(address: str) -> AsyncIterator[Session]:
    """A tab that has shown the page once."""
    where = address.replace("http://", "ws://") + "/_stcore/stream"
    async with websockets.connect(where, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        opened = Session(socket)
        await opened.run()
        yield opened


@dataclass(frozen=True, slots=True)
class Found:
    """What one number of sessions saw."""

    times: list[float]
    busy: list[float]
    """Of the refreshes while events are recorded."""
    to_screen: list[float]
    mb_each: float


async def watch(
    address: str, process: psutil.Process, many: int, seconds: float, recorder: "Recorder | None"
) -> Found:
    """So many sessions, opened one after the other; for so long, and again with events."""
    before = process.memory_info().rss
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(session(address)) for _ in range(many)]
        mb = (process.memory_info().rss - before) / many / 2**20
        async with httpx.AsyncClient(timeout=120) as client:

            async def stay() -> list[float]:
                """How long the refreshes of all sessions took."""
                ends = time.monotonic() + seconds
                for tab in tabs:
                    tab.times.clear()
                stays = [tab.stay(ends, client, address, n / many) for n, tab in enumerate(tabs)]
                await asyncio.gather(*stays)
                return [t for tab in tabs for t in tab.times]

            times, busy = await stay(), []
            if recorder:
                for tab in tabs:
                    tab.looks_for |= set(recorder.tokens)
                recorder.start(seconds)
                busy = await stay()
    to_screen = recorder.until_seen(tabs, seconds) if recorder else []
    return Found(times, busy, to_screen, mb)


class Recorder:
    """Records events at even distances, each with a word of its own in its message."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._rule = Rule(uuid.uuid4(), "measured", "bench-flow", RuleSettings())
        self.tokens = [uuid.uuid4().hex.encode() for _ in range(RECORDED)]
        self.began: dict[bytes, float] = {}
        self._thread: threading.Thread | None = None

    def start(self, seconds: float) -> None:
        """Begin; the last event leaves time to be seen."""
        self._thread = threading.Thread(target=self._all, args=(seconds * 0.7 / RECORDED,))
        self._thread.start()

    def _all(self, pause: float) -> None:
        for token in self.tokens:
            time.sleep(pause)
            now = datetime.now(UTC)
            run = Run(
                uuid.uuid4(),
                "bench",
                StateType.COMPLETED,
                "Triggered",
                "",
                now,
                now,
                now,
                run_count=1,
            )
            word = token.decode()
            output = AlertOutput(triggered=True, ticker=word, message=word, metrics={"value": 1.0})
            self.began[token] = time.monotonic()
            observed = judge(run, self._rule.settings, [output])
            record(self._engine, self._rule, run, observed, now=now)

    def until_seen(self, tabs: list[Session], seconds: float) -> list[float]:
        """How long each event took to reach each session; `seconds` for one that never did."""
        if self._thread:
            self._thread.join()
        return [
            tab.seen.get(token, began + seconds) - began
            for tab in tabs
            for token, began in self.began.items()
        ]


@contextmanager
def bare_page(folder: Path, seconds: float) -> Iterator[str]:
    """Streamlit itself, with one table."""
    script, port = folder / "bare.py", free_port()
    script.write_text(_BARE.format(seconds=seconds))
    options = ("--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless")
    more = ("true", "--browser.gatherUsageStats", "false")
    command = (str(BIN / "streamlit"), "run", str(script), *options, *more)
    address = f"http://127.0.0.1:{port}"
    with running(*command, env=clean_environment(folder), log=folder / "bare.log"):
        wait_for(lambda: answers(f"{address}/_stcore/health"), what="the bare page")
        yield address


def usable(address: str) -> list[float]:
    """How long a browser takes from the address to a drawn table, in seconds."""
    took = []
    with chromium() as browser:
        for _ in range(OPENED + 1):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            began = time.monotonic()
            page.goto(address)
            page.locator('[data-testid="stDataFrame"] canvas').first.wait_for(timeout=60_000)
            took.append(time.monotonic() - began)
            context.close()
    return took[1:]  # the first one compiles and fills caches


def process_at(address: str) -> psutil.Process:
    """The process that listens there."""
    port = int(address.rpartition(":")[2])
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(
                c.laddr.port == port and c.status == "LISTEN" for c in process.net_connections()
            ):
                return process
    raise SystemExit(f"no process listens at {address}")


def measured(address: str, url: str | None, many: list[int], seconds: float) -> dict[str, Any]:
    """Everything about one page; events are recorded when it reads a store."""
    found: dict[str, Any] = {"usable": usable(address)}
    process = process_at(address)
    for number in many:
        recorder = Recorder(url) if url else None
        found[str(number)] = asyncio.run(watch(address, process, number, seconds, recorder))
    return found


def lines_of(name: str, found: Mapping[str, Any], many: list[int]) -> list[list[object]]:
    """The rows of the table about one page."""
    opened = found["usable"]
    lines: list[list[object]] = [
        [f"{name}: usable in Chromium, s", f"{statistics.median(opened):.2f}", f"{max(opened):.2f}"]
    ]
    for number in many:
        each: Found = found[str(number)]
        middle = statistics.median(each.times) * 1000
        lines.append(
            [
                f"{name}: {number} sessions, a refresh, ms",
                f"{middle:.0f}",
                f"{p95_ms(each.times):.0f}",
            ]
        )
        if each.busy:
            middle, p95 = statistics.median(each.busy) * 1000, p95_ms(each.busy)
            label = f"{name}: {number} sessions, a refresh while events come, ms"
            lines.append([label, f"{middle:.0f}", f"{p95:.0f}"])
        lines.append([f"{name}: {number} sessions, MB each", f"{each.mb_each:.2f}", ""])
        if each.to_screen:
            half, p95 = statistics.median(each.to_screen), p95_ms(each.to_screen) / 1000
            label = f"{name}: {number} sessions, record to screen, s"
            lines.append([label, f"{half:.2f}", f"{p95:.2f}"])
    return lines


def main() -> None:
    """Measure the blotter and the bare page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, action="append", help="50 and 100 by default")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    given = parser.parse_args()
    many = given.sessions or [50, 100]
    with tempfile.TemporaryDirectory() as name, database("sqlite", Path(name)) as url:
        folder = Path(name)
        engine = open_engine(url)
        ensure_schema(engine)
        fill(engine, given.events, datetime.now(UTC))
        engine.dispose()
        env = {**clean_environment(folder), "SENTINEL_DATABASE_URL": url}
        with viewer(env, folder / "viewer.log") as address:
            ours = measured(address, url, many, given.seconds)
        with bare_page(folder, REFRESH_SECONDS) as address:
            bare = measured(address, None, many, given.seconds)
    lines = lines_of("blotter", ours, many) + lines_of("bare page", bare, many)
    result: dict[str, Any] = {"usable_s": round(statistics.median(ours["usable"]), 2)}
    result |= {f"p95_ms_{n}": round(p95_ms(ours[str(n)].times)) for n in many}
    first = ours[str(many[0])]
    result["record_to_screen_s"] = round(p95_ms(first.to_screen) / 1000, 2)
    result["mb_per_session"] = round(first.mb_each, 2)
    result["bare_usable_s"] = round(statistics.median(bare["usable"]), 2)
    result |= {f"bare_p95_ms_{n}": round(p95_ms(bare[str(n)].times)) for n in many}
    title = f"The blotter over {given.events:,} events, and a bare Streamlit page"
    report(title, ["", "median", "p95 or longest"], lines, result)


if __name__ == "__main__":
    main()
