"""The screens of docs/doctor.md, printed by the command itself on a terminal of 80 columns.

    python docs/doctor_screens.py

starts a Prefect server and a worker for it, looks at a whole installation, then at one whose parts
are broken, each of them on one of three screens, and writes them into the page.
"""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect.client.schemas.objects import WorkerStatus
from prefect_slack import SlackWebhook
from pydantic import SecretStr

from sentinel_core.base.settings import Settings
from sentinel_core.flow.opening import registration_of
from sentinel_core.prefect_io.registration import register
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import require_schema
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint, sync
from tests.support.command import Command
from tests.support.health import House
from tests.support.prefect import client_of, prefect_server, prefect_worker
from tests.support.processes import BIN, wait_for
from tests.support.recorded import a_rule
from tests.support.stores import migrate

PAGE = Path(__file__).parent / "doctor.md"
POOL, RULE = "sentinel", "disk-nearly-full"
CHANNEL = "slack-incoming-webhook/alerts-critical"
_BLOCK = r"(<!-- {name} -->\n```text\n).*?(```\n)"


def main() -> None:
    """Print the screens into the page."""
    with TemporaryDirectory(prefix="doctor-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(prefect_server(folder))
        client = stack.enter_context(client_of(server))
        url = f"sqlite:///{folder / 'sentinel.db'}"
        migrate(url)
        engine = open_engine(url)
        identity = require_schema(engine)
        set_checkpoint(engine, RECONCILE, datetime.now(UTC))
        env = {"PREFECT_API_URL": server.api_url, "PREFECT_HOME": server.env["PREFECT_HOME"]}
        home = House(client, Command(url, folder, env), POOL, RULE, folder / "prefect.yaml")
        SlackWebhook(url=SecretStr("https://hooks.example.org/services/T0/B0/x")).save(
            CHANNEL.partition("/")[2],
            _sync=True,  # type: ignore[call-arg]
        )
        home.mend()
        register(Settings().store_variable, registration_of(Settings(database_url=url), identity))
        home.notify(CHANNEL)
        with prefect_worker(server, POOL, kind="sentinel"):
            wait_for(lambda: client.read_workers_for_work_pool(POOL), what="the worker")
            _write("healthy", _screen(home))
        wait_for(
            lambda: (
                not any(
                    worker.status is WorkerStatus.ONLINE
                    for worker in client.read_workers_for_work_pool(POOL)
                )
            ),
            what="Prefect to miss the worker",
            seconds=300,
        )
        home.notify("slack-incoming-webhook/alerts-critcal")
        client.delete_deployment(home.id_of("deliver"))
        home.ran("reconcile", "the event store does not answer", "again", "again")
        _write("broken", _screen(home, SENTINEL_RETENTION_EVNT_DAYS="30"))
        sync(engine, [a_rule("quotes", cron="* * * * *")], datetime.now(UTC) - timedelta(hours=1))
        home.write(parameters={"check": {"path": "/srv/gone", "threshold": 90}}, name="srv-full")
        _write("unchecked", _screen(home, "--sources"))
        nowhere = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
        missing = f"sqlite:///{folder / 'moved.db'}"
        _write("away", _screen(home, SENTINEL_DATABASE_URL=missing, **nowhere))


def _screen(home: House, *flags: str, **env: str) -> str:
    """What the command prints on a terminal of 80 columns, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [str(BIN / "sentinel"), "doctor", "--file", str(home.file), *flags]
    defaults = {"SENTINEL_STORE_VARIABLE": "", "SENTINEL_SOURCE_ROOTS": ""}
    shown = {"TERM": "xterm", "COLUMNS": "80"}
    environment = {**home.sentinel.environment, **defaults, **env, **shown}
    with subprocess.Popen(command, stdout=theirs, env=environment):  # noqa: S603
        os.close(theirs)
        read = b""
        with contextlib.suppress(OSError):  # the terminal is closed at its other end
            while part := os.read(ours, 65_536):
                read += part
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;]*m", "", read.decode()).replace("\r\n", "\n")
    # Of no machine in particular.
    text = text.replace(f"/{home.file.parent}".replace("//", "/"), "/var/lib/sentinel")
    return re.sub(r"127\.0\.0\.1:\d+/api", "127.0.0.1:4200/api", text)


def _write(name: str, screen: str) -> None:
    page = PAGE.read_text("utf-8")
    block = re.compile(_BLOCK.format(name=name), re.DOTALL)
    assert block.search(page), name
    PAGE.write_text(block.sub(lambda found: found[1] + screen + found[2], page), "utf-8")


if __name__ == "__main__":
    main()
