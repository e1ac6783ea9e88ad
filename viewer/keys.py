"""The keys with which people work through the blotter. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

DOWN, UP, SELECT = "j", "k", "x"
ACKNOWLEDGE, SNOOZE, SILENCE, OPEN, HELP = "a", "z", "s", "Enter", "?"
MEANINGS = {
    DOWN: "the next row",
    UP: "the row before",
    SELECT: "selects the row, or deselects it",
    ACKNOWLEDGE: "acknowledges what is selected, else the row",
    SNOOZE: "snoozes what is selected, else the row",
    SILENCE: "opens the form for a silence of what is selected, else of the row",
    OPEN: "opens the event of the row",
    HELP: "shows these keys",
}
_ACTIONS = frozenset({ACKNOWLEDGE, SNOOZE, SILENCE, OPEN, HELP})


@dataclass(frozen=True, slots=True)
class Walk:
    """The row with the cursor, if any has it, the selected rows, and the key of an action that is
    to follow."""

    at: int | None
    selected: tuple[int, ...]
    action: str | None = None


def walk(pressed: Iterable[str], at: int | None, selected: Iterable[int], rows: int) -> Walk:
    """Where these keys lead in a table of so many rows.

    What follows an action is dropped: it was typed before people saw what the action opens.
    """
    chosen = set(selected)
    for key in pressed:
        if key in _ACTIONS:
            return Walk(at, tuple(sorted(chosen)), key)
        if not rows:
            continue
        if key == DOWN:
            at = 0 if at is None else min(at + 1, rows - 1)
        elif key == UP:
            at = 0 if at is None else max(at - 1, 0)
        elif key == SELECT and at is not None:
            chosen ^= {at}
    return Walk(at, tuple(sorted(chosen)))
