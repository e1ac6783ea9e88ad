"""The age of the newest file in a folder. Reads the file system; decides nothing about events."""

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from sentinel_core import AlertOutput, Importance, Trigger


class NewestFile(Trigger):
    """No new file has come into a folder for too long: exports, backups, deliveries."""

    display_name: ClassVar[str] = "Newest file"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Files"

    folder: str = Field(min_length=1, description="the folder; folders inside are not searched")
    pattern: str = Field("*", min_length=1, description="which files count, like *.csv")
    older_than_minutes: float = Field(60, gt=0, description="age from which it is an alert")

    def check(self) -> AlertOutput:
        """Read the folder and compare. Raises OSError when it can't be read: it was not checked."""
        return self.evaluate(self.read(), datetime.now(UTC))

    def read(self) -> tuple[str, datetime] | None:
        """The newest file's name and time; None when no file matches."""
        entries = list(Path(self.folder).iterdir())  # raises, where `glob` finds nothing
        files = [
            (e.stat().st_mtime, e.name) for e in entries if e.match(self.pattern) and e.is_file()
        ]
        if not files:
            return None
        modified, name = max(files)
        return name, datetime.fromtimestamp(modified, UTC)

    def evaluate(self, newest: tuple[str, datetime] | None, now: datetime) -> AlertOutput:
        """Triggered when the newest file is older than `older_than_minutes`.

        Without any file there is no age to compare, which is no data; a file from the future has
        none that could be true, which is an error. Neither is "not triggered".
        """
        where = f"{self.folder}/{self.pattern}"
        if newest is None:
            message = f"there is no file {where}"
            return AlertOutput(
                triggered=False, problem="no_data", ticker=self.folder, message=message
            )
        name, modified = newest
        minutes = (now - modified).total_seconds() / 60
        if minutes < -1:
            message = f"{name} is dated {-minutes:.0f} minutes in the future: check the clocks"
            return AlertOutput(
                triggered=False, problem="error", ticker=self.folder, message=message
            )
        return AlertOutput(
            triggered=minutes > self.older_than_minutes,
            ticker=self.folder,
            message=f"{name} is the newest file of {where}, {minutes:.0f} minutes old",
            metrics={"value": minutes, "threshold": self.older_than_minutes},
            metadata={"unit": "min", "file": name, "modified": modified.isoformat()},
        )
