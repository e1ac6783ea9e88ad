"""Samples the host on which runs execute, once a minute, whichever of its processes comes first.

Each run is a process of its own, and none lives for a minute. So what is remembered of the sample
before, the processors' times, is in a file beside Prefect's own of this user.
"""

import contextlib
import json
import logging
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.settings import get_current_settings
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.hosts import Sample
from sentinel_core.store.record.hosts import note_host

EVERY = timedelta(seconds=55)  # runs begin a moment later or earlier in each minute
_LONGEST = timedelta(minutes=10)  # an average over more says nothing about now

logger = logging.getLogger(__name__)


def sample_host(engine: Engine, now: datetime) -> bool:
    """Write how much of this host is in use, unless that was done less than a minute ago.

    False where it was not due or could not be done: a run never fails for it.
    """
    import psutil  # not before it is needed: every run imports this module

    try:
        file = get_current_settings().home / "sentinel-host.json"
        if not _due(file, now):
            return False
        before, times = _remembered(file), _times(psutil.cpu_times())
        _remember(file, now, times)  # first, so that another run leaves it
        memory, disk = psutil.virtual_memory().percent, psutil.disk_usage(os.sep).percent
        sample = Sample(now, _cpu(before, now, times), memory, disk)
        note_host(engine, socket.gethostname(), sample)
    except (OSError, psutil.Error, SQLAlchemyError, SentinelError):
        logger.debug("This host could not be sampled", exc_info=True)
        return False
    return True


def _due(file: Path, now: datetime) -> bool:
    try:
        age = now.timestamp() - file.stat().st_mtime
    except FileNotFoundError:
        return True
    return age >= EVERY.total_seconds() or age < 0  # a clock that was set back


def _times(found: Any) -> dict[str, float]:
    idle = found.idle + getattr(found, "iowait", 0.0)
    return {"idle": idle, "all": sum(found) - getattr(found, "guest", 0.0)}


def _cpu(before: dict[str, Any], now: datetime, times: dict[str, float]) -> float | None:
    """Percent busy since the sample before; None without one, or after a restart."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        passed = now.timestamp() - float(before["at"])
        ran = times["all"] - float(before["all"])
        idle = times["idle"] - float(before["idle"])
        if 0 < passed <= _LONGEST.total_seconds() and ran > 0 and 0 <= idle <= ran:
            return round(100 * (1 - idle / ran), 1)
    return None


def _remembered(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(file: Path, now: datetime, times: dict[str, float]) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(json.dumps({"at": now.timestamp(), **times}), encoding="utf-8")
    os.utime(part, (now.timestamp(), now.timestamp()))
    part.replace(file)
