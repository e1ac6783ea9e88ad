"""The API under more requests than it answers, and a real Prometheus that asks it."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.api.rates import Rates
from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.record.annotate import comment
from tests.integration.api.support import api_port
from tests.support.deployed import rows
from tests.support.processes import answers, free_port, running, wait_for
from tests.support.recorded import NOON, a_rule, a_run, observe

SECONDS, A_SECOND, SENDERS = 10.0, 1_000, 20


@pytest.mark.slow
def test_what_is_recorded_during_an_attack_is_right(
    store: Engine, bearer: Callable[[str], dict[str, str]]
) -> None:
    allowed = bearer("read")
    disk = a_rule("disk")
    opened: list[int] = []

    async def record() -> int:
        recorded = 0
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            at = NOON + timedelta(minutes=recorded)
            fires = AlertOutput(triggered=True, message="Too much.", timestamp=at)
            done = await asyncio.to_thread(observe, store, disk, a_run(at), [fires])
            opened.extend(done.opened)
            recorded += 1
        return recorded

    async def attack(url: str) -> tuple[Counter[int], int]:
        asked: Counter[int] = Counter()
        begun = time.monotonic()

        async def ask(number: int) -> None:
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                while (passed := time.monotonic() - begun) < SECONDS:
                    if asked.total() > passed * A_SECOND:
                        await asyncio.sleep(0.001)
                        continue
                    kind = number % 3
                    path = ("/events", "/events/1/comment", "/health")[kind]
                    forged = {"Authorization": f"Bearer {number}"}
                    answer = await client.request(
                        ("GET", "POST", "GET")[kind], path, headers=forged
                    )
                    asked[answer.status_code] += 1

        recorded, *_ = await asyncio.gather(record(), *(ask(n) for n in range(SENDERS)))
        return asked, recorded

    with api_port(Rates(per_second=10, burst=20)) as port:  # few enough for any machine to exceed
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/events", headers=allowed).status_code == 200
        asked, recorded = asyncio.run(attack(url))
        print(f"{asked.total()} requests: {dict(asked)}; {recorded} runs recorded")
        assert httpx.get(f"{url}/events", headers=allowed, timeout=60).status_code == 200
    assert asked[200] == 0
    assert min(asked[429], asked[401], asked[503]) > 0
    assert set(asked) <= {401, 429, 503}  # the health is down: there is no Prefect
    [event] = opened
    [row] = rows(store, "SELECT occurrences, comment FROM alert_event")
    assert (row["occurrences"], row["comment"]) == (recorded, None)
    [kept] = rows(store, "SELECT count(*) AS n FROM evaluation WHERE event_id IS NOT NULL")
    assert kept["n"] == recorded > 0
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
