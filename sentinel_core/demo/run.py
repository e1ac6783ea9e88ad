"""One `sentinel demo`, from its start to its end."""

import contextlib
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console

from sentinel_core.demo.page import FEED, Board, serving
from sentinel_core.demo.project import write_project
from sentinel_core.demo.recording import LABEL, Recording, recording
from sentinel_core.demo.system import Ports, System, isolated, workspace
from sentinel_core.up.process import stopped_by_signals

_NAMED = ("PREFECT_API_URL", "SENTINEL_DATABASE_URL")  # what commands in another terminal need


@dataclass
class Demo:
    """Its options, and its steps in the order they run."""

    ports: Ports
    day_seconds: float
    keep: Path | None = None
    console: Console = field(default_factory=Console)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Run until Ctrl-C; the exit code. Raises SetupError when something does not come up."""
        self.ports.require_free()
        with workspace(self.keep) as folder, stopped_by_signals(self.stopping):
            # Before anything of Prefect is imported: it reads its settings then, and keeps them.
            environment = isolated(os.environ, folder, self.ports)
            os.environ.clear()
            os.environ.update(environment)
            system = System(folder, self.ports)
            with contextlib.chdir(folder), serving(self.ports.page) as board:
                try:
                    self._play(folder, board, system)
                except KeyboardInterrupt:
                    pass
                finally:
                    self._say("stopping …")
                    system.stop()
        kept = f"kept in {self.keep}" if self.keep else "all of it is removed"
        self._say(f"The demo has ended; {kept}.")
        return 0

    def _play(self, folder: Path, board: Board, system: System) -> None:
        days = recording()
        self.console.print(f"[bold]A demonstration on {LABEL}.[/]", highlight=False)
        system.start(write_project(folder, f"{board.url}{FEED}"), board, self._say)
        self._show_addresses(board)
        self._replay(days, board, system)
        if not self.stopping.is_set():
            self._say("The recording ends here. Look around; Ctrl-C stops all.")
        while not self.stopping.wait(0.5):
            system.fail_if_dead()

    def _replay(self, days: Recording, board: Board, system: System) -> None:
        from prefect.client.orchestration import get_client

        from sentinel_core.base.settings import get_settings
        from sentinel_core.demo.replay import Replay
        from sentinel_core.store.db.engine import open_engine

        engine = open_engine(get_settings().database_url, create=False)
        with get_client(sync_client=True) as client:
            replay = Replay(days, board, client, engine, system, self.stopping, self._say)
            replay.run(self.day_seconds)

    def _show_addresses(self, board: Board) -> None:
        lines = {
            "Blotter": os.environ["SENTINEL_VIEWER_URL"],
            "Messages": f"{board.url} (stands where Slack stands)",
            "Prefect UI": os.environ["SENTINEL_PREFECT_UI_URL"],
            "Commands": "export " + " ".join(f"{name}={os.environ[name]}" for name in _NAMED),
        }
        self.console.print()
        for name, value in lines.items():
            self.console.print(f"  {name:<11} {value}", highlight=False, soft_wrap=True)
        self.console.print("\nOpen the first two side by side. Ctrl-C stops all.\n")

    def _say(self, text: str) -> None:
        line = f"{datetime.now().astimezone():%H:%M:%S}  {text}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
