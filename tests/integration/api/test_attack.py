"""The API under more requests than it answers, and a real Prometheus that asks it."""

import asyncio
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.record.annotate import comment
from tests.integration.api.support import api_port
from tests.support.deployed import rows
from tests.support.processes import BIN, answers, free_port, running, wait_for
from tests.support.recorded import NOON, a_rule, a_run, observe

SECONDS, A_SECOND, CONNECTIONS, BURST = 10.0, 1_000, 10, 5
_ASKED = ("GET /events", "POST /events/1/comment", "GET /health")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@dataclass
class Attack:
    """Requests with forged tokens, sent at an even rate whether they are answered or not."""

    port: int
    sent: int = 0
    answered: Counter[int] = field(default_factory=Counter)

    async def run(self) -> None:
        """All connections; ends soon after the last request was sent."""
        await asyncio.gather(*(self._connection(n) for n in range(CONNECTIONS)))

    async def _connection(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading = asyncio.create_task(self._count(reader))
        begun = time.monotonic()
        for part in range(int(SECONDS * A_SECOND / CONNECTIONS / BURST)):
            due = begun + part * CONNECTIONS * BURST / A_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for n in range(BURST):
                what = _ASKED[(number + n) % len(_ASKED)]
                writer.write(
                    f"{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
                    f"Authorization: Bearer {number}\r\n\r\n".encode()
                )
                self.sent += 1
        await asyncio.sleep(1)
        writer.transport.abort()
        await reading

    async def _count(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        with suppress(ConnectionError):
            while got := await reader.read(65_536):
                found = list(_STATUS.finditer(rest + got))
                self.answered.update(int(one[1]) for one in found)
                rest = (rest + got)[found[-1].end() if found else -20 :][-20:]


def allowed_in(url: str, token: dict[str, str]) -> bool:
    """Does the API answer somebody with a token?"""
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/events", headers=token, timeout=60).status_code == httpx.codes.OK
    return False


@pytest.mark.slow
def test_a_thousand_requests_a_second_are_refused_and_what_is_recorded_meanwhile_is_right(
    store: Engine, bearer: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    allowed = bearer("read")
    disk = a_rule("disk")
    opened: list[int] = []
    times = {"alone": 0, "attacked": 0}

    def record(when: str) -> None:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            at = NOON + timedelta(minutes=sum(times.values()))
            fires = AlertOutput(triggered=True, message="Too much.", timestamp=at)
            opened.extend(observe(store, disk, a_run(at), [fires]).opened)
            times[when] += 1

    async def both(attack: Attack) -> None:
        await asyncio.gather(attack.run(), asyncio.to_thread(record, "attacked"))

    port = free_port()
    command = (str(BIN / "sentinel"), "api", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with running(*command, env=dict(os.environ), log=tmp_path / "api.log"):
        wait_for(partial(allowed_in, url, allowed), what="the API")
        record("alone")
        attack = Attack(port)
        asyncio.run(both(attack))
        print(f"{attack.sent} sent, answered: {dict(attack.answered)}; recorded: {times}")
        wait_for(partial(allowed_in, url, allowed), what="an answer to somebody with a token")
    assert attack.sent == SECONDS * A_SECOND
    assert attack.answered[200] == 0
    assert attack.answered[401] > 0
    assert attack.answered[429] > attack.answered[401]
    assert set(attack.answered) <= {401, 429, 503}  # the health is down: there is no Prefect
    [event] = opened
    recorded = sum(times.values())
    [row] = rows(store, "SELECT occurrences, comment FROM alert_event")
    assert (row["occurrences"], row["comment"]) == (recorded, None)
    [kept] = rows(store, "SELECT count(*) AS n FROM evaluation WHERE event_id IS NOT NULL")
    assert kept["n"] == recorded
    assert min(times.values()) > 0
    assert comment(store, [event], by="ana", comment="over", now=NOON).done == (event,)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no prometheus here")
def test_a_real_prometheus_scrapes_the_metrics(
    store: Engine, bearer: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    [token] = bearer("read").values()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with api_port() as asked:
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n"
            "  - job_name: sentinel\n"
            "    scrape_interval: 1s\n"
            "    authorization: {credentials: " + token.removeprefix("Bearer ") + "}\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{asked}']}}]\n"
        )
        command = (
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        with running(*command, env={"PATH": "/usr/bin:/bin"}, log=tmp_path / "prometheus.log"):
            wait_for(lambda: answers(f"{url}/-/ready"), what="Prometheus")

            def known() -> object:
                query = {"query": 'sentinel_component_state{component="prefect",state="down"}'}
                answer = httpx.get(f"{url}/api/v1/query", params=query, timeout=30).json()
                return answer["data"]["result"]

            [found] = list(wait_for(known, what="a scrape"))  # type: ignore[call-overload]
    assert found["value"][1] == "1"
