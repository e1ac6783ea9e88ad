"""What the window told, and whatever else may be written into its field."""

import json

import pytest

from viewer.window import Told, read


def test_the_window_tells_its_width_and_the_keys() -> None:
    told = read(json.dumps({"width": 1280, "keys": [[1, "j"], [2.5, "Enter"]]}))
    assert told == Told(1280, ((1, "j"), (2.5, "Enter")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        "[" * 3_000,
        '{"width": "wide", "keys": "jjj"}',
        '{"width": -5, "keys": [[1], "j", [1, 2], ["1", "j"], [1, "q"], [1, "j", 2]]}',
        '{"width": 99999999, "keys": {"j": 1}}',
    ],
)
def test_what_no_window_writes_is_left_out(text: str) -> None:
    assert read(text) == Told()
