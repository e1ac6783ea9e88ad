"""How many matches a run made, and how sure it was. Decides nothing about events."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.wording.text import counted
from triggers.model.figures import FiguresCheck, count, figure
from triggers.sources.errors import SourceError
from triggers.sources.frame_table import frame_table
from triggers.sources.table import Table

_SLACK = 1e-9


class MatchQuality(FiguresCheck):
    """A matching run made no matches, or was not sure enough of them."""

    display_name: ClassVar[str] = "Match quality"
    default_importance: ClassVar[Importance] = Importance.HIGH

    matches: str = Field("matches", min_length=1, description="the figure with their number")
    confidence: str = Field(
        "confidence", min_length=1, description="the figure, or the column, with the confidence"
    )
    rows_are_matches: bool = Field(
        False, description="the source is a table with a row for each match; else a summary"
    )
    min_matches: int = Field(1, ge=0, description="fewer matches trigger")
    min_confidence: float = Field(
        0.7, allow_inf_nan=False, description="a lower mean confidence triggers"
    )

    def measured(self, history: History) -> list[AlertOutput]:
        """What the source says, as a table or as a summary."""
        if not self.rows_are_matches:
            return super().measured(history)
        assert self.source is not None
        with self.source.open() as table:
            return self.measure_table(table, history)

    def check_frame(self, frame: object, history: History) -> list[AlertOutput]:
        """The same for a frame, or for a summary as a dictionary."""
        if isinstance(frame, Mapping) or not self.rows_are_matches:
            return super().check_frame(frame, history)
        return self.guarded(lambda: self.measure_table(frame_table(frame), history))

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output for a table with a row for each match."""
        del history
        scores = table.numbers(self.confidence, self.min_confidence)
        if scores.infinite:
            raise SourceError(f"{self.confidence}: {scores.infinite:,} values are infinite")
        return [self.evaluate(scores.rows, scores.mean)]

    def measure_document(self, document: Any, history: History) -> list[AlertOutput]:
        """One output for a summary; without a match there need be no confidence."""
        del history
        matches = count(document, self.matches)
        return [self.evaluate(matches, figure(document, self.confidence) if matches else None)]

    def evaluate(self, matches: int, confidence: float | None) -> AlertOutput:
        """The verdict on a number of matches and their mean confidence. Pure.

        Raises SourceError for matches without any confidence.
        """
        if matches and confidence is None:
            raise SourceError(f"there are {matches:,} matches, and none has a {self.confidence}")
        few = matches < self.min_matches
        unsure = confidence is not None and confidence < self.min_confidence - _SLACK
        message = f"{self.named}{counted(matches, 'match', 'matches')}"
        message += f", fewer than {self.min_matches:,}" if few else ""
        if confidence is not None:
            message += (
                f", mean confidence {confidence:.4g}, {'' if unsure else 'not '}below "
                f"{self.min_confidence:g}"
            )
        metrics: dict[str, float] = {"value": matches, "matches": matches}
        if confidence is not None:
            metrics |= {"confidence": confidence, "threshold": self.min_confidence}
        return AlertOutput(
            triggered=few or unsure,
            ticker=self.dataset,
            message=message,
            suggestion="Look at the data that is matched, and at what prepares it."
            if few or unsure
            else "",
            metrics=metrics,
            metadata={"code": [c for c, on in (("matches", few), ("confidence", unsure)) if on]},
        )
