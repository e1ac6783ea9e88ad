"""The width that messages have in a table."""

import pytest

from viewer.columns import message_width
from viewer.rows import COLUMNS


@pytest.mark.parametrize(
    ("available", "shown", "width"),
    [
        (None, COLUMNS, 360),
        (320, COLUMNS, 360),
        (1_780, COLUMNS, 846),
        (1_500, COLUMNS, 566),
        (1_000, ("Time", "Message"), 848),
        (1_000, ("Time", "Comment", "Message"), 738),
    ],
)
def test_messages_have_what_the_other_columns_leave(
    available: int | None, shown: tuple[str, ...], width: int
) -> None:
    assert message_width(available, shown) == width
