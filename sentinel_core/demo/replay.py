"""A day of quotes after another: each becomes the feed's newest, and each rule is checked."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Engine

from sentinel_core.demo.page import Board
from sentinel_core.demo.project import RULES
from sentinel_core.demo.recording import Day, Recording
from sentinel_core.demo.story import Story
from sentinel_core.demo.system import System
from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.store.db.engine import reading
from sentinel_core.store.state.snapshot import recorded_runs

_RECORDED_SECONDS = 60.0  # how long the next day waits for this one's checks

LOCKUP_ENDS = date(2012, 11, 14)
SILENCE = (
    *("silences", "create", "--rule", "demo-volume-spike", "--ticker", "FB", "--for", "2m"),
    *("--comment", "800 million shares of FB may be sold from today on"),
)
"""Made before that day's quotes come: everybody knew what they would show."""


@dataclass
class Replay:
    """The feed, and what it needs to start runs and to see that they are recorded."""

    recording: Recording
    board: Board
    client: SyncPrefectClient
    engine: Engine
    system: System
    stopping: threading.Event
    say: Callable[[str], None]

    def run(self, day_seconds: float) -> None:
        """Show one day after another, at least `day_seconds` apart, until told to stop."""
        story = Story(self.engine)
        found = {d.name: d.id for d, _ in all_deployments(self.client)}
        rules = [found[name] for name in RULES]
        for day in self.recording.live:
            began = time.monotonic()
            if day.date == LOCKUP_ENDS:
                self._silence()
            self._show(day, rules)
            while not self.stopping.is_set():
                for line in story.news():
                    self.say(f"    {line}")
                if (left := began + day_seconds - time.monotonic()) <= 0:
                    break
                self.stopping.wait(min(left, 1.0))
            if self.stopping.is_set():
                return
            self.system.fail_if_dead()

    def _silence(self) -> None:
        quoted = [f'"{word}"' if " " in word else word for word in SILENCE]
        self.say(f"    $ sentinel {' '.join(quoted)}")
        self.system.sentinel(*SILENCE)

    def _show(self, day: Day, rules: list[UUID]) -> None:
        """Make this day the newest of the feed, and check every rule once."""
        self.board.quotes = self.recording.until(day.date)
        self.say(day.words())
        runs = [self.client.create_flow_run_from_deployment(rule).id for rule in rules]
        deadline = time.monotonic() + _RECORDED_SECONDS
        while not self.stopping.is_set() and time.monotonic() < deadline:
            with reading(self.engine) as connection:
                if len(recorded_runs(connection, runs)) == len(runs):
                    return
            self.stopping.wait(0.2)
